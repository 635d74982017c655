// SPDX-License-Identifier: Apache-2.0
import Crypto

/// SHA-256 (FIPS 180-4) and its HMAC (RFC 2104) over bytes.
enum Hash {
    static func digest(_ bytes: [UInt8]) -> String {
        var hash = SHA256()
        bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hex(hash.finalize())
    }

    static func hmac(_ text: String, key: [UInt8]) -> [UInt8] {
        var code = HMAC<SHA256>(key: SymmetricKey(data: key))
        code.update(data: Array(text.utf8))
        return Array(code.finalize())
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits: StaticString = "0123456789abcdef"
        var out: [UInt8] = []
        for byte in bytes {
            out.append(digits.utf8Start[Int(byte >> 4)])
            out.append(digits.utf8Start[Int(byte & 15)])
        }
        return String(decoding: out, as: UTF8.self)
    }
}
