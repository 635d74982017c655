// SPDX-License-Identifier: Apache-2.0

/// Reads MessagePack values one after the other from bytes it does not own.
///
/// Nothing that stands in the bytes can trap it: every length is compared with the bytes that are
/// left before anything is read or reserved. A reader that threw is of no further use. Strings are
/// checked for UTF-8 when they are read, not when they are skipped. The pointer must outlive the
/// reader; `reading(_:_:)` sees to that for an array.
public struct MessagePackReader {
    /// Maps and arrays may stand inside each other this many levels deep, and no deeper.
    public static var depthLimit: Int { 64 }

    @usableFromInline let input: UnsafeRawBufferPointer
    /// Bytes read so far, which is where the next value begins.
    public internal(set) var offset: Int {
        @inlinable get { position }
        @inlinable set { position = newValue }
    }
    @usableFromInline var position: Int

    /// Reads from the start of `input`.
    @inlinable
    public init(_ input: UnsafeRawBufferPointer) {
        self.input = input
        self.position = 0
    }

    @inlinable
    init(_ input: UnsafeRawBufferPointer, at offset: Int) {
        self.input = input
        self.position = offset
    }

    /// Lends a reader over `bytes` to `body`.
    @inlinable
    public static func reading<R, E: Error>(
        _ bytes: [UInt8], _ body: (inout MessagePackReader) throws(E) -> R
    ) throws(E) -> R {
        try bytes.withUnsafeBufferPointer { buffer throws(E) in
            var reader = MessagePackReader(UnsafeRawBufferPointer(buffer))
            return try body(&reader)
        }
    }

    /// Lends a reader over `bytes` to `body`; offsets count from the start of the slice.
    @inlinable
    public static func reading<R, E: Error>(
        _ bytes: ArraySlice<UInt8>, _ body: (inout MessagePackReader) throws(E) -> R
    ) throws(E) -> R {
        try bytes.withUnsafeBufferPointer { buffer throws(E) in
            var reader = MessagePackReader(UnsafeRawBufferPointer(buffer))
            return try body(&reader)
        }
    }

    /// Bytes not read yet.
    @inlinable public var remaining: Int { input.count &- position }
    /// True when every byte was read.
    @inlinable public var isAtEnd: Bool { position >= input.count }

    /// Refuses bytes that follow the last value.
    @inlinable
    public func finish() throws(MessagePackError) {
        if !isAtEnd { throw .trailingBytes(.init(offset: position), count: remaining) }
    }

    /// Tells the kind of the next value and stays before it.
    @inlinable
    public func peek() throws(MessagePackError) -> MessagePackKind {
        MessagePackKind(firstByte: try peekByte())
    }

    /// Reads a nil, if that is what comes next.
    @inlinable
    public mutating func readNilIfPresent() throws(MessagePackError) -> Bool {
        guard try peekByte() == 0xc0 else { return false }
        position &+= 1
        return true
    }

    /// Reads a nil.
    @inlinable
    public mutating func readNil() throws(MessagePackError) {
        guard try readNilIfPresent() else { throw mismatch("nil") }
    }

    /// Reads true or false.
    @inlinable
    public mutating func readBool() throws(MessagePackError) -> Bool {
        switch try peekByte() {
        case 0xc2:
            position &+= 1
            return false
        case 0xc3:
            position &+= 1
            return true
        default: throw mismatch("a bool")
        }
    }

    /// Reads an integer of any width that fits in an `Int`.
    @inlinable
    public mutating func readInt() throws(MessagePackError) -> Int {
        let start = position
        let value = try readInt64()
        guard let value = Int(exactly: value) else {
            throw Self.outOfRange(start, String(value), "Int")
        }
        return value
    }

    /// Reads an integer of any width that fits in 64 bits with sign.
    @inlinable
    public mutating func readInt64() throws(MessagePackError) -> Int64 {
        let first = try peekByte()
        if first <= 0x7f || first >= 0xe0 {
            position &+= 1
            return Int64(Int8(bitPattern: first))
        }
        switch first {
        case 0xcc: return Int64(try load(UInt8.self))
        case 0xcd: return Int64(try load(UInt16.self))
        case 0xce: return Int64(try load(UInt32.self))
        case 0xcf:
            let start = position
            let value = try load(UInt64.self)
            guard let signed = Int64(exactly: value) else {
                throw Self.outOfRange(start, String(value), "Int64")
            }
            return signed
        case 0xd0: return Int64(try load(Int8.self))
        case 0xd1: return Int64(try load(Int16.self))
        case 0xd2: return Int64(try load(Int32.self))
        case 0xd3: return try load(Int64.self)
        default: throw mismatch("an integer")
        }
    }

    /// Reads an integer of any width that is not negative.
    @inlinable
    public mutating func readUInt() throws(MessagePackError) -> UInt64 {
        let first = try peekByte()
        if first == 0xcf { return try load(UInt64.self) }
        let start = position
        let value = try readInt64()
        guard value >= 0 else { throw Self.outOfRange(start, String(value), "UInt64") }
        return UInt64(bitPattern: value)
    }

    /// Reads a float64 or float32, or an integer that a `Double` holds exactly.
    ///
    /// Why integers: some languages write 1.0 as 1.
    @inlinable
    public mutating func readDouble() throws(MessagePackError) -> Double {
        let first = try peekByte()
        if first == 0xcb { return Double(bitPattern: try load(UInt64.self)) }
        if first == 0xca { return Double(Float(bitPattern: try load(UInt32.self))) }
        return try readIntegerAsDouble()
    }

