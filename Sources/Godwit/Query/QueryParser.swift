// SPDX-License-Identifier: Apache-2.0

/// Reads the text of a query from left to right, once.
///
///     query  = *( term SP )
///     term   = ["-"] ( field op values / word )
///     op     = ":" / ">" / ">=" / "<" / "<="
///     values = value *( "," value )
///     value  = bare / quoted / value ".." value
struct QueryParser {
    /// One value as it was typed.
    struct Piece {
        var text: String
        var isQuoted: Bool
        /// Of its first byte.
        var place: Int
    }

    private let bytes: [UInt8]
    private var place = 0

    init(_ text: String) { bytes = Array(text.utf8.prefix(Query.maxBytes + 1)) }

    mutating func parse() throws(QueryError) -> [Query.Term] {
        guard bytes.count <= Query.maxBytes else {
            throw QueryError(
                column: column(of: Query.maxBytes),
                "a query has at most \(Query.maxBytes) bytes; leave terms out or ask in two steps")
        }
        var terms: [Query.Term] = []
        while true {
            while place < bytes.count, isSpace(bytes[place]) { place += 1 }
            if place == bytes.count { return terms }
            if terms.count == Query.maxTerms {
                throw error(place, "a query has at most \(Query.maxTerms) terms")
            }
            terms.append(try term())
        }
    }

    private mutating func term() throws(QueryError) -> Query.Term {
        let isNegated = bytes[place] == UInt8(ascii: "-")
        if isNegated {
            place += 1
            if place == bytes.count || isSpace(bytes[place]) {
                throw error(place - 1, "`-` negates what follows it at once, as in -state:dead")
            }
        }
        if bytes[place] == UInt8(ascii: "\"") {
            let text = try quoted()
            if text.text.isEmpty {
                throw error(text.place, "there is nothing between the quotation marks")
            }
            try expectEnd("a quoted word")
            return Query.Term(.word(text.text), isNegated: isNegated)
        }
        let start = place
        while place < bytes.count, QueryText.isBare(bytes[place]), !QueryText.isSign(bytes[place]) {
            place += 1
        }
        let name = text(start..<place)
        if place < bytes.count, QueryText.isSign(bytes[place]) {
            return Query.Term(try field(name, at: start), isNegated: isNegated)
        }
        return Query.Term(try word(name, at: start), isNegated: isNegated)
    }

    private mutating func word(_ typed: String, at start: Int) throws(QueryError) -> Query.Test {
        if place < bytes.count, bytes[place] == UInt8(ascii: ",") {
            throw error(place, "a comma is 'or' inside a field only, as in error:timeout,refused")
        }
        try expectEnd("a word")
        if typed.utf8.first == UInt8(ascii: "-") {
            throw error(start, "one `-` is enough; quote a word that begins with it")
        }
        if QueryText.isConnective(typed) {
            throw error(
                start,
                "there is no `\(typed)`: a space is 'and', a comma is 'or' inside a field "
                    + "(state:dead,ready), `-` is 'not'; quote the word to look for it")
        }
        if let field = QueryText.fieldBeforeEquals(typed) {
            throw error(
                start,
                "write a colon instead of `=`: \(field.rawValue):…; "
                    + "quote the word to look for it")
        }
        // Why: a word is found anywhere, so a star behind it says nothing.
        var bytes = Array(typed.utf8)
        while bytes.last == UInt8(ascii: "*") { bytes.removeLast() }
        if bytes.isEmpty {
            throw error(start, "`*` alone says nothing; an empty query is every message")
        }
        return .word(String(decoding: bytes, as: UTF8.self))
    }

    // MARK: Fields

    private enum Sign: String {
        case colon = ":", over = ">", least = ">=", under = "<", most = "<="
    }

    private mutating func field(_ name: String, at start: Int) throws(QueryError) -> Query.Test {
        if name.isEmpty {
            throw error(start, "a field is missing before `\(text(place..<place + 1))`")
        }
        let signPlace = place
        let sign = sign()
        let lower = name.asciiLowercased
        if lower == "has" {
            guard sign == .colon else { throw noComparison("has", sign, signPlace) }
            var presences: [Query.Presence] = []
            for piece in try pieces(of: "has") { presences.append(try presence(piece)) }
            return .has(presences)
        }
        if lower == "args" || lower.utf8.starts(with: "args.".utf8) {
            let path = try path(String(decoding: name.utf8.dropFirst(5), as: UTF8.self), at: start)
            return .argument(path, try arguments(sign, signPlace))
        }
        guard let field = QueryField(named: name) else { throw unknown(name, at: start) }
        switch field.form {
        case .text:
            guard sign == .colon else { throw noComparison(field.rawValue, sign, signPlace) }
            var patterns: [Query.TextPattern] = []
            for piece in try pieces(of: field.rawValue) {
                patterns.append(try pattern(piece, field))
            }
            return .text(field, patterns)
        case .reason:
            guard sign == .colon else { throw noComparison("error", sign, signPlace) }
            var texts: [String] = []
            for piece in try pieces(of: "error") {
                var bytes = Array(piece.text.utf8)
                while !piece.isQuoted, bytes.last == UInt8(ascii: "*") { bytes.removeLast() }
                if bytes.isEmpty {
                    throw error(piece.place, "an empty text is in every reason; ask has:error")
                }
                texts.append(String(decoding: bytes, as: UTF8.self))
            }
            return .error(texts)
        case .number:
            return .number(
                field,
                try spans(field, sign, "a number such as 3, or a range such as 3..8") {
                    ExactNumber($0)
                })
        case .duration:
            return .duration(
                field,
                try spans(field, sign, "a duration such as 90s, 5m, 1h or 3d") {
                    QueryText.duration($0)
                })
        case .time:
            return .time(
                field,
                try spans(
                    field, sign, "a moment such as 2026-11-22, 2026-11-22T09:30Z or -1h"
                ) { QueryText.moment($0) })
        }
    }

