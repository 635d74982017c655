// SPDX-License-Identifier: Apache-2.0

/// Walks the bytes of one JSON text (RFC 8259) from left to right, without building a tree.
///
/// The bytes are valid UTF-8 and outlive the scanner. Every read is bounds-checked here, by hand.
struct JSONScanner {
    enum Kind { case string, number, object, array, bool, null }

    enum Number {
        case integer(Int)
        /// A whole number beyond ±2^53, or one that is not finite.
        case tooLarge
        case fraction(Double)
    }

    let bytes: UnsafeRawBufferPointer
    var at = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    @inline(__always) mutating func skipSpace() {
        while at < bytes.count {
            let byte = bytes[at]
            guard byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D else { return }
            at += 1
        }
    }

    @inline(__always) func peek() throws(RejectReason) -> UInt8 {
        guard at < bytes.count else { throw .notJSON(at: at) }
        return bytes[at]
    }

    @inline(__always) mutating func expect(_ byte: UInt8) throws(RejectReason) {
        guard at < bytes.count, bytes[at] == byte else { throw .notJSON(at: at) }
        at += 1
    }

    func kind() throws(RejectReason) -> Kind {
        switch try peek() {
        case 0x22: return .string
        case 0x7B: return .object
        case 0x5B: return .array
        case 0x74, 0x66: return .bool
        case 0x6E: return .null
        case 0x2D, 0x30...0x39: return .number
        default: throw .notJSON(at: at)
        }
    }

    /// Reads a string and returns its bytes between the quotes, and whether escapes are among them.
    mutating func string() throws(RejectReason) -> (Range<Int>, isEscaped: Bool) {
        try expect(0x22)
        let start = at
        var isEscaped = false
        while at < bytes.count {
            let byte = bytes[at]
            if byte == 0x22 {
                at += 1
                return (start..<at - 1, isEscaped)
            }
            if byte < 0x20 { throw .notJSON(at: at) }
            if byte == 0x5C {
                isEscaped = true
                at += 1
                switch try peek() {
                case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: break
                case 0x75:
                    guard at + 4 < bytes.count else { throw .notJSON(at: at) }
                    for _ in 0..<4 {
                        at += 1
                        guard hex(bytes[at]) != nil else { throw .notJSON(at: at) }
                    }
                default: throw .notJSON(at: at)
                }
            }
            at += 1
        }
        throw .notJSON(at: at)
    }

