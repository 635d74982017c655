// SPDX-License-Identifier: Apache-2.0
import Crypto

/// The digests by which SQS says what it took in and handed out (SQS developer guide, "Calculating
/// the MD5 message digest for message attributes"). They find broken bytes, not attackers.
package enum SQSDigest {
    package static func md5(of body: String) -> String {
        var md5 = Insecure.MD5()
        var body = body
        body.withUTF8 { md5.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        return hex(md5.finalize())
    }

    /// Names sorted by their bytes; of each the name, the type, a byte that says 1 for text and 2 for
    /// binary, the value; lengths as four bytes, most significant first.
    package static func md5(of attributes: [String: SQSAttribute]) -> String {
        var md5 = Insecure.MD5()
        func update(_ bytes: some Collection<UInt8>) {
            let count = UInt32(truncatingIfNeeded: bytes.count)
            let length = stride(from: UInt32(24), through: 0, by: -8).map {
                UInt8(truncatingIfNeeded: count >> $0)
            }
            md5.update(data: length)
            md5.update(data: Array(bytes))
        }
        let sorted = attributes.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        for (name, attribute) in sorted {
            update(name.utf8)
            update(attribute.type.utf8)
            switch attribute.value {
            case .text: md5.update(data: [1 as UInt8])
            case .binary: md5.update(data: [2 as UInt8])
            }
            update(attribute.bytes)
        }
        return hex(md5.finalize())
    }

    private static func hex(_ digest: Insecure.MD5.Digest) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in digest {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// What SQS takes as text: the characters of XML 1.0 (its section 2.2). It refuses the whole request
/// for one other, so this is asked before.
public enum SQSText {
    public static func allows(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0x9, 0xA, 0xD, 0x20...0xD7FF, 0xE000...0xFFFD, 0x10000...0x10FFFF: true
            default: false
            }
        }
    }

    /// The text with U+FFFD in the place of every character that SQS does not take.
    public static func allowed(_ text: String) -> String {
        if allows(text) { return text }
        var allowed = ""
        for scalar in text.unicodeScalars {
            allowed.unicodeScalars.append(allows(String(scalar)) ? scalar : "\u{FFFD}")
        }
        return allowed
    }
}
