// SPDX-License-Identifier: Apache-2.0

/// A key as S3 writes it into its events: a form-encoded text (a space is `+`, a plus is `%2B`).
enum S3Key {
    /// The key itself: `+` to space first, then the percent signs, then the bytes as UTF-8.
    ///
    /// Nil when a percent sign has no two digits after it, or the bytes are no UTF-8: then nobody can
    /// say which object was meant.
    static func decode(_ text: String) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit),
                    let low = rest.popFirst().flatMap(digit)
                else { return nil }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The other way round; everything but letters, digits and `-_.*/` is encoded.
    static func encode(_ key: String) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(key.utf8.count)
        for byte in key.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."), UInt8(ascii: "*"), UInt8(ascii: "/"):
                text.append(byte)
            case UInt8(ascii: " "): text.append(UInt8(ascii: "+"))
            default:
                text.append(UInt8(ascii: "%"))
                text.append(hex(byte >> 4))
                text.append(hex(byte & 15))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    private static func hex(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x41 + value - 10 }
}
