// SPDX-License-Identifier: Apache-2.0

/// Walks JSON (RFC 8259) from left to right without building anything; numbers keep all their digits.
///
/// It is no judge: what a strict reader would refuse may pass here, but nothing traps, and the work
/// is linear in the bytes.
struct JSONReader {
    private let bytes: [UInt8]
    private var place = 0
    private var isDamaged = false

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Walks the next value: down the path, and at its end takes what is there.
    mutating func walk(
        _ path: ArraySlice<String>, _ reach: Arguments.Reach, _ depth: Int,
        _ visit: inout Arguments.Visit, _ use: (Arguments.Scalar) -> Bool
    ) {
        guard let name = path.first else {
            let isThere = peek() != nil
            if isThere { visit.exists = true }
            return take(reach, depth, &visit, use)
        }
        guard enter(depth) else { return }
        switch peek() {
        case UInt8(ascii: "{"):
            var isPassed = false
            members { reader, member in
                if !isPassed, member.elementsEqual(name.utf8) {
                    isPassed = true
                    reader.walk(path.dropFirst(), reach, depth + 1, &visit, use)
                } else {
                    reader.skip(depth + 1)
                }
                return !visit.isFound
            }
        case UInt8(ascii: "["):
            let index = Int(name)
            elements { reader, place in
                if place == index {
                    reader.walk(path.dropFirst(), reach, depth + 1, &visit, use)
                } else {
                    reader.skip(depth + 1)
                }
                return !visit.isFound
            }
        default: skip(depth)
        }
    }

    private mutating func take(
        _ reach: Arguments.Reach, _ depth: Int, _ visit: inout Arguments.Visit,
        _ use: (Arguments.Scalar) -> Bool
    ) {
        guard enter(depth) else { return }
        switch peek() {
        case UInt8(ascii: "["):
            elements { reader, _ in
                let isOpening =
                    reader.peek() == UInt8(ascii: "[") || reader.peek() == UInt8(ascii: "{")
                if reach == .deep {
                    reader.take(reach, depth + 1, &visit, use)
                } else if isOpening {
                    reader.skip(depth + 1)
                } else if let scalar = reader.scalar() {
                    visit.isFound = use(scalar)
                }
                return !visit.isFound
            }
        case UInt8(ascii: "{"):
            guard reach == .deep else { return skip(depth) }
            members { reader, _ in
                reader.take(reach, depth + 1, &visit, use)
                return !visit.isFound
            }
        default:
            if let scalar = scalar() { visit.isFound = use(scalar) }
        }
    }

    private mutating func skip(_ depth: Int) {
        guard enter(depth) else { return }
        switch peek() {
        case UInt8(ascii: "["):
            elements { reader, _ in
                reader.skip(depth + 1)
                return true
            }
        case UInt8(ascii: "{"):
            members { reader, _ in
                reader.skip(depth + 1)
                return true
            }
        default: _ = scalar()
        }
    }

    /// False, and the text is damaged, below the last level.
    private mutating func enter(_ depth: Int) -> Bool {
        if depth > Arguments.depthLimit { isDamaged = true }
        return !isDamaged
    }

    // MARK: Structure

    /// The next byte that is no white space; nil at the end or behind damage.
    private mutating func peek() -> UInt8? {
        while place < bytes.count {
            switch bytes[place] {
            case 0x20, 0x09, 0x0A, 0x0D: place += 1
            default: return isDamaged ? nil : bytes[place]
            }
        }
        return nil
    }

    private mutating func take(_ sign: Unicode.Scalar) -> Bool {
        guard let byte = peek(), UInt32(byte) == sign.value else { return false }
        place += 1
        return true
    }

    private mutating func elements(_ use: (inout JSONReader, Int) -> Bool) {
        place += 1
        if take("]") { return }
        var index = 0
        repeat {
            guard use(&self, index), !isDamaged else { return }
            index += 1
        } while take(",")
        if !take("]") { isDamaged = true }
    }

    private mutating func members(_ use: (inout JSONReader, [UInt8]) -> Bool) {
        place += 1
        if take("}") { return }
        repeat {
            guard peek() == UInt8(ascii: "\""), let name = string(), take(":") else {
                isDamaged = true
                return
            }
            guard use(&self, name), !isDamaged else { return }
        } while take(",")
        if !take("}") { isDamaged = true }
    }

    // MARK: Scalars

    private mutating func scalar() -> Arguments.Scalar? {
        switch peek() {
        case UInt8(ascii: "\""): return string().map { .text($0) }
        case UInt8(ascii: "t"): return literal("true") ? .flag(true) : nil
        case UInt8(ascii: "f"): return literal("false") ? .flag(false) : nil
        case UInt8(ascii: "n"): return literal("null") ? .null : nil
        case let byte? where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte):
            return number()
        default:
            isDamaged = true
            return nil
        }
    }

    private mutating func literal(_ text: StaticString) -> Bool {
        let isThere = text.withUTF8Buffer { bytes[place...].starts(with: $0) }
        if isThere { place += text.utf8CodeUnitCount } else { isDamaged = true }
        return isThere
    }

    /// One that is longer than is sensible is passed over.
    private mutating func number() -> Arguments.Scalar? {
        let start = place
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"),
                UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
                place += 1
                continue
            default: break
            }
            break
        }
        return ExactNumber(ascii: bytes[start..<place]).map { .number($0) }
    }

    private mutating func string() -> [UInt8]? {
        place += 1
        var text: [UInt8] = []
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            if byte == UInt8(ascii: "\"") { return text }
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard place < bytes.count else { break }
            let escaped = bytes[place]
            place += 1
            switch escaped {
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "u"): text += String(character()).utf8
            default: text.append(escaped)
            }
        }
        isDamaged = true
        return nil
    }

    /// Behind `\u`: one or a pair of surrogates; half a pair is U+FFFD.
    private mutating func character() -> Character {
        let first = unit()
        var value = UInt32(first ?? 0xFFFD)
        if let first, 0xD800..<0xDC00 ~= first, bytes[place...].starts(with: [0x5C, 0x75]) {
            let start = place
            place += 2
            if let second = unit(), 0xDC00..<0xE000 ~= second {
                value = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
            } else {
                place = start
            }
        }
        return Character(Unicode.Scalar(value) ?? "\u{FFFD}")
    }

    private mutating func unit() -> UInt16? {
        guard bytes.count - place >= 4 else { return nil }
        var value: UInt16 = 0
        for byte in bytes[place..<place + 4] {
            guard let digit = Hex.value(of: byte) else { return nil }
            value = value << 4 | UInt16(digit)
        }
        place += 4
        return value
    }
}
