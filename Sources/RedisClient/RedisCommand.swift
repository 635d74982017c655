// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// One command as the bytes that go on the wire.
///
/// Arguments are written where they will be sent from: no allocation per argument, and no copy when
/// the command is long. Appending any bytes is safe; they cannot break out of their argument.
public struct RedisCommand: Sendable {
    /// The script this command runs, so that NOSCRIPT can be answered with its source.
    let script: RedisScript?
    /// The arguments as written so far; the count goes before them on the wire.
    private(set) var body: ByteBuffer
    private(set) var arguments = 0
    private var tail = 0  // what follows EVALSHA and the digest

    /// Begins a command of one word, such as `SET`; `capacity` is a guess at its bytes.
    public init(_ name: String, capacity: Int = 128) {
        self.init(script: nil, capacity: capacity)
        append(name)
    }

    /// Begins a command from its words.
    public init(_ words: [String]) {
        self.init(script: nil, capacity: 128)
        for word in words { append(word) }
    }

    /// Begins an EVALSHA of `script`: append `keys` keys, then its arguments.
    ///
    /// Where the server has forgotten the script, the connection sends it again as EVAL.
    public init(_ script: RedisScript, keys: Int, capacity: Int = 1024) {
        self.init(script: script, capacity: capacity)
        append("EVALSHA")
        append(script.sha)
        tail = body.writerIndex
        append(keys)
    }

    private init(script: RedisScript?, capacity: Int) {
        self.script = script
        body = ByteBufferAllocator().buffer(capacity: capacity)
    }

    /// Appends an argument.
    public mutating func append(_ argument: String) {
        var argument = argument
        argument.withUTF8 { append(bytes: UnsafeRawBufferPointer($0)) }
    }

    /// Appends an argument.
    public mutating func append(_ argument: [UInt8]) {
        argument.withUnsafeBytes { append(bytes: $0) }
    }

    /// Appends an argument.
    public mutating func append(_ argument: ArraySlice<UInt8>) {
        argument.withUnsafeBytes { append(bytes: $0) }
    }

    /// Appends a number as decimal text.
    public mutating func append(_ argument: Int) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var at = 20
            var rest = argument.magnitude
            repeat {
                at -= 1
                digits[at] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if argument < 0 {
                at -= 1
                digits[at] = 0x2D
            }
            append(bytes: UnsafeRawBufferPointer(rebasing: digits[at...]))
        }
    }

    /// Appends each as an argument of its own.
    public mutating func append(contentsOf arguments: some Sequence<[UInt8]>) {
        for argument in arguments { append(argument) }
    }

    /// Appends each as an argument of its own.
    public mutating func append(contentsOf arguments: some Sequence<String>) {
        for argument in arguments { append(argument) }
    }

    /// Appends an argument.
    public mutating func append(bytes: UnsafeRawBufferPointer) {
        append(count: bytes.count) { target in
            // copyMemory refuses a nil source, which an empty argument may have.
            if !bytes.isEmpty { target.copyMemory(from: bytes) }
        }
    }

    /// Appends an argument of exactly `count` bytes, which `fill` writes in place.
    ///
    /// Where `fill` leaves bytes unwritten they are whatever was there before.
    public mutating func append(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        arguments += 1
        body.writeWithUnsafeMutableBytes(minimumWritableBytes: count + 24) { target in
            var at = Self.number(count, after: 0x24, into: target)
            fill(UnsafeMutableRawBufferPointer(rebasing: target[at..<at + count]))
            at += count
            target[at] = 13
            target[at + 1] = 10
            return at + 2
        }
    }

    /// Appends the count of arguments, which the wire wants before them.
    func writeHeader(into buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 24) {
            Self.number(arguments, after: 0x2A, into: $0)
        }
    }

    /// The same call as EVAL with its source, or nil when this runs no script.
    var asEval: RedisCommand? {
        guard let script else { return nil }
        var command = RedisCommand(
            script: nil, capacity: script.source.utf8.count + body.writerIndex - tail + 64)
        command.append("EVAL")
        command.append(script.source)
        command.arguments = arguments
        if let rest = body.getSlice(at: tail, length: body.writerIndex - tail) {
            command.body.writeImmutableBuffer(rest)
        }
        return command
    }

    /// Writes a type byte, a number and CR LF; returns how many bytes that took, at most 23.
    private static func number(
        _ value: Int, after type: UInt8, into target: UnsafeMutableRawBufferPointer
    ) -> Int {
        var digits = 1
        var limit = 10
        while digits < 19, value >= limit {
            digits += 1
            limit &*= 10
        }
        target[0] = type
        var rest = value
        for at in stride(from: digits, to: 0, by: -1) {
            target[at] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        target[digits + 1] = 13
        target[digits + 2] = 10
        return digits + 3
    }
}
