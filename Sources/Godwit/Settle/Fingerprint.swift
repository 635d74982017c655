// SPDX-License-Identifier: Apache-2.0

/// What failures have in common: the kind and the reason without what differs from run to run.
///
/// Numbers, ids, quoted text and addresses are replaced, so that "user 17 not found" and "user 18 not
/// found" are one group. The text is for people, the number for keys: FNV-1a of 64 bits over kind and
/// text (http://www.isthe.com/chongo/tech/comp/fnv).
public struct Fingerprint: Sendable, Hashable {
    /// Sixteen hex digits.
    public let id: String
    /// The reason as the group shows it, at most 200 bytes.
    public let text: String

    public init(kind: String, reason: String) {
        let text = Self.normalized(reason)
        self.text = text
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func take(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        kind.utf8.forEach(take)
        take(0)
        text.utf8.forEach(take)
        let digits = String(hash, radix: 16)
        id = String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The longest beginning of a reason that is looked at.
    private static let limit = 2048

    /// One pass over the words: each becomes itself, `#`, `<id>`, `<address>` or `<text>`.
    static func normalized(_ reason: String) -> String {
        let bytes = Array(reason.cut(to: limit).utf8)
        var out: [UInt8] = []
        out.reserveCapacity(min(bytes.count, 256))
        var place = 0
        while place < bytes.count, out.count < 200 {
            let byte = bytes[place]
            if let end = quotedEnd(bytes, place) {
                out += "<text>".utf8
                place = end
            } else if isWord(byte), !isStop(byte) {
                var end = place
                while end < bytes.count, isWord(bytes[end]) { end += 1 }
                // Why: a full stop or colon at the end belongs to the sentence.
                while end > place + 1, isStop(bytes[end - 1]) { end -= 1 }
                out += replaced(bytes[place..<end])
                place = end
            } else {
                let isSpace = byte <= 0x20
                if !isSpace { out.append(byte) } else if out.last != 0x20 { out.append(0x20) }
                place += 1
            }
        }
        return String(decoding: out, as: UTF8.self).cut(to: 200)
    }

    /// The place behind a text in quotation marks that begins here and is at most 200 bytes long.
    private static func quotedEnd(_ bytes: [UInt8], _ place: Int) -> Int? {
        let mark = bytes[place]
        guard mark == 0x22 || mark == 0x27 || mark == 0x60 else { return nil }
        // Why: the apostrophe of "can't" opens nothing.
        if place > 0, mark == 0x27, isLetter(bytes[place - 1]) { return nil }
        let reach = min(bytes.count, place + 202)
        guard let end = bytes[(place + 1)..<reach].firstIndex(of: mark) else { return nil }
        return end + 1
    }

    private static func replaced(_ word: ArraySlice<UInt8>) -> [UInt8] {
        let digits = word.count { isDigit($0) }
        let isAddress =
            word.contains(0x40) || word.contains(0x2F)
            || (digits > 0 && (word.contains(0x3A) || hasPoints(word)))
        if isAddress, word.count > 2 { return Array("<address>".utf8) }
        guard digits > 0 else { return Array(word) }
        let isPrefixed = word.count > 2 && word.starts(with: "0x".utf8)
        let isHex = word.dropFirst(isPrefixed ? 2 : 0).allSatisfy {
            isDigit($0) || (0x61...0x66).contains($0 | 0x20) || $0 == 0x2D
        }
        if word.count >= 8, isHex, digits < word.count || word.contains(0x2D) {
            return Array("<id>".utf8)
        }
        if word.count >= 16, digits >= 4 { return Array("<id>".utf8) }
        var out: [UInt8] = []
        for byte in word {
            if !isDigit(byte) { out.append(byte) } else if out.last != 0x23 { out.append(0x23) }
        }
        return out
    }

    /// Points as in 10.1.2.3: two or more, and no range as in 0...9.
    private static func hasPoints(_ word: ArraySlice<UInt8>) -> Bool {
        let points = word.indices.filter { word[$0] == 0x2E }
        return points.count > 1 && zip(points, points.dropFirst()).allSatisfy { $0 + 1 < $1 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte | 0x20) || byte >= 0x80
    }

    private static func isStop(_ byte: UInt8) -> Bool { byte == 0x2E || byte == 0x3A }

    private static func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || isLetter(byte) || byte == 0x5F || byte == 0x2D || byte == 0x2E
            || byte == 0x3A || byte == 0x2F || byte == 0x40
    }
}
