// SPDX-License-Identifier: Apache-2.0

extension MessagePackReader {
    /// Reads an integer of any width that a `T` holds.
    @inline(__always)
    mutating func readInteger<T: FixedWidthInteger>() throws(MessagePackError) -> T {
        let start = position
        if T.isSigned || T.bitWidth < 64 {
            let value = try readInt64()
            if let value = T(exactly: value) { return value }
            throw Self.outOfRange(start, String(value), "\(T.self)")
        }
        let value = try readUInt()
        if let value = T(exactly: value) { return value }
        throw Self.outOfRange(start, String(value), "\(T.self)")
    }

    /// Reads either float, rounded to a `Float`.
    ///
    /// Why rounded: other languages write every float in 64 bits, so 0.1 must do.
    mutating func readFloat() throws(MessagePackError) -> Float {
        let start = position
        let wide = try readDouble()
        let value = Float(wide)
        guard value.isFinite || !wide.isFinite else {
            throw Self.outOfRange(start, String(wide), "Float")
        }
        return value
    }
}
