// SPDX-License-Identifier: Apache-2.0

extension Scores {
    /// The figures as a table for the terminal and the docs.
    package var table: String {
        func cell(_ value: Double?, _ decimals: Int = 2) -> String {
            let text = value.map { fixed($0, decimals) } ?? "–"
            return String(repeating: " ", count: max(0, 9 - text.count)) + text
        }
        var lines = ["MAE in days         30 d     14 d      7 d      3 d   no answer"]
        for (name, value) in Self.methods {
            if name == "oracle", points.allSatisfy({ $0.oracle == nil }) { continue }
            let title = name + String(repeating: " ", count: max(0, 14 - name.count))
            let cells = Self.horizons.map { cell(average(errors(value, $0).map(abs))) }
            lines.append(title + cells.joined() + cell(100 * noAnswer(name)) + " %")
        }
        let ratios = Self.horizons.map { horizon -> String in
            guard let ours = mae("ours", horizon), let two = mae("two_point", horizon), two > 0
            else { return cell(nil) }
            return cell(ours / two, 3)
        }
        lines.append("ratio         " + ratios.joined())
        lines.append("80 % interval covers " + cell(coverage(), 3) + ", by step")
        for step in tally.keys.sorted() {
            lines.append("  \(step) %" + cell(coverage(step: step), 3))
        }
        lines.append("replacement F1 " + cell(f1(), 4) + ", steps ≤ 5 % " + cell(f1(upTo: 5), 4))
        lines.append("\(points.count) points, \(readings) readings")
        return lines.joined(separator: "\n")
    }
}
