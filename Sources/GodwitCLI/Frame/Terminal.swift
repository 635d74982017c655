// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

enum ColorChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case auto, always, never
}

/// What stands at the other end of stdout: a person who sees columns, or a program.
struct Terminal: Sendable {
    let isTerminal: Bool
    /// Columns; nil: without an end.
    let width: Int?
    let hasColor: Bool

    init(_ color: ColorChoice, environment: [String: String] = ProcessInfo.processInfo.environment)
    {
        isTerminal = isatty(1) == 1
        width = isTerminal ? Self.columns(environment) : nil
        hasColor =
            switch color {
            case .always: true
            case .never: false
            // https://no-color.org: set and not empty.
            case .auto:
                isTerminal && environment["NO_COLOR", default: ""].isEmpty
                    && environment["TERM"] != "dumb"
            }
    }

    /// Someone is there to be asked: stdin and stderr are a terminal.
    static var canAsk: Bool { isatty(0) == 1 && isatty(2) == 1 }

    private static func columns(_ environment: [String: String]) -> Int {
        var size = winsize()
        if ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
        return environment["COLUMNS"].flatMap { Int($0) } ?? 80
    }

    /// Names and values, a pair a line; a value on a terminal is not cut, it wraps.
    func pairs(_ lines: [(String, String)]) -> String {
        let width = lines.map(\.0.width).max() ?? 0
        var out = ""
        for (name, value) in lines {
            out += paint(name, .dim) + String(repeating: " ", count: width - name.width + 2)
            out += paint(value, name == "state" ? .state(value) : .plain) + "\n"
        }
        return out
    }

    /// A table whose columns line up; on a terminal the widest columns are cut so that it fits.
    func table(_ header: [String], _ rows: [[String]]) -> String {
        var widths = header.map(\.width)
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.width) }
        }
        if let width { Self.fit(&widths, header, into: width) }
        var out = line(header, widths) { paint($0, .bold) }
        for row in rows {
            out += line(row, widths) { paint($0, .state($0)) }
        }
        return out
    }

    private func line(_ cells: [String], _ widths: [Int], _ paint: (String) -> String) -> String {
        var out = ""
        for (index, cell) in cells.enumerated() {
            let cell = width == nil ? cell : cell.cut(toColumns: widths[index])
            out += paint(cell)
            if index < cells.count - 1 {
                out += String(repeating: " ", count: max(0, widths[index] - cell.width) + 2)
            }
        }
        return out + "\n"
    }

    /// Columns that people copy from: half of an id is none.
    private static let whole: Set<String> = ["id", "fingerprint", "worker", "token", "name"]

    /// Takes from the widest column until all fit; none gets narrower than its header or 8 columns.
    private static func fit(_ widths: inout [Int], _ header: [String], into width: Int) {
        var over = widths.reduce(0, +) + 2 * (widths.count - 1) - width
        while over > 0 {
            let cuttable = widths.indices.filter { !whole.contains(header[$0]) }
            guard let widest = cuttable.max(by: { widths[$0] < widths[$1] }),
                widths[widest] > max(8, header[widest].width)
            else { return }
            widths[widest] -= 1
            over -= 1
        }
    }

    private enum Paint {
        case plain, bold, dim
        case state(String)

        /// SGR (ECMA-48, 8.3.117).
        var code: String? {
            switch self {
            case .plain: nil
            case .bold: "1"
            case .dim: "2"
            case .state(let state):
                switch state {
                case "dead", "PROBLEM", "problem": "31"
                case "completed", "ok", "good", "running": "32"
                case "paused", "suspect", "note", "quiet": "33"
                case "leased": "36"
                default: nil
                }
            }
        }
    }

    private func paint(_ text: String, _ paint: Paint) -> String {
        guard hasColor, let code = paint.code else { return text }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }
}
