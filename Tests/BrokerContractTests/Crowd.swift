// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// Messages of all kinds in all states, and queries that mean some of them.
struct Crowd {
    static let hostile = [
        "'", "\"", "\\", "%", "_", "a%", "*", "a*", "?", "[a-z]", ";", "--", "\u{0}", "a\u{0}b",
        "' OR 1=1 --", "'; DROP TABLE message; --", "\"; redis.call('FLUSHALL') --", "{tag}",
        "\r\nFLUSHALL\r\n",
        "é", "e\u{301}", "😀", "\u{202E}", " ", "a b", "a,b", "NULL", "..", "/",
        "{godwit:q:work:0}:le",
    ]
    static let queues: [QueueName] = ["work", "work:2", "other"]
    static let kinds: [Kind] = ["mail", "mail.send", "a_b", "axb"]

    var random: Xoshiro
    private var ids: [MessageID] = []

    init(seed: UInt64) { random = Xoshiro(seed: seed) }

    mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

    mutating func pick<T>(_ all: [T]) -> T { all[Int.random(in: 0..<all.count, using: &random)] }

    mutating func fill(_ broker: any Broker, _ clock: VirtualClock) async throws {
        var number = 0
        for _ in 0..<8 {
            for queue in Self.queues {
                var messages: [NewMessage] = []
                for _ in 0..<8 {
                    number += 1
                    let message = message(number, at: clock.now())
                    ids.append(message.id)
                    messages.append(message)
                }
                _ = try await broker.enqueue(messages, to: queue)
                for taken in try await broker.reserve(
                    Int.random(in: 0...7, using: &random), lease: .seconds(600), suspects: true,
                    worker: 3, from: queue)
                {
                    clock.advance(by: .milliseconds(Int.random(in: 0...2000, using: &random)))
                    try await settle(taken, broker, queue)
                }
                if chance(2), let id = ids.randomElement(using: &random) {
                    _ = try await broker.operator.cancel([id], in: queue)
                }
            }
            clock.advance(by: .seconds(20))
        }
    }

    private mutating func settle(
        _ taken: LeasedMessage, _ broker: any Broker, _ queue: QueueName
    ) async throws {
        let reason = pick(Self.hostile + ["timed out after 30 s", "Timed Out", "refused"])
        switch Int.random(in: 0..<8, using: &random) {
        case 0, 1: try await broker.settle(taken, .ack, in: queue)
        case 2, 3: try await broker.settle(taken, .reject(reason), in: queue)
        case 4:
            try await broker.settle(taken, .retry(after: .seconds(100), reason: reason), in: queue)
        case 5: try await broker.settle(taken, .release, in: queue)
        case 6:
            try await broker.settle(
                taken, .forward(to: queue == "other" ? "work" : "other"), in: queue)
        default:
            _ = try await broker.checkpoint(
                [Checkpoint(taken.token, [UInt8]("{\"fraction\": 0.5}".utf8))], in: queue)
        }
    }

    private mutating func message(_ number: Int, at time: Timestamp) -> NewMessage {
        let kind = pick(Self.kinds)
        var headers: [String: String] = [:]
        if chance(2) { headers[HeaderName.key] = pick(Self.hostile) }
        if chance(2) { headers[HeaderName.tags] = pick(["eu", "eu,us", "beta"]) }
        let text =
            "{\"n\": \(number), \"user\": {\"id\": \(number % 5)}, \"big\": 90071992547409\(90 + number % 10)}"
        return NewMessage(
            id: Sample.id(number, at: time), kind: kind, priority: pick([0, 3, 5]),
            uniqueKey: chance(3) ? pick(Self.hostile) + "\(number)" : nil,
            due: chance(5) ? .after(.seconds(Int.random(in: 1...500, using: &random))) : .now,
            body: chance(9)
                ? Sample.body(number)
                : Envelope.body(
                    kind: kind, contentType: .json, headers: headers, payload: [UInt8](text.utf8)))
    }

    /// Every message there is, with its body.
    func all(_ broker: any Broker) async throws -> [FoundMessage] {
        var all: [FoundMessage] = []
        for queue in try await broker.inspector.queues() {
            for id in ids {
                if let record = try await broker.inspector.message(id, in: queue) {
                    all.append(FoundMessage(queue: queue, record: record))
                }
            }
        }
        return all
    }

    mutating func budget() -> SearchBudget {
        SearchBudget(
            messages: pick([1, 2, 7, 1000]), records: pick([1, 3, 20, 10_000]),
            time: chance(5) ? .zero : SearchBudget.maxTime)
    }

    /// One to three terms, mostly about what is there.
    mutating func query(of all: [FoundMessage]) -> String {
        (0..<pick([0, 1, 1, 2, 2, 3])).map { _ in term(pick(all)) }.joined(separator: " ")
    }

    private mutating func term(_ message: FoundMessage) -> String {
        func one(_ field: QueryField, _ text: String) -> String {
            Query(terms: [.init(.text(field, [.exact(text)]))]).description
        }
        let record = message.record
        let seconds = (record.finishedAt ?? record.entry.insertedAt).milliseconds
        let moment = Timestamp(milliseconds: seconds).shortISO8601 ?? ""
        let terms = [
            "state:\(record.state)", "state:dead,ready", "-state:completed", "state:c*",
            one(.queue, message.queue.text), "queue:work*", "-queue:other",
            "kind:\(record.kind ?? "x")", "kind:mail*", "kind:mail,a_b", "-kind:axb",
            "id:\(record.id)", "id:\(pick(all(of: message)))",
            one(.unique, record.uniqueKey ?? "x"),
            "has:unique", "worker:3", one(.key, pick(Self.hostile)), "tag:eu", "-tag:us",
            "error:\"timed out\"", "-has:error", "fingerprint:*", "timed",
            "args.user.id:\(record.entry.id.number % 5)", "args.n>\(record.entry.id.number)",
            "args.big:9007199254740993", "has:args.n", "attempt>0", "attempt:0", "count:1..2",
            "lost:0", "size<60", "progress:0.5", "age>60s", "age<=100s", "wait>1s", "run<=1s",
            "inserted>=\(moment)", "inserted<-60s", "due>+50s", "due:+0s..+90s", "executed>-100s",
            "finished>=\(moment)", "finished<\(moment)", "finished:-60s..\(moment)",
            "-finished>=\(moment)",
        ]
        let term = pick(terms)
        if !chance(4) { return term }
        return term.hasPrefix("-") ? String(term.dropFirst()) : "-" + term
    }

    private func all(of message: FoundMessage) -> [String] {
        ids.map(\.description) + ["\(message.record.id),\(ids[0])"]
    }
}