    private mutating func sign() -> Sign {
        let first = bytes[place]
        place += 1
        if first == UInt8(ascii: ":") { return .colon }
        let hasEquals = place < bytes.count && bytes[place] == UInt8(ascii: "=")
        if hasEquals { place += 1 }
        if first == UInt8(ascii: ">") { return hasEquals ? .least : .over }
        return hasEquals ? .most : .under
    }

    /// The values behind a sign, at least one.
    private mutating func pieces(of field: String) throws(QueryError) -> [Piece] {
        var pieces: [Piece] = []
        while true {
            if pieces.count == Query.maxValues {
                throw error(place, "`\(field)` has at most \(Query.maxValues) values")
            }
            if place < bytes.count, bytes[place] == UInt8(ascii: "\"") {
                pieces.append(try quoted())
            } else {
                let start = place
                while place < bytes.count, QueryText.isBare(bytes[place]) { place += 1 }
                if start == place {
                    if place < bytes.count, !isSpace(bytes[place]),
                        bytes[place] != UInt8(ascii: ",")
                    {
                        throw error(place, "a control character; put the value in quotation marks")
                    }
                    throw error(
                        place,
                        "a value is missing; an empty one is written `\(field):\"\"`, and "
                            + "one with spaces or commas in quotation marks")
                }
                pieces.append(Piece(text: text(start..<place), isQuoted: false, place: start))
            }
            if place < bytes.count, bytes[place] == UInt8(ascii: ",") {
                place += 1
                continue
            }
            try expectEnd("a value")
            return pieces
        }
    }

