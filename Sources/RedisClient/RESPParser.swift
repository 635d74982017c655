// SPDX-License-Identifier: Apache-2.0

/// Reads replies out of bytes that arrive in pieces of any size.
///
/// Feed a chunk, then ask `next()` until it says nil. The work is linear in the bytes however they
/// are cut: a byte is copied once (amortised), looked at once, and never looked at again because
/// more has come. Nothing is reserved for what a length announces, only for what has arrived.
/// Knows no I/O: the same value runs under the connection, in tests and in the fuzzer.
public struct RESPParser: Sendable {
    /// What a peer may make us hold, checked before anything is kept.
    public struct Limits: Sendable {
        /// Aggregates inside one another.
        public var depth = 32
        /// Bytes of a line: a simple string, an error, a number.
        public var line = 64 << 10
        /// Bytes of one string with a length.
        public var bulk = 64 << 20
        /// Bytes of a reply that is not whole yet, headers included.
        public var reply = 256 << 20
        /// Values in one reply, attributes and aggregates included.
        public var values = 1 << 21

        /// Depth 32, lines of 64 KiB, strings of 64 MiB, replies of 256 MiB, two million values.
        public init() {}
    }

    /// A value already read, as offsets from `base`: slices come only when the reply is complete,
    /// because a slice taken earlier would turn every later append into a copy of the whole.
    struct Node {
        var kind: Kind
        var start: Int  // offset · integer, bits of a double, boolean · count of an aggregate
        var end: Int
    }

    enum Kind: UInt8 {
        case null, simple, error, integer, bulk, bigNumber, verbatim, double, bool
        case array, map, set, push
    }

    private struct Frame {
        var left: Int
        var attributeAt: Int  // where its nodes begin; -1 for anything but an attribute
    }

    /// Bytes copied and looked at, and values kept, so far: what the tests hold to be linear.
    package private(set) var work = 0

    private let limits: Limits
    private(set) var buffer: [UInt8] = []
    private(set) var base = 0  // the reply being read begins here
    private var position = 0  // read so far
    private var scanned = 0  // no CR between position and here
    /// Its header is read, its bytes are not all here.
    private var string: (kind: Kind, length: Int)?
    private(set) var nodes: [Node] = []
    private var stack: [Frame] = []
    private var values = 0
    private var failure: RESPError?

    /// Makes a parser at the beginning of a stream.
    public init(limits: Limits = Limits()) { self.limits = limits }

    /// Takes over the next bytes of the stream.
    public mutating func feed(_ chunk: UnsafeRawBufferPointer) {
        if base > 0 {
            // Replies hold slices of the old buffer. What is left of it is at most the last chunk.
            let left = buffer.count - base
            var fresh: [UInt8] = []
            fresh.reserveCapacity(left + chunk.count)
            if left > 0 { fresh.append(contentsOf: buffer[base...]) }
            buffer = fresh
            position -= base
            scanned -= base
            base = 0
            work += left
        }
        buffer.append(contentsOf: chunk)
        work += chunk.count
    }

    /// Takes over the next bytes of the stream.
    public mutating func feed(_ chunk: [UInt8]) { chunk.withUnsafeBytes { feed($0) } }

    /// Bytes that are waiting for the rest of their reply.
    public var waiting: Int { buffer.count - base }

    /// The next complete reply, or nil when more bytes are needed; an error stays an error.
    public mutating func next() throws(RESPError) -> RESPValue? {
        if let failure { throw failure }
        do throws(RESPError) {
            guard try read() else {
                guard waiting <= limits.reply else { throw .tooLarge(limit: limits.reply) }
                return nil
            }
        } catch {
            failure = error
            throw error
        }
        let value = build()
        base = position
        values = 0
        if nodes.capacity > 1 << 14 { nodes = [] } else { nodes.removeAll(keepingCapacity: true) }
        return value
    }

