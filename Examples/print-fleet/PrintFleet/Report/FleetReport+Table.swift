// SPDX-License-Identifier: Apache-2.0

extension FleetReport {
    /// The fleet as text, sorted by days left; at most `limit` rows.
    package func table(limit: Int = 50) -> String {
        let head = ["device", "supply", "level", "days left", "80 %", "empty on", "sure", "why"]
        let rows = self.rows
        var cells = rows.prefix(limit).map { one -> [String] in
            let name = one.color == .none ? "\(one.supply)" : "\(one.supply) \(one.color.text)"
            return [
                one.device, name, one.level.map { fixed($0, 0) + " %" } ?? "–",
                one.p50.map { fixed($0) } ?? "–",
                one.p10.flatMap { low in one.p90.map { "\(fixed(low))–\(fixed($0))" } } ?? "–",
                one.date?.date ?? "–", one.confidence.rawValue, one.reason.rawValue,
            ]
        }
        cells.insert(head, at: 0)
        let widths = head.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        var lines = cells.map { row -> String in
            var line = ""
            for (column, text) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - text.count)
                line += (2...4).contains(column) ? space + text : text + space
                line += "  "
            }
            while line.last == " " { line.removeLast() }
            return line
        }
        if rows.count > limit { lines.append("… and \(rows.count - limit) more") }
        return lines.joined(separator: "\n")
    }
}
