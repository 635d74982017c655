// SPDX-License-Identifier: Apache-2.0

/// SHA-1 ([RFC 3174](https://www.rfc-editor.org/rfc/rfc3174)), which is how Redis names a script.
///
/// Why here: a name, not a security measure, and not worth a dependency.
enum SHA1 {
    /// The digest as 40 lower-case hexadecimal digits.
    static func hex(_ message: [UInt8]) -> String {
        var padded = message
        padded.append(0x80)
        while padded.count % 64 != 56 { padded.append(0) }
        let bits = UInt64(message.count) * 8
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            padded.append(UInt8(truncatingIfNeeded: bits >> shift))
        }
        var hash: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        for block in stride(from: 0, to: padded.count, by: 64) {
            digest(padded[block..<block + 64], into: &hash)
        }
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for word in hash {
            for shift in stride(from: UInt32(28), through: 0, by: -4) {
                text.append(digits[Int((word >> shift) & 15)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func digest(_ block: ArraySlice<UInt8>, into hash: inout [UInt32]) {
        var words: [UInt32] = []
        words.reserveCapacity(80)
        for index in 0..<16 {
            let at = block.startIndex + index * 4
            words.append(block[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) })
        }
        for index in 16..<80 {
            let mixed = words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]
            words.append(rotate(mixed, 1))
        }
        var (a, b, c, d, e) = (hash[0], hash[1], hash[2], hash[3], hash[4])
        for (index, word) in words.enumerated() {
            let (mix, constant): (UInt32, UInt32) =
                switch index / 20 {
                case 0: ((b & c) | (~b & d), 0x5A82_7999)
                case 1: (b ^ c ^ d, 0x6ED9_EBA1)
                case 2: ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            let next = rotate(a, 5) &+ mix &+ e &+ constant &+ word
            (a, b, c, d, e) = (next, a, rotate(b, 30), c, d)
        }
        for (index, word) in [a, b, c, d, e].enumerated() { hash[index] &+= word }
    }

    private static func rotate(_ word: UInt32, _ by: UInt32) -> UInt32 {
        word << by | word >> (32 - by)
    }
}
