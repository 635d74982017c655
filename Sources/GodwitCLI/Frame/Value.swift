// SPDX-License-Identifier: Apache-2.0
import Godwit

/// A value as it leaves the command: one form for text, TSV and JSON.
enum Value: Sendable {
    case null
    case flag(Bool)
    case int(Int)
    case number(Double)
    case text(String)
    case time(Timestamp)
    /// A length of time; milliseconds in JSON and TSV.
    case span(Duration)
    case list([Value])
    case object([(String, Value)])

    static func optional(_ text: String?) -> Value { text.map(Value.text) ?? .null }
    static func optional(_ time: Timestamp?) -> Value { time.map(Value.time) ?? .null }
    static func optional(_ int: Int?) -> Value { int.map(Value.int) ?? .null }
}

extension Value {
    /// As JSON (RFC 8259). Control, bidirectional and invisible characters are written as `\u`
    /// escapes: the same string to a program, and harmless on a terminal.
    func write(to out: inout String, _ times: TimeStyle) {
        switch self {
        case .null: out += "null"
        case .flag(let value): out += value ? "true" : "false"
        case .int(let value): out += "\(value)"
        case .number(let value): out += Self.digits(value)
        case .text(let value): Self.write(value, to: &out)
        case .time(let value):
            out += times == .unix ? value.unixText : "\"\(value.text)\""
        case .span(let value): out += "\(value.wholeMilliseconds)"
        case .list(let values):
            out += "["
            for (index, value) in values.enumerated() {
                if index > 0 { out += "," }
                value.write(to: &out, times)
            }
            out += "]"
        case .object(let fields):
            out += "{"
            for (index, field) in fields.enumerated() {
                if index > 0 { out += "," }
                Self.write(field.0, to: &out)
                out += ":"
                field.1.write(to: &out, times)
            }
            out += "}"
        }
    }

    func json(_ times: TimeStyle = .iso) -> String {
        var out = ""
        write(to: &out, times)
        return out
    }

    /// A number that JSON can hold: a figure that is none, is null.
    private static func digits(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        return value == value.rounded() && abs(value) < 9e15 ? "\(Int(value))" : "\(value)"
    }

    static func write(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case "\r": out += "\\r"
            case let scalar where scalar.drivesTerminals:
                // Why UTF-16: above the first plane JSON writes two escapes.
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}

extension Duration {
    /// Whole milliseconds; what does not fit is the nearest.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, isOver) = seconds.multipliedReportingOverflow(by: 1000)
        return isOver ? (seconds < 0 ? .min : .max) : product &+ attoseconds / 1_000_000_000_000_000
    }
}
