// SPDX-License-Identifier: Apache-2.0

/// Why packed bytes cannot be read. The bytes are kept by the caller (I11).
package enum PackedError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Written by a newer build; upgrade this one.
    case version(UInt8)
    case truncated(at: Int)
    case malformed(at: Int)

    package var description: String {
        switch self {
        case .version(let number):
            "packed format version \(number) is unknown here; was it written by a newer build?"
        case .truncated(let at): "packed bytes end at \(at), in the middle of a value"
        case .malformed(let at): "packed bytes make no sense at \(at)"
        }
    }
}

/// Writes numbers and texts one after the other: varints as LEB128, doubles in eight bytes, little
/// end first, so that nothing is lost and equal values have equal bytes.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func count(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func integer(_ value: Int) {
        count(UInt64(bitPattern: Int64(value) << 1 ^ Int64(value) >> 63))
    }

    mutating func fixed(_ value: UInt64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func double(_ value: Double) { fixed(value.bitPattern) }

    mutating func text(_ value: String) {
        count(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    /// nil as 0, "" as 1.
    mutating func optional(_ value: String?) {
        guard let value else { return count(0) }
        count(UInt64(value.utf8.count) + 1)
        bytes.append(contentsOf: value.utf8)
    }
}

/// Reads what `ByteWriter` wrote; every step is bounds-checked.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var at = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func byte() throws(PackedError) -> UInt8 {
        guard at < bytes.count else { throw .truncated(at: at) }
        defer { at += 1 }
        return bytes[at]
    }

    mutating func count() throws(PackedError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 || next < 2 else { throw .malformed(at: at) }
            value |= UInt64(next & 0x7F) << shift
            if next < 0x80 { return value }
            shift += 7
        }
    }

    /// A count of things that follow, each of at least one byte.
    mutating func length(limit: Int) throws(PackedError) -> Int {
        let value = try count()
        guard value <= UInt64(limit) else { throw .malformed(at: at) }
        guard value <= UInt64(bytes.count - at) else { throw .truncated(at: at) }
        return Int(value)
    }

    mutating func integer() throws(PackedError) -> Int {
        let raw = try count()
        return Int(Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1))
    }

    mutating func fixed() throws(PackedError) -> UInt64 {
        guard at + 8 <= bytes.count else { throw .truncated(at: at) }
        defer { at += 8 }
        return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    /// A finite number: the models make no other, and one would spoil all that is computed from it.
    mutating func double() throws(PackedError) -> Double {
        let value = Double(bitPattern: try fixed())
        guard value.isFinite else { throw .malformed(at: at) }
        return value
    }

    mutating func text() throws(PackedError) -> String { try string(length(limit: 4096)) }

    mutating func optional() throws(PackedError) -> String? {
        let raw = try count()
        guard raw > 0 else { return nil }
        guard raw <= 4097 else { throw .malformed(at: at) }
        return try string(Int(raw) - 1)
    }

    private mutating func string(_ count: Int) throws(PackedError) -> String {
        guard at + count <= bytes.count else { throw .truncated(at: at) }
        defer { at += count }
        return String(decoding: bytes[at..<at + count], as: UTF8.self)
    }

    func finish() throws(PackedError) {
        guard at == bytes.count else { throw .malformed(at: at) }
    }
}

/// Runs `body` on a reader over `bytes`, its typed error kept.
func unpacking<Result>(
    _ bytes: [UInt8], _ body: (inout ByteReader) throws(PackedError) -> Result
) throws(PackedError) -> Result {
    let result = bytes.withUnsafeBytes { raw -> Swift.Result<Result, PackedError> in
        do throws(PackedError) {
            var reader = ByteReader(raw)
            let value = try body(&reader)
            try reader.finish()
            return .success(value)
        } catch { return .failure(error) }
    }
    return try result.get()
}
