// SPDX-License-Identifier: Apache-2.0
import Godwit

/// Random queries, and random text that is nearly one.
struct QuerySource {
    var random: Xoshiro

    init(seed: UInt64) { random = Xoshiro(seed: seed) }

    mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

    mutating func pick<T>(_ all: [T]) -> T { all[Int.random(in: 0..<all.count, using: &random)] }

    mutating func some<T>(_ most: Int, _ make: (inout QuerySource) -> T) -> [T] {
        (0..<Int.random(in: 1...most, using: &random)).map { _ in make(&self) }
    }

    /// Few enough terms that the text stays below its bound.
    mutating func query() -> Query {
        Query(
            terms: (0..<Int.random(in: 0...4, using: &random)).map { _ in
                Query.Term(test(), isNegated: chance(3))
            })
    }

    mutating func test() -> Query.Test {
        let field = pick(QueryField.allCases)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return .word(text(emptyToo: false))
        case 1:
            return .argument(
                path(),
                chance(3) ? [.number(comparison { $0.number() })] : some(3) { $0.argument() })
        case 2:
            return .has(
                some(3) {
                    $0.chance(2) ? .argument($0.path()) : .field($0.pick(QueryField.allCases))
                })
        default: break
        }
        switch field.form {
        case .text: return .text(field, some(3) { $0.pattern(field) })
        case .reason: return .error(some(3) { $0.text(emptyToo: false) })
        case .number:
            return .number(
                field,
                chance(2)
                    ? [comparison { $0.number() }]
                    : some(3) { $0.chance(2) ? .exact($0.number()) : $0.range { $0.number() } })
        case .duration:
            return .duration(
                field,
                chance(2)
                    ? [comparison { $0.duration() }] : some(3) { $0.range { $0.duration() } })
        case .time:
            return .time(
                field,
                chance(2) ? [comparison { $0.moment() }] : some(3) { $0.range { $0.moment() } })
        }
    }

    mutating func comparison<T>(_ make: (inout QuerySource) -> T) -> Interval<T> {
        let bound = make(&self)
        return pick([.over(bound), .least(bound), .under(bound), .most(bound)])
    }

    mutating func range<T>(_ make: (inout QuerySource) -> T) -> Interval<T> {
        .range(make(&self), make(&self))
    }

    /// Now and then what means something in queries, SQL, Lua, globs or terminals.
    mutating func text(emptyToo: Bool = true) -> String {
        let pieces = [
            "a", "b", "mail", "HP1234", "42", " ", ",", "\"", "\\", "*", "%", "_", "'", ";", "--",
            ":", "<", ">", "=", "-", "..", "\u{0}", "\n", "\u{1B}", "é", "e\u{301}", "😀", "?", "[",
            "' OR 1=1 --", "redis.call('FLUSHALL')", "OR", "true", "1e3", "state=", "\u{202E}",
            "\u{A0}",
        ]
        let text = (0..<Int.random(in: emptyToo ? 0...4 : 1...4, using: &random)).map { _ in
            pick(pieces)
        }
        return text.joined()
    }

    /// Without what can't stand outside of quotation marks.
    mutating func bare() -> String {
        let pieces = ["a", "b", "mail", ".", "42", "*", "%", "_", "'", "\\", "é", "-", "😀"]
        return (0..<Int.random(in: 0...4, using: &random)).map { _ in pick(pieces) }.joined()
    }

    mutating func pattern(_ field: QueryField) -> Query.TextPattern {
        switch field {
        case .state:
            return chance(3)
                ? .prefix(pick(["", "d", "re"])) : .exact(pick(MessageState.allCases).rawValue)
        case .verdict:
            return chance(3)
                ? .prefix(pick(["", "re"])) : .exact(pick(Event.Move.allCases).rawValue)
        case .id, .fingerprint, .trace:
            return chance(3) ? .prefix(lower(bare())) : .exact(lower(text()))
        default: return chance(3) ? .prefix(bare()) : .exact(text())
        }
    }

    private func lower(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x41...0x5A).contains($0) ? $0 + 32 : $0 }, as: UTF8.self)
    }

    mutating func argument() -> Query.ArgumentPattern {
        switch Int.random(in: 0..<5, using: &random) {
        case 0: return .literal(pick(["true", "false", "null", "42", "007", "-1.5e3", "1e400"]))
        case 1: return .prefix(bare())
        case 2: return .number(range { $0.number() })
        default: return .text(text())
        }
    }

    mutating func path() -> [String] {
        some(3) { $0.pick(["user", "id", "0", "a-b", "é", "a*", "x'y", "\\"]) }
    }

    mutating func number() -> ExactNumber {
        let whole = Int64.random(in: -10...100, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return ExactNumber(Double(whole) / 8) ?? ExactNumber(0)
        case 1:
            return ExactNumber("\(whole)e\(Int.random(in: -30...30, using: &random))")
                ?? ExactNumber(0)
        case 2: return ExactNumber(UInt64.random(in: .min ... .max, using: &random))
        default: return ExactNumber(whole)
        }
    }

    mutating func duration() -> Int64 {
        Int64.random(in: 0...100, using: &random) * pick([1, 1000, 60_000, 3_600_000, 86_400_000])
    }

    mutating func moment() -> Query.Moment {
        if chance(2) { return .fromNow(duration() * (chance(2) ? 1 : -1)) }
        let range = Timestamp.written
        let step = pick([Int64(1), 10, 1000, 60_000, 86_400_000])
        let milliseconds = Int64.random(
            in: range.lowerBound / step...range.upperBound / step, using: &random)
        return .at(Timestamp(milliseconds: milliseconds * step))
    }

    /// Pieces of queries in any order; often not a query.
    mutating func noise() -> String {
        let pieces = [
            "state:", "dead", "key:", "args.a", ":", ">", ">=", "<", "\"", "\\\"", " ", "-", ",",
            "..",
            "1", "0.50", "1e9", "60m", "-1h", "2026-11-22", "T00:00:00Z", "age", "attempt",
            "inserted",
            "a", "*", "has:", "kind", "word", "tag:x", "crash-loop", "verdict:", "error:",
        ]
        return some(8) { $0.pick(pieces) }.joined()
    }
}