    /// Reads a string and checks that it is UTF-8.
    @inlinable
    public mutating func readString() throws(MessagePackError) -> String {
        let start = position
        let text = try readStringBytes()
        if Self.isASCII(text) { return String(decoding: text, as: UTF8.self) }
        guard let string = String(validating: text, as: UTF8.self) else {
            throw Self.invalidText(start)
        }
        return string
    }

    /// Reads a string without copying or checking it; the bytes belong to the input.
    @inlinable
    public mutating func readStringBytes() throws(MessagePackError) -> UnsafeRawBufferPointer {
        let first = try peekByte()
        if first & 0xe0 == 0xa0 { return try take(Int(first & 0x1f), after: 1) }
        switch first {
        case 0xd9: return try take(sizedBy: UInt8.self)
        case 0xda: return try take(sizedBy: UInt16.self)
        case 0xdb: return try take(sizedBy: UInt32.self)
        default: throw mismatch("a string")
        }
    }

    /// Reads a bin value.
    @inlinable
    public mutating func readBinary() throws(MessagePackError) -> [UInt8] {
        [UInt8](try readBinaryBytes())
    }

    /// Reads a bin value without copying it; the bytes belong to the input.
    @inlinable
    public mutating func readBinaryBytes() throws(MessagePackError) -> UnsafeRawBufferPointer {
        switch try peekByte() {
        case 0xc4: return try take(sizedBy: UInt8.self)
        case 0xc5: return try take(sizedBy: UInt16.self)
        case 0xc6: return try take(sizedBy: UInt32.self)
        default: throw mismatch("binary")
        }
    }

    /// Opens an array and tells how many values follow, never more than bytes are left.
    @inlinable
    public mutating func readArrayHeader() throws(MessagePackError) -> Int {
        let first = try peekByte()
        if first & 0xf0 == 0x90 { return try open(Int(first & 0x0f), after: 1, each: 1) }
        switch first {
        case 0xdc: return try open(sizedBy: UInt16.self, each: 1)
        case 0xdd: return try open(sizedBy: UInt32.self, each: 1)
        default: throw mismatch("an array")
        }
    }

    /// Opens a map and tells how many entries follow, never more than bytes are left for.
    ///
    /// The caller meets the keys in the order of the bytes, and duplicates as they stand.
    @inlinable
    public mutating func readMapHeader() throws(MessagePackError) -> Int {
        let first = try peekByte()
        if first & 0xf0 == 0x80 { return try open(Int(first & 0x0f), after: 1, each: 2) }
        switch first {
        case 0xde: return try open(sizedBy: UInt16.self, each: 2)
        case 0xdf: return try open(sizedBy: UInt32.self, each: 2)
        default: throw mismatch("a map")
        }
    }

    /// Reads an extension value without copying it; the bytes belong to the input.
    public mutating func readExtensionBytes() throws(MessagePackError) -> (
        type: Int8, bytes: UnsafeRawBufferPointer
    ) {
        let first = try peekByte()
        let header: Int
        let length: Int
        switch first {
        case 0xd4...0xd8:
            header = 1
            length = 1 << Int(first & 0x0f &- 4)
        case 0xc7:
            header = 2
            length = try self.length(UInt8.self)
        case 0xc8:
            header = 3
            length = try self.length(UInt16.self)
        case 0xc9:
            header = 5
            length = try self.length(UInt32.self)
        default: throw mismatch("an extension")
        }
        guard remaining > header else { throw truncated(header &+ 1 &- remaining) }
        let type = Int8(bitPattern: input[position &+ header])
        return (type, try take(length, after: header &+ 1))
    }

    /// Reads an extension value of any type, the timestamp included.
    public mutating func readExtension() throws(MessagePackError) -> MessagePackExtension {
        let (type, bytes) = try readExtensionBytes()
        return MessagePackExtension(type: type, bytes: [UInt8](bytes))
    }

    /// Reads a timestamp extension in any of its three forms.
    public mutating func readTimestamp() throws(MessagePackError) -> MessagePackTimestamp {
        guard MessagePackKind(firstByte: try peekByte()) == .extension else {
            throw mismatch("a timestamp")
        }
        let start = position
        let (type, bytes) = try readExtensionBytes()
        guard type == -1 else {
            throw .mismatch(.init(offset: start), expected: "a timestamp", found: .extension)
        }
        return try Self.timestamp(bytes, at: start)
    }

    static func timestamp(
        _ bytes: UnsafeRawBufferPointer, at start: Int
    ) throws(MessagePackError) -> MessagePackTimestamp {
        let seconds: Int64
        let nanoseconds: UInt32
        switch bytes.count {
        case 4:
            seconds = Int64(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
            nanoseconds = 0
        case 8:
            let both = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
            seconds = Int64(both & (1 << 34 - 1))
            nanoseconds = UInt32(truncatingIfNeeded: both >> 34)
        case 12:
            nanoseconds = UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))
            let bits = bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self)
            seconds = Int64(bitPattern: UInt64(bigEndian: bits))
        default:
            throw .invalidTimestamp(.init(offset: start), reason: "\(bytes.count) bytes")
        }
        guard let moment = MessagePackTimestamp(seconds: seconds, nanoseconds: nanoseconds) else {
            throw .invalidTimestamp(.init(offset: start), reason: "\(nanoseconds) nanoseconds")
        }
        return moment
    }
}