    /// The text of a string found by `string()`; nil for a lone surrogate.
    func text(_ range: Range<Int>, isEscaped: Bool) -> String? {
        let raw = UnsafeRawBufferPointer(rebasing: bytes[range])
        if !isEscaped { return String(decoding: raw, as: UTF8.self) }
        var out: [UInt8] = []
        var at = 0
        while at < raw.count {
            guard raw[at] == 0x5C else {
                out.append(raw[at])
                at += 1
                continue
            }
            at += 1
            switch raw[at] {
            case 0x62: out.append(0x08)
            case 0x66: out.append(0x0C)
            case 0x6E: out.append(0x0A)
            case 0x72: out.append(0x0D)
            case 0x74: out.append(0x09)
            case 0x75:
                var unit = unit(raw, at + 1)
                at += 4
                if unit >= 0xD800, unit < 0xDC00 {
                    guard at + 6 < raw.count, raw[at + 1] == 0x5C, raw[at + 2] == 0x75 else {
                        return nil
                    }
                    let low = self.unit(raw, at + 3)
                    guard low >= 0xDC00, low < 0xE000 else { return nil }
                    unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
                    at += 6
                }
                guard let scalar = Unicode.Scalar(unit) else { return nil }
                out.append(contentsOf: Array(String(Character(scalar)).utf8))
            default: out.append(raw[at])
            }
            at += 1
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Reads a number. Why by hand: most are short integers, and a Double of ≤ 15 digits and a small
    /// exponent is exact with one multiplication or division; the rest goes to the standard library.
    mutating func number() throws(RejectReason) -> Number {
        let start = at
        var isNegative = false
        if try peek() == 0x2D {
            isNegative = true
            at += 1
        }
        var value: UInt64 = 0
        var digits = 0
        let first = try peek()
        guard first >= 0x30, first <= 0x39 else { throw .notJSON(at: at) }
        while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 {
            if digits < 18 { value = value * 10 + UInt64(bytes[at] - 0x30) }
            digits += 1
            at += 1
        }
        if first == 0x30, digits > 1 { throw .notJSON(at: start) }
        guard at < bytes.count, bytes[at] == 0x2E || bytes[at] | 0x20 == 0x65 else {
            guard digits <= 16, value <= 1 << 53 else { return .tooLarge }
            return .integer(isNegative ? -Int(value) : Int(value))
        }
        var decimals = 0
        if bytes[at] == 0x2E {
            at += 1
            let from = at
            while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 {
                if digits + decimals < 18 { value = value * 10 + UInt64(bytes[at] - 0x30) }
                decimals += 1
                at += 1
            }
            guard at > from else { throw .notJSON(at: at) }
        }
        var hasExponent = false
        if at < bytes.count, bytes[at] | 0x20 == 0x65 {
            hasExponent = true
            at += 1
            if at < bytes.count, bytes[at] == 0x2B || bytes[at] == 0x2D { at += 1 }
            let from = at
            while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 { at += 1 }
            guard at > from else { throw .notJSON(at: at) }
        }
        if !hasExponent, digits + decimals <= 15 {
            let result = Double(value) / Self.powers[decimals]
            return .fraction(isNegative ? -result : result)
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        guard let result = Double(text), result.isFinite else { return .tooLarge }
        return .fraction(result)
    }

    /// Passes over one value of any kind, its nested field names checked for doubles too.
    mutating func skip(depth: Int = 0) throws(RejectReason) {
        guard depth < 32 else { throw .tooDeep(at: at) }
        switch try kind() {
        case .string: _ = try string()
        case .number: _ = try number()
        case .bool, .null: try word()
        case .array:
            at += 1
            skipSpace()
            if try peek() == 0x5D {
                at += 1
                return
            }
            while true {
                skipSpace()
                try skip(depth: depth + 1)
                skipSpace()
                if try peek() == 0x2C {
                    at += 1
                } else {
                    return try expect(0x5D)
                }
            }
        case .object:
            var fields = FieldNames()
            var isFirst = true
            while let name = try field(isFirst: &isFirst) {
                try fields.add(name, in: self)
                try skip(depth: depth + 1)
            }
        }
    }

    /// Reads `true`, `false` or `null`.
    mutating func word() throws(RejectReason) {
        let word: StaticString
        switch try peek() {
        case 0x74: word = "true"
        case 0x66: word = "false"
        default: word = "null"
        }
        for offset in 0..<word.utf8CodeUnitCount { try expect(word.utf8Start[offset]) }
    }

    struct Name {
        var range: Range<Int>
        var isEscaped: Bool
    }

    /// Steps to the next field of an object, whose brace is read too: its name, the scanner then at
    /// its value; nil after the closing brace.
    @inline(__always)
    mutating func field(isFirst: inout Bool) throws(RejectReason) -> Name? {
        if isFirst {
            try expect(0x7B)
            skipSpace()
            isFirst = false
            if try peek() == 0x7D {
                at += 1
                return nil
            }
        } else {
            skipSpace()
            if try peek() == 0x7D {
                at += 1
                return nil
            }
            try expect(0x2C)
            skipSpace()
        }
        let (range, isEscaped) = try string()
        skipSpace()
        try expect(0x3A)
        skipSpace()
        return Name(range: range, isEscaped: isEscaped)
    }

    private func hex(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte - 0x30)
        case 0x41...0x46: UInt32(byte - 0x37)
        case 0x61...0x66: UInt32(byte - 0x57)
        default: nil
        }
    }

    private func unit(_ raw: UnsafeRawBufferPointer, _ from: Int) -> UInt32 {
        var value: UInt32 = 0
        for offset in 0..<4 { value = value << 4 | (hex(raw[from + offset]) ?? 0) }
        return value
    }

    private static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ]
}

/// The names one object has used so far. Compares hashes and looks closer only when they agree.
struct FieldNames {
    private var hashes: [UInt64] = []
    private var names: [JSONScanner.Name] = []

    mutating func add(_ name: JSONScanner.Name, in scanner: JSONScanner) throws(RejectReason) {
        // Why: with an escape the same name has other bytes; its decoded bytes are hashed then.
        var hash = Hash()
        if name.isEscaped {
            guard let text = scanner.text(name.range, isEscaped: true) else {
                throw .notJSON(at: name.range.lowerBound)
            }
            for byte in text.utf8 { hash.add(byte) }
        } else {
            for at in name.range { hash.add(scanner.bytes[at]) }
        }
        for (at, other) in hashes.enumerated() where other == hash.value {
            let old = scanner.text(names[at].range, isEscaped: names[at].isEscaped)
            let new = scanner.text(name.range, isEscaped: name.isEscaped)
            if old == new { throw .duplicateField(String((new ?? "").prefix(64))) }
        }
        // Why a bound: unknown objects of tiny names would make the comparison quadratic.
        guard hashes.count < 1024 else { throw .tooMany("fields of one object") }
        hashes.append(hash.value)
        names.append(name)
    }
}

/// FNV-1a, 64 bits: for comparing names and for keeping a serial number in eight bytes.
struct Hash {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    @inline(__always) mutating func add(_ byte: UInt8) {
        value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
    }

    /// Never 0, which stands for "none".
    static func of(_ text: String?) -> UInt64 {
        guard let text else { return 0 }
        var hash = Hash()
        for byte in text.utf8 { hash.add(byte) }
        return hash.value == 0 ? 1 : hash.value
    }
}
