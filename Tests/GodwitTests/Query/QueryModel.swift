// SPDX-License-Identifier: Apache-2.0
import Godwit
import MessagePack

/// A message as it was made up, which the naive evaluator looks at; it never reads the bytes that
/// the matcher reads.
struct QueryModel {
    indirect enum Tree {
        case null
        case flag(Bool)
        case whole(Int64)
        case real(Double)
        case text(String)
        case list([Tree])
        case map([(String, Tree)])
    }

    static let now = Timestamp(milliseconds: 1_800_000_000_000)

    var queue: QueueName
    var record: MessageRecord
    var headers: [String: String]
    /// Nil: no envelope.
    var arguments: Tree?
    var fraction: Double?
    var isJSON: Bool

    init(_ source: inout QuerySource) {
        func ago(_ source: inout QuerySource) -> Timestamp {
            Timestamp(milliseconds: Self.now.milliseconds - source.duration())
        }
        queue = source.pick(["mail", "mail:eu", "prints"])
        let state = source.pick(MessageState.allCases)
        let kind = source.pick(["mail.send", "mail.a%", "a_b", "invoice"])
        let entry = Entry(
            id: MessageID(
                high: UInt64(Self.now.milliseconds) << 16 | 0x7000,
                low: UInt64.random(in: 0..<8, using: &source.random) | 0x8000_0000_0000_0000),
            hasUniqueKey: false, kindHash: 7, maxAttempts: 25, insertedAt: ago(&source),
            readyAt: ago(&source), attempt: UInt8.random(in: 0..<6, using: &source.random),
            lost: UInt8.random(in: 0..<3, using: &source.random),
            generation: UInt8.random(in: 0..<2, using: &source.random))
        record = MessageRecord(
            state: state, entry: entry, kind: source.chance(10) ? nil : kind,
            count: Int.random(in: 0..<9, using: &source.random))
        if source.chance(2) { record.executedAt = ago(&source) }
        if state.hasEnded || state == .dead { record.finishedAt = ago(&source) }
        if state == .scheduled { record.dueAt = Self.now + .milliseconds(source.duration()) }
        if source.chance(2) { record.worker = UInt32.random(in: 0..<50, using: &source.random) }
        if source.chance(2) { record.uniqueKey = source.text() }
        if source.chance(2) { record.reason = source.text() }
        if source.chance(2) { record.verdict = source.pick(Event.Move.allCases) }
        if source.chance(2) {
            let percent = Int64.random(in: 0...100, using: &source.random)
            fraction = Double(percent) / 100
            record.checkpoint =
                source.chance(2)
                ? [UInt8]("{\"note\": \"x\", \"fraction\": \(Double(percent) / 100)}".utf8)
                : Self.packed(.map([("fraction", .real(Double(percent) / 100))]))
        }
        headers = [:]
        isJSON = source.chance(2)
        if !state.hasEnded, !source.chance(8) {
            if source.chance(2) { headers["godwit-key"] = source.text() }
            if source.chance(2) {
                headers["godwit-tags"] = source.pick(["eu", "eu,us", "a,b,42", ","])
            }
            if source.chance(2) {
                headers["traceparent"] = source.pick([
                    "00-\(String(repeating: "ab", count: 16))-1-01", "junk",
                ])
            }
            let tree = Self.tree(&source, 0)
            arguments = tree
            record.body = Envelope.body(
                kind: "x", contentType: isJSON ? .json : .messagePack, headers: headers,
                payload: isJSON ? [UInt8](Self.json(tree).utf8) : Self.packed(tree))
        }
    }

    private static func tree(_ source: inout QuerySource, _ depth: Int) -> Tree {
        switch Int.random(in: 0..<(depth == 0 ? 3 : depth > 3 ? 5 : 8), using: &source.random) {
        case _ where depth == 0, 5, 6:
            var names = Set<String>()
            var map: [(String, Tree)] = []
            for _ in 0..<4 {
                let name = source.path()[0]
                if names.insert(name).inserted { map.append((name, tree(&source, depth + 1))) }
            }
            return .map(map)
        case 0: return .whole(source.pick([42, 7, -3, 100, .max, .min, 0]))
        case 1: return .real(Double(Int.random(in: -8...80, using: &source.random)) / 8)
        case 2: return source.pick([.null, .flag(true), .flag(false)])
        case 7: return .list((0..<3).map { _ in tree(&source, depth + 1) })
        default: return .text(source.text())
        }
    }

