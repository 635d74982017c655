// SPDX-License-Identifier: Apache-2.0

extension Query: CustomStringConvertible {
    /// The query in its canonical form, which reads as the same query and is never longer than what
    /// was typed. Text of users stands in it as it is, control characters too.
    public var description: String { terms.map(\.description).joined(separator: " ") }
}

extension Query.Term: CustomStringConvertible {
    package var description: String { (isNegated ? "-" : "") + test.description }
}

extension Query.Test: CustomStringConvertible {
    package var description: String {
        switch self {
        case .word(let text):
            return QueryText.isWord(text) ? text : QueryText.quoted(text)
        case .text(let field, let patterns):
            return "\(field.rawValue):" + patterns.map(\.description).joined(separator: ",")
        case .error(let texts):
            return "error:" + texts.map(QueryText.value).joined(separator: ",")
        case .argument(let path, let patterns):
            let name = "args." + path.joined(separator: ".")
            if patterns.count == 1, case .number(let span) = patterns[0] {
                return name + span.written(\.description)
            }
            return name + ":" + patterns.map(\.description).joined(separator: ",")
        case .number(let field, let spans):
            return field.rawValue + Self.written(spans, \.description)
        case .duration(let field, let spans):
            return field.rawValue + Self.written(spans, QueryText.duration)
        case .time(let field, let spans):
            return field.rawValue + Self.written(spans, \.description)
        case .has(let presences):
            return "has:" + presences.map(\.description).joined(separator: ",")
        }
    }

    private static func written<Bound>(
        _ spans: [Interval<Bound>], _ text: (Bound) -> String
    ) -> String {
        if spans.count == 1 { return spans[0].written(text) }
        return ":" + spans.map { String($0.written(text).dropFirst()) }.joined(separator: ",")
    }
}

extension Interval {
    /// With the sign in front: a colon, or a comparison.
    func written(_ text: (Bound) -> String) -> String {
        switch self {
        case .exact(let bound): ":" + text(bound)
        case .range(let low, let high): ":" + text(low) + ".." + text(high)
        case .over(let bound): ">" + text(bound)
        case .least(let bound): ">=" + text(bound)
        case .under(let bound): "<" + text(bound)
        case .most(let bound): "<=" + text(bound)
        }
    }
}

extension Query.TextPattern: CustomStringConvertible {
    package var description: String {
        switch self {
        case .exact(let text): QueryText.value(text)
        case .prefix(let text): text + "*"
        }
    }
}

extension Query.ArgumentPattern: CustomStringConvertible {
    package var description: String {
        switch self {
        case .text(let text):
            QueryText.isLiteral(text) || QueryText.range(text) != nil
                ? QueryText.quoted(text) : QueryText.value(text)
        case .literal(let text): text
        case .prefix(let text): text + "*"
        case .number(let span): String(span.written(\.description).dropFirst())
        }
    }
}

extension Query.Presence: CustomStringConvertible {
    package var description: String {
        switch self {
        case .field(let field): field.rawValue
        case .argument(let path): "args." + path.joined(separator: ".")
        }
    }
}

extension Query.Moment: CustomStringConvertible {
    package var description: String {
        switch self {
        case .at(let moment): moment.shortISO8601 ?? "\(moment.milliseconds)"
        case .fromNow(let distance):
            (distance > 0 ? "+" : "-") + QueryText.duration(Int64(clamping: distance.magnitude))
        }
    }
}

/// How the pieces of a query are written; the parser and the printer agree on it here.
enum QueryText {
    /// What ends a bare value or makes it something else.
    static func isBare(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.last != UInt8(ascii: "*") && text.utf8.allSatisfy(isBare)
    }

    static func isBare(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte != 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: ",")
    }

    static func value(_ text: String) -> String { isBare(text) ? text : quoted(text) }

    static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = [UInt8(ascii: "\"")]
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                bytes.append(UInt8(ascii: "\\"))
            }
            bytes.append(byte)
        }
        bytes.append(UInt8(ascii: "\""))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// It is the same word when it stands without quotation marks.
    static func isWord(_ text: String) -> Bool {
        isBare(text) && text.utf8.first != UInt8(ascii: "-") && !text.utf8.contains(where: isSign)
            && !isConnective(text) && fieldBeforeEquals(text) == nil
    }

    static func isSign(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ":") || byte == UInt8(ascii: "<") || byte == UInt8(ascii: ">")
    }

    /// Words of other languages that would do nothing here, and so are refused.
    static func isConnective(_ text: String) -> Bool {
        ["AND", "OR", "NOT", "||", "&&"].contains(text)
    }

    /// `state=dead` was meant as a field.
    static func fieldBeforeEquals(_ text: String) -> QueryField? {
        guard let sign = text.utf8.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        return QueryField(named: String(text[..<sign]))
    }

    /// A value under `args` that is more than its text.
    static func isLiteral(_ text: String) -> Bool {
        text == "true" || text == "false" || text == "null" || ExactNumber(text) != nil
    }

    /// `low..high` of two numbers.
    static func range(_ text: String) -> (ExactNumber, ExactNumber)? {
        guard let (low, high) = ends(text), let low = ExactNumber(low), let high = ExactNumber(high)
        else { return nil }
        return (low, high)
    }

    /// What stands before and behind the first two points in a row.
    static func ends(_ text: String) -> (String, String)? {
        let bytes = Array(text.utf8)
        let points = UInt8(ascii: ".")
        guard
            let place = bytes.indices.dropLast().first(where: {
                bytes[$0] == points && bytes[$0 + 1] == points
            })
        else { return nil }
        return (
            String(decoding: bytes[..<place], as: UTF8.self),
            String(decoding: bytes[(place + 2)...], as: UTF8.self)
        )
    }

    private static let units: [(name: String, milliseconds: Int64)] = [
        ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
        ("ms", 1),
    ]

    /// The longest duration: a hundred years.
    static let longest: Int64 = 36_500 * 86_400_000

    /// A whole number of the largest unit.
    static func duration(_ milliseconds: Int64) -> String {
        if milliseconds == 0 { return "0s" }
        for unit in units where milliseconds % unit.milliseconds == 0 {
            return "\(milliseconds / unit.milliseconds)\(unit.name)"
        }
        return "\(milliseconds)ms"
    }

    /// `90s 5m 1h 3d 2w 250ms`, in milliseconds; nil for anything else.
    static func duration(_ text: String) -> Int64? {
        let digits = text.utf8.prefix { (0x30...0x39).contains($0) }
        guard (1...13).contains(digits.count),
            let count = Int64(String(decoding: digits, as: UTF8.self)),
            let unit = units.first(where: {
                text.utf8.dropFirst(digits.count).elementsEqual($0.name.utf8)
            })
        else { return nil }
        let (product, isOver) = count.multipliedReportingOverflow(by: unit.milliseconds)
        return isOver || product > longest ? nil : product
    }

    /// A moment, or `-1h` and `+1h` from now.
    static func moment(_ text: String) -> Query.Moment? {
        if text.utf8.first == UInt8(ascii: "-") || text.utf8.first == UInt8(ascii: "+") {
            let isBefore = text.utf8.first == UInt8(ascii: "-")
            return duration(String(decoding: text.utf8.dropFirst(), as: UTF8.self)).map {
                .fromNow(isBefore ? -$0 : $0)
            }
        }
        return Timestamp(iso8601: text).map { .at($0) }
    }
}
