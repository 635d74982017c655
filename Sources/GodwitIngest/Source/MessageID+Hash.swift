// SPDX-License-Identifier: Apache-2.0
import Crypto
package import Godwit

extension MessageID {
    /// An id made of what it is about: the first 16 bytes of a SHA-256 over `parts`, each with its
    /// length before it, as a UUID of version 8 (RFC 9562 §5.8).
    ///
    /// There is no time in it, so a repetition is recognised only while its record is kept.
    package init(hashOf parts: [String]) {
        var hash = SHA256()
        for part in parts {
            withUnsafeBytes(of: UInt64(part.utf8.count).bigEndian) {
                hash.update(bufferPointer: $0)
            }
            var part = part
            part.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        }
        guard let sum = MessageID(bytes: Array(hash.finalize().prefix(16))) else {
            preconditionFailure("a SHA-256 has 32 bytes")
        }
        self.init(
            high: sum.high & ~0xF000 | 0x8000,
            low: sum.low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }
}