    static func packed(_ tree: Tree) -> [UInt8] {
        var writer = MessagePackWriter()
        func write(_ tree: Tree) {
            switch tree {
            case .null: writer.writeNil()
            case .flag(let flag): writer.writeBool(flag)
            case .whole(let whole): writer.writeInt(whole)
            case .real(let real): writer.writeDouble(real)
            case .text(let text): writer.writeString(text)
            case .list(let list):
                writer.writeArrayHeader(list.count)
                list.forEach(write)
            case .map(let map):
                writer.writeMapHeader(map.count)
                for (name, value) in map {
                    writer.writeString(name)
                    write(value)
                }
            }
        }
        write(tree)
        return writer.bytes
    }

    static func json(_ tree: Tree) -> String {
        func quoted(_ text: String) -> String {
            "\""
                + text.unicodeScalars.map { scalar in
                    switch scalar {
                    case "\"": "\\\""
                    case "\\": "\\\\"
                    case "\n": "\\n"
                    case "😀": "\\ud83d\\ude00"
                    case _ where scalar.value < 0x20 || scalar.value == 0xE9:
                        "\\u"
                            + String(
                                repeating: "0", count: 4 - String(scalar.value, radix: 16).count)
                            + String(scalar.value, radix: 16)
                    default: String(scalar)
                    }
                }.joined() + "\""
        }
        return switch tree {
        case .null: "null"
        case .flag(let flag): "\(flag)"
        case .whole(let whole): "\(whole)"
        case .real(let real): "\(real)"
        case .text(let text): quoted(text)
        case .list(let list): "[ " + list.map(json).joined(separator: " , ") + "]"
        case .map(let map):
            "{" + map.map { quoted($0) + " : " + json($1) }.joined(separator: ",\n") + " }"
        }
    }
}

/// The meaning of a query, said a second time and as plainly as possible.
extension QueryModel {
    func isMeant(by query: Query) -> Bool {
        query.terms.allSatisfy { holds($0.test) != $0.isNegated }
    }

    private func holds(_ test: Query.Test) -> Bool {
        switch test {
        case .word(let word):
            return occurs(word, record.reason)
                || leaves(arguments).contains { leaf in
                    switch leaf {
                    case .text(let text): occurs(word, text)
                    case .whole(let whole): occurs(word, ExactNumber(whole).description)
                    case .real(let real): occurs(word, ExactNumber(real)?.description)
                    default: false
                    }
                }
        case .error(let words): return words.contains { occurs($0, record.reason) }
        case .text(let field, let patterns):
            return texts(field).contains { text in
                patterns.contains {
                    switch $0 {
                    case .exact(let wanted): Array(text.utf8) == Array(wanted.utf8)
                    case .prefix(let wanted):
                        Array(text.utf8.prefix(wanted.utf8.count)) == Array(wanted.utf8)
                    }
                }
            }
        case .argument(let path, let patterns):
            guard let place = descend(path) else { return false }
            var leaves = [place]
            if case .list(let list) = place { leaves = list }
            return leaves.contains { leaf in patterns.contains { fits($0, leaf) } }
        case .number(let field, let spans):
            return numbers(field).contains { value in
                spans.contains { isInside(value, $0) }
            }
        case .duration(let field, let spans):
            return durations(field).contains { value in
                spans.contains { isInside(Double(value), $0.map { ExactNumber($0) }) }
            }
        case .time(let field, let spans):
            let all: [QueryField: Timestamp?] = [
                .inserted: record.entry.insertedAt, .due: record.dueAt,
                .executed: record.executedAt, .finished: record.finishedAt,
            ]
            guard let moment = all[field] ?? nil else { return false }
            return spans.contains { span in
                isInside(
                    Double(moment.milliseconds),
                    span.map {
                        switch $0 {
                        case .at(let moment): ExactNumber(moment.milliseconds)
                        case .fromNow(let distance): ExactNumber(Self.now.milliseconds + distance)
                        }
                    })
            }
        case .has(let presences):
            return presences.contains {
                switch $0 {
                case .argument(let path): descend(path) != nil
                case .field(let field):
                    switch field {
                    case .error: record.reason != nil
                    case .inserted: true
                    case .due: record.dueAt != nil
                    case .executed: record.executedAt != nil
                    case .finished: record.finishedAt != nil
                    case .age, .wait, .run: !durations(field).isEmpty
                    case .attempt, .count, .lost, .generation, .size, .progress:
                        !numbers(field).isEmpty
                    default: !texts(field).isEmpty
                    }
                }
            }
        }
    }

