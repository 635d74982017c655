// SPDX-License-Identifier: Apache-2.0

/// Appends MessagePack values to a buffer of its own, each in its smallest form.
///
/// Headers are the caller's promise: after `writeArrayHeader(3)` three values must follow, after
/// `writeMapHeader(2)` two keys with a value each. Lengths stop at 2³² - 1, as in the format; more is
/// a programmer error. Nothing here throws and nothing is read back.
public struct MessagePackWriter: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    /// Bytes written so far.
    public internal(set) var count: Int {
        @inlinable get { used }
        @inlinable set { used = newValue }
    }
    @usableFromInline var used: Int
    /// False while `base` is memory lent by the caller of `init(lent:)`.
    @usableFromInline var isOwner: Bool

    /// Starts empty with room for `capacity` bytes; it grows by itself.
    public init(capacity: Int = 128) {
        let size = max(capacity, 16)
        self.base = .allocate(byteCount: size, alignment: 16)
        self.capacity = size
        self.used = 0
        self.isOwner = true
    }

    /// Starts in memory of the caller, which must outlive the writer; moves to its own when full.
    init(lent buffer: UnsafeMutableRawBufferPointer) {
        self.base = buffer.baseAddress ?? .allocate(byteCount: 16, alignment: 16)
        self.capacity = buffer.count
        self.used = 0
        self.isOwner = buffer.baseAddress == nil
    }

    /// Lets go of lent memory, and of what was written to it.
    mutating func returnLent() {
        guard !isOwner else { return }
        // With no capacity left `base` is never read or written again.
        capacity = 0
        used = 0
    }

    deinit { if isOwner { base.deallocate() } }

    /// The bytes written so far, as an array of their own.
    public var bytes: [UInt8] { [UInt8](UnsafeRawBufferPointer(start: base, count: used)) }

    /// Lends the bytes written so far; the pointer ends with `body`.
    @inlinable
    public func withUnsafeBytes<R, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: base, count: used))
    }

    /// Forgets what was written and keeps the memory.
    public mutating func removeAll() { used = 0 }

    /// Writes nil.
    @inlinable public mutating func writeNil() { putByte(0xc0) }

    /// Writes true or false.
    @inlinable public mutating func writeBool(_ value: Bool) { putByte(value ? 0xc3 : 0xc2) }

    /// Writes a signed integer in 1 to 9 bytes.
    @inlinable
    public mutating func writeInt(_ value: Int64) {
        if value >= -32 && value <= 127 {
            putByte(UInt8(truncatingIfNeeded: value))
        } else if value >= 0 {
            writeUInt(UInt64(bitPattern: value))
        } else if value >= Int64(Int8.min) {
            put(0xd0, UInt8(truncatingIfNeeded: value))
        } else if value >= Int64(Int16.min) {
            put(0xd1, UInt16(truncatingIfNeeded: value))
        } else if value >= Int64(Int32.min) {
            put(0xd2, UInt32(truncatingIfNeeded: value))
        } else {
            put(0xd3, UInt64(bitPattern: value))
        }
    }

    /// Writes a signed integer in 1 to 9 bytes.
    @inlinable public mutating func writeInt(_ value: Int) { writeInt(Int64(value)) }

    /// Writes an unsigned integer in 1 to 9 bytes.
    @inlinable
    public mutating func writeUInt(_ value: UInt64) {
        if value <= 0x7f {
            putByte(UInt8(truncatingIfNeeded: value))
        } else if value <= 0xff {
            put(0xcc, UInt8(truncatingIfNeeded: value))
        } else if value <= 0xffff {
            put(0xcd, UInt16(truncatingIfNeeded: value))
        } else if value <= 0xffff_ffff {
            put(0xce, UInt32(truncatingIfNeeded: value))
        } else {
            put(0xcf, value)
        }
    }

    /// Writes a float32, 5 bytes.
    @inlinable public mutating func writeFloat(_ value: Float) { put(0xca, value.bitPattern) }

    /// Writes a float64, 9 bytes, also where a float32 would hold the number.
    @inlinable public mutating func writeDouble(_ value: Double) { put(0xcb, value.bitPattern) }

    /// Writes a string as UTF-8, after 1 to 5 bytes of length.
    @inlinable
    public mutating func writeString(_ value: String) {
        var value = value
        // withUTF8 is a plain view of every native string; only a bridged one is copied first.
        value.withUTF8 { text in
            let length = text.count
            if length <= 31 {
                reserve(length &+ 1)
                base.storeBytes(
                    of: 0xa0 | UInt8(truncatingIfNeeded: length), toByteOffset: used,
                    as: UInt8.self)
                used &+= 1
            } else {
                writeLongStringHeader(length)
            }
            append(UnsafeRawBufferPointer(text))
        }
    }

    /// Writes bytes as bin, after 2 to 5 bytes of length.
    @inlinable
    public mutating func writeBinary(_ value: UnsafeRawBufferPointer) {
        writeBinaryHeader(value.count)
        append(value)
    }

    /// Writes bytes as bin, after 2 to 5 bytes of length.
    @inlinable
    public mutating func writeBinary(_ value: [UInt8]) {
        value.withUnsafeBytes { writeBinary($0) }
    }

    /// Opens an array of `count` values, which follow.
    @inlinable
    public mutating func writeArrayHeader(_ count: Int) {
        if count <= 15 {
            putByte(0x90 | UInt8(truncatingIfNeeded: count))
        } else if count <= 0xffff {
            put(0xdc, UInt16(truncatingIfNeeded: count))
        } else {
            put(0xdd, checkedLength(count))
        }
    }

    /// Opens a map of `count` entries, which follow as key, value, key, value.
    @inlinable
    public mutating func writeMapHeader(_ count: Int) {
        if count <= 15 {
            putByte(0x80 | UInt8(truncatingIfNeeded: count))
        } else if count <= 0xffff {
            put(0xde, UInt16(truncatingIfNeeded: count))
        } else {
            put(0xdf, checkedLength(count))
        }
    }

    /// Writes an extension value.
    public mutating func writeExtension(_ value: MessagePackExtension) {
        let type = UInt8(bitPattern: value.type)
        let length = value.bytes.count
        switch length {
        case 1: put(0xd4, type)
        case 2: put(0xd5, type)
        case 4: put(0xd6, type)
        case 8: put(0xd7, type)
        case 16: put(0xd8, type)
        case 0...0xff:
            put(0xc7, UInt8(truncatingIfNeeded: length))
            putByte(type)
        case 0...0xffff:
            put(0xc8, UInt16(truncatingIfNeeded: length))
            putByte(type)
        default:
            put(0xc9, checkedLength(length))
            putByte(type)
        }
        value.bytes.withUnsafeBytes { append($0) }
    }

    /// Writes a moment as the timestamp extension, in 6, 10 or 15 bytes.
    public mutating func writeTimestamp(_ value: MessagePackTimestamp) {
        let nanoseconds = UInt64(value.nanoseconds)
        if value.seconds >> 34 == 0 {
            let seconds = UInt64(bitPattern: value.seconds)
            if nanoseconds == 0 && seconds <= 0xffff_ffff {
                put(0xd6, 0xff as UInt8)
                putNumber(UInt32(truncatingIfNeeded: seconds))
            } else {
                put(0xd7, 0xff as UInt8)
                putNumber(nanoseconds << 34 | seconds)
            }
        } else {
            put(0xc7, 12 as UInt8)
            put(0xff, value.nanoseconds)
            putNumber(UInt64(bitPattern: value.seconds))
        }
    }

    /// Appends bytes that are MessagePack already, unchecked and unchanged.
    @inlinable
    public mutating func append(_ encoded: UnsafeRawBufferPointer) {
        reserve(encoded.count)
        if let source = encoded.baseAddress {
            (base + used).copyMemory(from: source, byteCount: encoded.count)
        }
        used &+= encoded.count
    }

    /// Appends bytes that are MessagePack already, unchecked and unchanged.
    @inlinable
    public mutating func append(_ encoded: [UInt8]) { encoded.withUnsafeBytes { append($0) } }
}

