// SPDX-License-Identifier: Apache-2.0

/// Names the families of the MessagePack format, as told by the first byte of a value.
///
/// Format: <https://github.com/msgpack/msgpack/blob/master/spec.md>, section "Formats".
public enum MessagePackKind: UInt8, Sendable, Hashable {
    case null, bool, integer, float, string, binary, array, map
    case `extension`
    /// 0xc1, which the format never uses.
    case reserved

    /// Reads the family off a first byte; every byte has one.
    @inlinable
    public init(firstByte byte: UInt8) {
        switch byte {
        case 0x00...0x7f, 0xcc...0xd3, 0xe0...0xff: self = .integer
        case 0x80...0x8f, 0xde, 0xdf: self = .map
        case 0x90...0x9f, 0xdc, 0xdd: self = .array
        case 0xa0...0xbf, 0xd9...0xdb: self = .string
        case 0xc0: self = .null
        case 0xc2, 0xc3: self = .bool
        case 0xc4...0xc6: self = .binary
        case 0xc7...0xc9, 0xd4...0xd8: self = .extension
        case 0xca, 0xcb: self = .float
        default: self = .reserved
        }
    }
}
