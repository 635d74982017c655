// SPDX-License-Identifier: Apache-2.0

/// The bounds checks: everything that moves `position` past more than one byte goes through here.
extension MessagePackReader {
    @inlinable @inline(__always)
    func peekByte() throws(MessagePackError) -> UInt8 {
        guard position < input.count else { throw truncated(1) }
        return input[position]
    }

    /// Reads a fixed-width number that follows its first byte.
    @inlinable @inline(__always)
    mutating func load<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type
    ) throws(MessagePackError) -> T {
        let value = try following(type)
        position &+= 1 &+ MemoryLayout<T>.size
        return value
    }

    /// The number behind the first byte, without moving.
    @inlinable @inline(__always)
    func following<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type
    ) throws(MessagePackError) -> T {
        let size = MemoryLayout<T>.size
        guard remaining > size else { throw truncated(size &+ 1 &- remaining) }
        return T(bigEndian: input.loadUnaligned(fromByteOffset: position &+ 1, as: T.self))
    }

    /// The length behind the first byte, without moving.
    @inlinable @inline(__always)
    func length<T: FixedWidthInteger & BitwiseCopyable & UnsignedInteger>(
        _ type: T.Type
    ) throws(MessagePackError) -> Int {
        let length = try following(type)
        // On 64 bits every length fits; on 32 bits one that does not is beyond any input.
        guard let length = Int(exactly: length) else { throw truncated(Int.max) }
        return length
    }

    @inlinable @inline(__always)
    mutating func take(_ length: Int, after header: Int) throws(MessagePackError)
        -> UnsafeRawBufferPointer
    {
        let left = remaining &- header
        guard length <= left else { throw truncated(length &- left) }
        let start = position &+ header
        position = start &+ length
        return UnsafeRawBufferPointer(rebasing: input[start..<position])
    }

    @inlinable @inline(__always)
    mutating func take<T: FixedWidthInteger & BitwiseCopyable & UnsignedInteger>(
        sizedBy type: T.Type
    ) throws(MessagePackError) -> UnsafeRawBufferPointer {
        try take(try self.length(type), after: 1 &+ MemoryLayout<T>.size)
    }

    /// Every value takes a byte or more, so a count beyond the bytes left is a lie.
    @inlinable @inline(__always)
    mutating func open(_ count: Int, after header: Int, each size: Int) throws(MessagePackError)
        -> Int
    {
        let left = remaining &- header
        guard count <= left / size else {
            let (need, overflow) = count.multipliedReportingOverflow(by: size)
            throw truncated(overflow ? Int.max : need &- left)
        }
        position &+= header
        return count
    }

    @inlinable @inline(__always)
    mutating func open<T: FixedWidthInteger & BitwiseCopyable & UnsignedInteger>(
        sizedBy type: T.Type, each size: Int
    ) throws(MessagePackError) -> Int {
        try open(try self.length(type), after: 1 &+ MemoryLayout<T>.size, each: size)
    }

    /// Looks at eight bytes at a time.
    @inlinable
    static func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        var high: UInt64 = 0
        while index &+ 8 <= bytes.count {
            high |= bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        while index < bytes.count {
            high |= UInt64(bytes[index])
            index &+= 1
        }
        return high & 0x8080_8080_8080_8080 == 0
    }

    @usableFromInline
    mutating func readIntegerAsDouble() throws(MessagePackError) -> Double {
        let start = position
        guard MessagePackKind(firstByte: try peekByte()) == .integer else {
            throw mismatch("a number")
        }
        if input[position] == 0xcf {
            let value = try load(UInt64.self)
            guard let double = Double(exactly: value) else {
                throw Self.outOfRange(start, String(value), "Double")
            }
            return double
        }
        let value = try readInt64()
        guard let double = Double(exactly: value) else {
            throw Self.outOfRange(start, String(value), "Double")
        }
        return double
    }

    @usableFromInline @inline(never)
    func truncated(_ missing: Int) -> MessagePackError {
        .truncated(.init(offset: position), missing: missing)
    }

    @usableFromInline @inline(never)
    func mismatch(_ expected: String) -> MessagePackError {
        let place = MessagePackError.Place(offset: position)
        guard position < input.count else { return .truncated(place, missing: 1) }
        switch MessagePackKind(firstByte: input[position]) {
        case .null: return .missingValue(place, expected: expected)
        case .reserved: return .reservedByte(place)
        case let found: return .mismatch(place, expected: expected, found: found)
        }
    }

    @usableFromInline @inline(never)
    static func outOfRange(_ start: Int, _ value: String, _ type: String) -> MessagePackError {
        .outOfRange(.init(offset: start), value: value, type: type)
    }

    @usableFromInline @inline(never)
    static func invalidText(_ start: Int) -> MessagePackError {
        .invalidText(.init(offset: start))
    }
}