extension MessagePackWriter {
    @inlinable
    mutating func putByte(_ byte: UInt8) {
        reserve(1)
        base.storeBytes(of: byte, toByteOffset: used, as: UInt8.self)
        used &+= 1
    }

    @inlinable
    mutating func putNumber<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        let size = MemoryLayout<T>.size
        reserve(size)
        base.storeBytes(of: value.bigEndian, toByteOffset: used, as: T.self)
        used &+= size
    }

    @inlinable
    mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ first: UInt8, _ value: T) {
        let size = MemoryLayout<T>.size
        reserve(size &+ 1)
        base.storeBytes(of: first, toByteOffset: used, as: UInt8.self)
        base.storeBytes(of: value.bigEndian, toByteOffset: used &+ 1, as: T.self)
        used &+= size &+ 1
    }

    @usableFromInline
    mutating func writeLongStringHeader(_ length: Int) {
        if length <= 0xff {
            put(0xd9, UInt8(truncatingIfNeeded: length))
        } else if length <= 0xffff {
            put(0xda, UInt16(truncatingIfNeeded: length))
        } else {
            put(0xdb, checkedLength(length))
        }
    }

    @usableFromInline
    mutating func writeBinaryHeader(_ length: Int) {
        if length <= 0xff {
            put(0xc4, UInt8(truncatingIfNeeded: length))
        } else if length <= 0xffff {
            put(0xc5, UInt16(truncatingIfNeeded: length))
        } else {
            put(0xc6, checkedLength(length))
        }
    }

    @usableFromInline
    func checkedLength(_ length: Int) -> UInt32 {
        precondition(length <= UInt32.max, "a MessagePack length stops at 2^32 - 1")
        return UInt32(truncatingIfNeeded: length)
    }

    @inlinable
    mutating func reserve(_ more: Int) {
        if capacity &- used < more { grow(more) }
    }

    @usableFromInline @inline(never)
    mutating func grow(_ more: Int) {
        let size = max(capacity * 2, used + more, 256)
        let fresh = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        fresh.copyMemory(from: base, byteCount: used)
        if isOwner { base.deallocate() }
        base = fresh
        capacity = size
        isOwner = true
    }

    /// Widens the one-byte header at `offset` to the form that `count` entries need.
    mutating func closeHeader(at offset: Int, isMap: Bool, count: Int) {
        if count <= 15 {
            let first: UInt8 = isMap ? 0x80 : 0x90
            base.storeBytes(
                of: first | UInt8(truncatingIfNeeded: count), toByteOffset: offset, as: UInt8.self)
            return
        }
        let wide = count > 0xffff
        let shift = wide ? 4 : 2
        reserve(shift)
        let body = base + (offset + 1)
        (body + shift).copyMemory(from: body, byteCount: used - offset - 1)
        used += shift
        let first: UInt8 = (isMap ? 0xde : 0xdc) + (wide ? 1 : 0)
        base.storeBytes(of: first, toByteOffset: offset, as: UInt8.self)
        if wide {
            body.storeBytes(of: checkedLength(count).bigEndian, as: UInt32.self)
        } else {
            body.storeBytes(of: UInt16(truncatingIfNeeded: count).bigEndian, as: UInt16.self)
        }
    }
}