    private func texts(_ field: QueryField) -> [String] {
        let one: String?
        switch field {
        case .id: one = record.id.description
        case .queue: one = queue.text
        case .kind: one = record.kind
        case .state: one = record.state.rawValue
        case .worker: one = record.worker.map { "\($0)" }
        case .unique: one = record.uniqueKey
        case .verdict: one = record.verdict?.rawValue
        case .fingerprint:
            one = record.reason.map { Fingerprint(kind: record.kind ?? "", reason: $0).id }
        case .key: one = headers["godwit-key"]
        case .tag: return headers["godwit-tags"]?.split(separator: ",").map(String.init) ?? []
        case .trace:
            one =
                headers["traceparent"] == "junk" || headers["traceparent"] == nil
                ? nil : String(repeating: "ab", count: 16)
        default: return []
        }
        return one.map { [$0] } ?? []
    }

    private func numbers(_ field: QueryField) -> [Double] {
        switch field {
        case .attempt: [Double(record.entry.attempt)]
        case .lost: [Double(record.entry.lost)]
        case .generation: [Double(record.entry.generation)]
        case .count: [Double(record.count)]
        case .size: record.body.map { [Double($0.count)] } ?? []
        default: fraction.map { [$0] } ?? []
        }
    }

    private func durations(_ field: QueryField) -> [Int64] {
        let now = Self.now.milliseconds
        let ready = record.entry.readyAt.milliseconds
        let executed = record.executedAt?.milliseconds
        switch field {
        case .age: return [now - record.entry.insertedAt.milliseconds]
        case .wait:
            if record.state == .ready { return [now - ready] }
            guard record.state != .scheduled, let executed, executed >= ready else { return [] }
            return [executed - ready]
        default:
            guard let executed else { return [] }
            if record.state == .leased { return [now - executed] }
            return record.finishedAt.map { [max(0, $0.milliseconds - executed)] } ?? []
        }
    }

    /// Small numbers only, so that doubles do.
    private func isInside(_ value: Double, _ span: Interval<ExactNumber>) -> Bool {
        func number(_ number: ExactNumber) -> Double { Double(number.description) ?? .nan }
        return switch span {
        case .exact(let bound): value == number(bound)
        case .range(let low, let high): number(low) <= value && value <= number(high)
        case .over(let bound): value > number(bound)
        case .least(let bound): value >= number(bound)
        case .under(let bound): value < number(bound)
        case .most(let bound): value <= number(bound)
        }
    }

    private func occurs(_ word: String, _ text: String?) -> Bool {
        guard let text else { return false }
        let (word, all) = (Array(word.lowercased().utf8), Array(text.lowercased().utf8))
        guard all.count >= word.count else { return false }
        return (0...(all.count - word.count)).contains { Array(all[$0..<$0 + word.count]) == word }
    }

    private func leaves(_ tree: Tree?) -> [Tree] {
        switch tree {
        case nil: []
        case .list(let list): list.flatMap(leaves)
        case .map(let map): map.flatMap { leaves($0.1) }
        case let leaf?: [leaf]
        }
    }

    private func descend(_ path: [String]) -> Tree? {
        path.reduce(arguments) { tree, name in
            switch tree {
            case .map(let map):
                map.first { Array($0.0.utf8) == Array(name.utf8) }?.1
            case .list(let list): Int(name).flatMap { list.indices.contains($0) ? list[$0] : nil }
            default: nil
            }
        }
    }

    private func fits(_ pattern: Query.ArgumentPattern, _ leaf: Tree) -> Bool {
        switch (pattern, leaf) {
        case (.text(let wanted), .text(let text)): return Array(wanted.utf8) == Array(text.utf8)
        case (.prefix(let wanted), .text(let text)):
            return Array(text.utf8.prefix(wanted.utf8.count)) == Array(wanted.utf8)
        case (.literal(let wanted), .text(let text)): return wanted == text
        case (.literal(let wanted), .flag(let flag)): return wanted == "\(flag)"
        case (.literal(let wanted), .null): return wanted == "null"
        case (.literal(let wanted), .whole(let whole)):
            return Double(wanted).map { $0 == Double(whole) } ?? false
        case (.literal(let wanted), .real(let real)):
            return Double(wanted).map { $0 == real } ?? false
        case (.number(let span), .whole(let whole)):
            // Why exact here: the ends of Int64 are among the numbers.
            return span.contains(ExactNumber(whole))
        case (.number(let span), .real(let real)): return isInside(real, span)
        default: return false
        }
    }
}
