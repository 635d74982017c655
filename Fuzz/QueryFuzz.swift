// SPDX-License-Identifier: Apache-2.0

/// libFuzzer's door: any text is a query or an error with a place in it; what is printed reads as
/// the same query and is no longer; and matching against any body never traps.
///
/// A NUL ends the query; behind it stand a byte that says how to wrap the rest, and the rest: a
/// payload of MessagePack or JSON, or a whole body. See run.sh.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzQuery(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 0 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let end = bytes.firstIndex(of: 0) ?? bytes.count
    let text = String(decoding: bytes[..<end], as: UTF8.self)
    let query: Query
    do throws(QueryError) {
        query = try Query(text)
    } catch {
        precondition(error.column >= 1 && error.column <= text.unicodeScalars.count + 1)
        precondition(!error.description.isEmpty)
        return 0
    }
    let printed = query.description
    precondition(printed.utf8.count <= text.utf8.count, "the canonical form is longer")
    guard let again = try? Query(printed) else { preconditionFailure("what is printed is no query") }
    precondition(again == query, "what is printed is another query")
    precondition(again.description == printed, "the canonical form is not canonical")
    let rest = Array(bytes.dropFirst(end + 1))
    let payload = Array(rest.dropFirst())
    let body: [UInt8] =
        switch (rest.first ?? 0) % 3 {
        case 0: payload
        case 1: Envelope.body(kind: "fuzz", contentType: .json, headers: [:], payload: payload)
        default: Envelope.body(kind: "fuzz", contentType: .messagePack, headers: [:], payload: payload)
        }
    let now = Timestamp(milliseconds: 1_800_000_000_000)
    var record = MessageRecord(
        state: .dead,
        entry: Entry(
            id: MessageID(high: 0x0192_F000_0000_7000, low: 0x8000_0000_0000_0001), kindHash: 1,
            maxAttempts: 25, insertedAt: now, readyAt: now),
        kind: "fuzz", count: 1, reason: String(decoding: payload, as: UTF8.self),
        checkpoint: payload, body: body)
    record.executedAt = now
    record.finishedAt = now
    let isMeant = query.matches(record, in: "fuzz", now: now)
    for term in query.terms {
        let alone = Query(terms: [term])
        var other = term
        other.isNegated.toggle()
        let holds = alone.matches(record, in: "fuzz", now: now)
        precondition(holds != Query(terms: [other]).matches(record, in: "fuzz", now: now))
        precondition(!isMeant || holds, "a query is met while one of its terms is not")
    }
    return 0
}
