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
            withUnsafeBytes(of: UInt64(part.utf8.count).bigEndian) { hash.update(bufferPointer: $0) }
            var part = part
            part.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        }
        var words: (UInt64, UInt64) = (0, 0)
        for (index, byte) in hash.finalize().prefix(16).enumerated() {
            if index < 8 {
                words.0 = words.0 << 8 | UInt64(byte)
            } else {
                words.1 = words.1 << 8 | UInt64(byte)
            }
        }
        self.init(
            high: words.0 & ~0xF000 | 0x8000,
            low: words.1 & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }
}
