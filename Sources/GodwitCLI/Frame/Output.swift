// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit

/// How data leaves the command.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// For people: tables, control characters escaped.
    case text
    /// One JSON object in all: a list is its `items`.
    case json
    /// One JSON object a line.
    case jsonl
    /// A header and a line for each thing, tab separated, `\t \n \\` escaped.
    case tsv
    /// Nothing: only the exit code counts.
    case none
}

/// Prints things of one type on stdout, in the format and with the fields that were asked for.
struct Output<R: Row>: Sendable {
    let format: OutputFormat
    /// In the order that was asked for; nil: those that the format shows by itself.
    let chosen: [Column<R>]?
    let time: TimeStyle?
    let terminal: Terminal

    /// - Throws: `usage` for a field that there is none of, before anything was done.
    init(_ format: OutputFormat, fields: [String]?, time: TimeStyle?, terminal: Terminal) throws {
        self.format = format
        self.time = time
        self.terminal = terminal
        chosen = try fields?.map { name in
            if let column = R.columns.first(where: { $0.name == name }) { return column }
            let names = R.columns.map(\.name)
            let guess = name.nearest(of: names).map { "; did you mean `\($0)`?" } ?? "."
            throw Failure(
                .usage,
                """
                --fields: there is no field `\(name.prefix(60))`\(guess) It has: \
                \(names.joined(separator: ", ")).
                """)
        }
    }

    private var times: TimeStyle {
        switch format {
        case .text: time ?? (terminal.isTerminal ? .relative : .iso)
        default: time == .unix ? .unix : .iso
        }
    }

    /// One thing; in text its fields become lines.
    func one(_ row: R) throws {
        switch format {
        case .none: return
        case .json, .jsonl: try Stdout.write(object(row, stamped: true).json(times) + "\n")
        case .tsv: try tsv([row])
        case .text:
            let now = Timestamp.here
            var lines: [(String, String)] = []
            for column in chosen ?? R.columns {
                switch column.value(row) {
                case .object(let fields):
                    lines += fields.map {
                        ("\(column.name).\($0.0.label($0.1))", $0.1.readable(times, now: now))
                    }
                case let value:
                    lines.append((column.name.label(value), value.readable(times, now: now)))
                }
            }
            try Stdout.write(terminal.pairs(lines))
        }
    }

    /// A list; `scan` says what was looked at for it.
    func list(_ rows: [R], _ scan: Scan? = nil) throws {
        switch format {
        case .none: break
        case .json: try envelope(rows, scan)
        case .jsonl:
            var out = ""
            for row in rows {
                object(row, stamped: true).write(to: &out, times)
                out += "\n"
            }
            try Stdout.write(out)
        case .tsv: try tsv(rows)
        case .text:
            let columns = chosen ?? R.columns.filter { $0.place == .list }
            let now = Timestamp.here
            try Stdout.write(
                terminal.table(
                    columns.map {
                        $0.type == "milliseconds" ? String($0.name.dropLast(3)) : $0.name
                    },
                    rows.map { row in columns.map { $0.value(row).readable(times, now: now) } }))
        }
        if let scan { Talk.say(scan.sentence) }
    }

    /// The first rows of a list that has `count`: says whether those are all, in JSON as `complete`.
    func list(_ rows: [R], of count: Int) throws {
        let isComplete = rows.count >= count
        if format == .json {
            try envelope(rows, Scan(scanned: count, isComplete: isComplete))
        } else {
            try list(rows)
        }
        if !isComplete { Talk.say("\(count - rows.count) more: raise --limit to see them") }
    }

    /// A list that goes on: only its first part has a header, and in text every part stands alone.
    func stream(_ rows: [R], isFirst: Bool) throws {
        switch format {
        case .none, .json: return
        case .jsonl: try list(rows)
        case .tsv:
            if isFirst { return try tsv(rows) }
            for row in rows {
                try Stdout.write(
                    (chosen ?? R.columns).map { $0.value(row).tsv(times) }
                        .joined(separator: "\t") + "\n")
            }
        case .text:
            let columns = chosen ?? R.columns.filter { $0.place == .list }
            let now = Timestamp.here
            let style = time ?? .iso
            for row in rows {
                let cells = columns.map { $0.value(row).readable(style, now: now) }
                try Stdout.write(cells.joined(separator: "  ") + "\n")
            }
        }
    }

    private func envelope(_ rows: [R], _ scan: Scan?) throws {
        var out = "{"
        Value.write("schema", to: &out)
        out += ":"
        Value.write(R.schema.listSchema, to: &out)
        for (name, value) in scan?.fields ?? [] {
            out += ","
            Value.write(name, to: &out)
            out += ":"
            value.write(to: &out, times)
        }
        out += ",\"items\":["
        for (index, row) in rows.enumerated() {
            out += index == 0 ? "\n " : ",\n "
            object(row, stamped: false).write(to: &out, times)
        }
        try Stdout.write(out + "]}\n")
    }

    private func object(_ row: R, stamped: Bool) -> Value {
        let fields = (chosen ?? R.columns).map { ($0.name, $0.value(row)) }
        return .object((stamped ? [("schema", .text(R.schema))] : []) + fields)
    }

    private func tsv(_ rows: [R]) throws {
        let columns = chosen ?? R.columns
        var out = columns.map(\.name).joined(separator: "\t") + "\n"
        for row in rows {
            out += columns.map { $0.value(row).tsv(times) }.joined(separator: "\t") + "\n"
        }
        try Stdout.write(out)
    }
}

extension String {
    /// `godwit.queue/1` is `godwit.queue.list/1` in a list.
    var listSchema: String {
        guard let slash = lastIndex(of: "/") else { return self + ".list" }
        return self[..<slash] + ".list" + self[slash...]
    }
}

extension String {
    /// What stands before a value for people, who read a length of time with its unit.
    fileprivate func label(_ value: Value) -> String {
        if case .span = value, hasSuffix("_ms") { return String(dropLast(3)) }
        return self.shown
    }
}

extension Value {
    /// For people.
    func readable(_ times: TimeStyle, now: Timestamp) -> String {
        switch self {
        case .null: "-"
        case .flag(let value): value ? "yes" : "no"
        case .int(let value): "\(value)"
        case .number(let value):
            abs(value) >= 1000 ? "\(Int(value.rounded().clamped))" : "\(value.rounded(to: 3))"
        case .text(let value): value.shown
        case .time(let value): value.text(times, now: now)
        case .span(let value): value.brief
        case .list(let values):
            values.isEmpty
                ? "-" : values.map { $0.readable(times, now: now) }.joined(separator: "; ")
        case .object(let fields):
            fields.isEmpty
                ? "-"
                : fields.map { "\($0.0.shown)=\($0.1.readable(times, now: now))" }
                    .joined(separator: " ")
        }
    }

    /// For programs: empty where there is nothing, compact JSON for lists and objects.
    func tsv(_ times: TimeStyle) -> String {
        switch self {
        case .null: ""
        case .text(let value): value.cell
        case .list, .object: json(times).cell
        case .time(let value): value.text(times, now: value)
        case .span(let value): "\(value.wholeMilliseconds)"
        default: json(times)
        }
    }
}

extension Double {
    fileprivate var clamped: Double { isFinite ? Swift.max(-9e15, Swift.min(9e15, self)) : 0 }
}

/// The one way to stdout.
enum Stdout {
    static func write(_ text: String) throws {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        } catch {
            throw Failure(.io, "could not write to stdout: \(error). Check where it goes to.")
        }
    }
}
