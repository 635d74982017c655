// SPDX-License-Identifier: Apache-2.0

/// libFuzzer's door: any bytes, read whole and read in pieces, must give the same values or the
/// same error, never trap, and never take more than linear work.
///
/// The first byte says where to cut; the rest is the stream. See run.sh.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRESP(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 1 else { return 0 }
    let stream = UnsafeRawBufferPointer(start: data + 1, count: size - 1)
    let piece = Int(data[0]) % 16 + 1

    var whole = RESPParser()
    whole.feed(stream)
    var values: [RESPValue] = []
    let error = drain(&whole, into: &values)

    var cut = RESPParser()
    var seen = 0
    var cutError: RESPError?
    var at = 0
    while at < stream.count, cutError == nil {
        let end = min(at + piece, stream.count)
        cut.feed(UnsafeRawBufferPointer(rebasing: stream[at..<end]))
        at = end
        var more: [RESPValue] = []
        cutError = drain(&cut, into: &more)
        for value in more {
            precondition(seen < values.count, "a stream in pieces gave a value too many")
            precondition(value == values[seen], "a stream in pieces gave another value")
            seen += 1
        }
    }
    precondition(seen == values.count, "a stream in pieces gave a value too few")
    precondition(cutError == error, "a stream in pieces gave another error")
    precondition(cut.work <= 4 * size + 64, "the work is not linear")
    return 0
}

private func drain(_ parser: inout RESPParser, into values: inout [RESPValue]) -> RESPError? {
    do throws(RESPError) {
        while let value = try parser.next() { values.append(value) }
        return nil
    } catch {
        return error
    }
}