    private mutating func quoted() throws(QueryError) -> Piece {
        let start = place
        var text: [UInt8] = []
        place += 1
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            if byte == UInt8(ascii: "\"") {
                return Piece(
                    text: String(decoding: text, as: UTF8.self), isQuoted: true, place: start)
            }
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") || bytes[place] == byte
            else {
                throw error(
                    place - 1, "inside quotation marks `\\` stands before `\"` or `\\` only")
            }
            text.append(bytes[place])
            place += 1
        }
        throw error(start, "the quotation mark is never closed")
    }

    /// A space or the end of the text must follow.
    private func expectEnd(_ what: String) throws(QueryError) {
        guard place < bytes.count, !isSpace(bytes[place]) else { return }
        if bytes[place] == UInt8(ascii: "\"") {
            throw error(
                place,
                "a quotation mark inside \(what); quote the whole of it, "
                    + "with \\\" for a quotation mark")
        }
        if bytes[place] <= 0x20 || bytes[place] == 0x7F {
            throw error(place, "a control character; put the value in quotation marks")
        }
        throw error(place, "a space must follow \(what)")
    }

    // MARK: Values

    private mutating func spans<Bound>(
        _ field: QueryField, _ sign: Sign, _ wanted: String, _ read: (String) -> Bound?
    ) throws(QueryError) -> [Interval<Bound>] {
        func bound(_ text: String, _ place: Int) throws(QueryError) -> Bound {
            if let bound = read(text) { return bound }
            throw error(place, "`\(shown(text))` is not \(wanted)")
        }
        var spans: [Interval<Bound>] = []
        let pieces = try pieces(of: field.rawValue)
        if sign != .colon, pieces.count > 1 {
            throw error(pieces[1].place, "`\(sign.rawValue)` takes one value")
        }
        for piece in pieces {
            if sign != .colon {
                spans.append(Self.span(sign, try bound(piece.text, piece.place)))
            } else if let (low, high) = QueryText.ends(piece.text) {
                if low.isEmpty || high.isEmpty {
                    let side = low.isEmpty ? "<=\(high)" : ">=\(low)"
                    throw error(
                        piece.place, "a range needs two ends; write \(field.rawValue)\(shown(side))"
                    )
                }
                spans.append(
                    .range(
                        try bound(low, piece.place),
                        try bound(high, piece.place + low.utf8.count + 2)))
            } else {
                let value = try bound(piece.text, piece.place)
                // Why: no message is exactly an hour old.
                if field.form != .number {
                    throw error(
                        piece.place,
                        "`\(field.rawValue)` takes a comparison or a range: "
                            + "\(field.rawValue)>\(shown(piece.text)) or "
                            + "\(field.rawValue):\(shown(piece.text))..…")
                }
                spans.append(.exact(value))
            }
        }
        return spans
    }

    private static func span<Bound>(_ sign: Sign, _ bound: Bound) -> Interval<Bound> {
        switch sign {
        case .colon: .exact(bound)
        case .over: .over(bound)
        case .least: .least(bound)
        case .under: .under(bound)
        case .most: .most(bound)
        }
    }

    private mutating func arguments(
        _ sign: Sign, _ signPlace: Int
    ) throws(QueryError) -> [Query.ArgumentPattern] {
        let pieces = try pieces(of: "args.…")
        if sign != .colon {
            if pieces.count > 1 {
                throw error(pieces[1].place, "`\(sign.rawValue)` takes one value")
            }
            guard let number = ExactNumber(pieces[0].text) else {
                throw error(
                    pieces[0].place,
                    "`\(shown(pieces[0].text))` is not a number; "
                        + "arguments are compared with `\(sign.rawValue)` as numbers only")
            }
            return [.number(Self.span(sign, number))]
        }
        return pieces.map { piece in
            if piece.isQuoted { return .text(piece.text) }
            if let prefix = prefix(piece) { return .prefix(prefix) }
            if let (low, high) = QueryText.range(piece.text) { return .number(.range(low, high)) }
            return QueryText.isLiteral(piece.text) ? .literal(piece.text) : .text(piece.text)
        }
    }

    private func prefix(_ piece: Piece) -> String? {
        guard !piece.isQuoted, piece.text.utf8.last == UInt8(ascii: "*") else { return nil }
        return String(decoding: piece.text.utf8.dropLast(), as: UTF8.self)
    }

    private func pattern(
        _ piece: Piece, _ field: QueryField
    ) throws(QueryError) -> Query.TextPattern {
        var piece = piece
        switch field {
        case .id, .state, .fingerprint, .trace: piece.text = piece.text.asciiLowercased
        default: break
        }
        let known: [String]
        switch field {
        case .state: known = MessageState.allCases.map(\.rawValue)
        case .verdict: known = Event.Move.allCases.map(\.rawValue)
        default: known = []
        }
        if let prefix = prefix(piece) {
            if !known.isEmpty, !known.contains(where: { $0.utf8.starts(with: prefix.utf8) }) {
                throw unknown(prefix, field, known, at: piece.place)
            }
            return .prefix(prefix)
        }
        if known.isEmpty || known.contains(piece.text) { return .exact(piece.text) }
        // The words of the guide: crash-loop is crashLoop.
        let plain = piece.text.asciiLowercased.replacing("-", with: "")
        guard let value = known.first(where: { $0.asciiLowercased == plain }) else {
            throw unknown(piece.text, field, known, at: piece.place)
        }
        return .exact(value)
    }

    private func presence(_ piece: Piece) throws(QueryError) -> Query.Presence {
        if !piece.isQuoted {
            if piece.text.asciiLowercased.utf8.starts(with: "args.".utf8) {
                let names = String(decoding: piece.text.utf8.dropFirst(5), as: UTF8.self)
                return .argument(try path(names, at: piece.place))
            }
            if let field = QueryField(named: piece.text) { return .field(field) }
        }
        throw unknown(piece.text, at: piece.place)
    }

    private func path(_ names: String, at start: Int) throws(QueryError) -> [String] {
        let path = names.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        if path.contains(where: { $0.isEmpty || $0.utf8.contains(where: QueryText.isSign) }) {
            throw error(start, "`args` needs a path of names with points between: args.user.id")
        }
        if path.count > Query.maxPath {
            throw error(start, "a path has at most \(Query.maxPath) names")
        }
        return path
    }

    // MARK: Errors

    private func unknown(_ name: String, at place: Int) -> QueryError {
        let guess =
            name.asciiLowercased.nearest(of: QueryField.names + ["name", "args"])
            .map { "; did you mean `\($0)`?" } ?? ";"
        return error(
            place,
            "unknown field `\(shown(name))`\(guess) "
                + "fields: \(QueryField.names.joined(separator: ", ")); "
                + "quote a word that holds `:`, `<` or `>`")
    }

    private func unknown(
        _ value: String, _ field: QueryField, _ known: [String], at place: Int
    ) -> QueryError {
        let guess =
            value.asciiLowercased.nearest(of: known).map { "; did you mean `\($0)`?" } ?? ";"
        return error(
            place,
            "unknown \(field.rawValue) `\(shown(value))`\(guess) "
                + "\(field.rawValue)s: \(known.joined(separator: ", "))")
    }

    private func noComparison(_ field: String, _ sign: Sign, _ place: Int) -> QueryError {
        error(place, "`\(field)` can't be compared with `\(sign.rawValue)`; write \(field):…")
    }

    private func error(_ place: Int, _ reason: String) -> QueryError {
        QueryError(column: column(of: place), reason)
    }

    /// Characters are counted as Unicode scalars, from 1.
    private func column(of place: Int) -> Int {
        bytes.prefix(place).count { $0 & 0xC0 != 0x80 } + 1
    }

    private func shown(_ text: String) -> String { text.count > 40 ? "\(text.prefix(40))…" : text }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    private func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
}