    /// Reads values into `nodes` until a whole reply is there.
    private mutating func read() throws(RESPError) -> Bool {
        let bytes = buffer  // Why: a local, so that the span and changes of self may overlap.
        let span = bytes.span
        let end = span.count
        while true {
            if let (kind, length) = string {
                guard end - position >= length + 2 else { return false }
                let stop = position + length
                guard span[stop] == 13, span[stop + 1] == 10,
                    kind != .verbatim || (length >= 4 && span[position + 3] == 58)
                else { throw .badEnd }
                string = nil
                nodes.append(Node(kind: kind, start: position - base, end: stop - base))
                position = stop + 2
                scanned = position
                if complete() { return true }
                continue
            }
            var at = max(scanned, position)
            while at < end, span[at] != 13 { at += 1 }
            work += at - max(scanned, position)
            scanned = at
            guard at - position <= limits.line else { throw .tooLong(limit: limits.line) }
            guard at + 1 < end else { return false }
            guard span[at + 1] == 10 else { throw .badEnd }
            guard at > position else { throw .unknownType(13) }
            let type = span[position]
            let line = position + 1
            position = at + 2
            scanned = position
            values += 1
            work += 1
            guard values <= limits.values else { throw .tooMany(limit: limits.values) }
            switch type {
            case 0x24: if try header(.bulk, span, line, at) { return true }  // $
            case 0x21: if try header(.error, span, line, at) { return true }  // !
            case 0x3D: if try header(.verbatim, span, line, at) { return true }  // =
            case 0x2A: if try open(.array, 1, span, line, at) { return true }  // *
            case 0x25: if try open(.map, 2, span, line, at) { return true }  // %
            case 0x7E: if try open(.set, 1, span, line, at) { return true }  // ~
            case 0x3E: if try open(.push, 1, span, line, at) { return true }  // >
            case 0x7C: try attribute(span, line, at)  // |
            default:
                nodes.append(try scalar(type, span, line, at))
                if complete() { return true }
            }
        }
    }

    /// A value has ended: true when it was the reply itself.
    private mutating func complete() -> Bool {
        while let top = stack.last {
            if top.left > 1 {
                stack[stack.count - 1].left = top.left - 1
                return false
            }
            stack.removeLast()
            if top.attributeAt >= 0 {  // what it describes comes next, in its place
                nodes.removeLast(nodes.count - top.attributeAt)
                return false
            }
        }
        return true
    }

    private mutating func header(
        _ kind: Kind, _ span: Span<UInt8>, _ start: Int, _ end: Int
    ) throws(RESPError) -> Bool {
        guard let length = try Self.length(span, start, end, null: kind == .bulk) else {
            nodes.append(Node(kind: .null, start: 0, end: 0))
            return complete()
        }
        guard length <= limits.bulk else { throw .tooLong(limit: limits.bulk) }
        string = (kind, length)
        return false
    }

    private mutating func open(
        _ kind: Kind, _ each: Int, _ span: Span<UInt8>, _ start: Int, _ end: Int
    ) throws(RESPError) -> Bool {
        guard let count = try Self.length(span, start, end, null: kind == .array) else {
            nodes.append(Node(kind: .null, start: 0, end: 0))
            return complete()
        }
        try check(count)
        nodes.append(Node(kind: kind, start: count * each, end: 0))
        if count == 0 { return complete() }
        stack.append(Frame(left: count * each, attributeAt: -1))
        return false
    }

    private mutating func attribute(
        _ span: Span<UInt8>, _ start: Int, _ end: Int
    ) throws(RESPError) {
        guard let count = try Self.length(span, start, end, null: false) else { throw .badLength }
        try check(count)
        if count > 0 { stack.append(Frame(left: count * 2, attributeAt: nodes.count)) }
    }

    private func check(_ count: Int) throws(RESPError) {
        guard count <= limits.values else { throw .tooMany(limit: limits.values) }
        guard stack.count < limits.depth else { throw .tooDeep(limit: limits.depth) }
    }
}
