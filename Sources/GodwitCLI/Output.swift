// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit

/// How data leaves the command.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// For people: tables, control characters escaped.
    case text
    /// One JSON value in all: an array for a list.
    case json
    /// One JSON object a line.
    case jsonl
}

/// A value that can stand in a table and in JSON.
protocol Row: Encodable, Sendable {
    static var columns: [String] { get }
    var cells: [String] { get }
}

/// Prints data on stdout in the format that was asked for.
struct Output: Sendable {
    let format: OutputFormat

    /// One object; in text its columns become lines.
    func one<R: Row>(_ row: R) throws {
        guard format == .text else { return try line(json(row)) }
        let width = R.columns.map(\.count).max() ?? 0
        for (name, cell) in zip(R.columns, row.cells) {
            try line(
                name + String(repeating: " ", count: width - name.count + 2)
                    + cell.escapedForDisplay)
        }
    }

    func list<R: Row>(_ rows: [R]) throws {
        switch format {
        case .text: try table(R.columns, rows.map(\.cells))
        case .json: try line("[" + rows.map { try json($0) }.joined(separator: ",\n ") + "]")
        case .jsonl: for row in rows { try line(json(row)) }
        }
    }

    private func json(_ row: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return String(decoding: try encoder.encode(row), as: UTF8.self)
    }

    private func table(_ columns: [String], _ rows: [[String]]) throws {
        let shown = [columns] + rows.map { $0.map { String($0.escapedForDisplay.prefix(200)) } }
        var widths = columns.map(\.count)
        for row in shown {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
        }
        for row in shown {
            var text = ""
            for (index, cell) in row.enumerated() {
                text += cell
                if index < row.count - 1 {
                    text += String(repeating: " ", count: widths[index] - cell.count + 2)
                }
            }
            try line(text)
        }
    }

    private func line(_ text: String) throws {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
        } catch {
            throw Failure(.io, "could not write to stdout: \(error). Check where it goes to.")
        }
    }
}
