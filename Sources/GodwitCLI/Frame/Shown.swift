// SPDX-License-Identifier: Apache-2.0

extension Unicode.Scalar {
    /// It would move a cursor, ring, reorder or hide text instead of standing in it: control
    /// characters, marks of direction, invisible ones and tags.
    var drivesTerminals: Bool {
        switch value {
        case 0..<0x20, 0x7F...0x9F: true
        case 0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F: true
        case 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F: true
        default: false
        }
    }
}

extension String {
    /// As it can stand on a terminal: `\x1b` for an escape, `\u{202e}` for a mark of direction.
    var shown: String {
        guard unicodeScalars.contains(where: \.drivesTerminals) else { return self }
        var out = ""
        for scalar in unicodeScalars { scalar.show(in: &out) }
        return out
    }

    /// ``shown`` that keeps its lines.
    var shownLines: String {
        var out = ""
        for scalar in unicodeScalars {
            if scalar == "\n" { out += "\n" } else { scalar.show(in: &out) }
        }
        return out
    }

    /// A cell of a table for programs: one line, one column, no formula, and reversible: backslash,
    /// tab, newline and what drives terminals are escaped.
    var cell: String {
        var out = ""
        // Why: a spreadsheet runs what begins like this (OWASP, CSV injection).
        if let first = unicodeScalars.first, "=+-@".unicodeScalars.contains(first) { out = "'" }
        for scalar in unicodeScalars {
            if scalar == "\\" { out += "\\\\" } else { scalar.show(in: &out) }
        }
        return out
    }

    /// How many columns of a terminal it takes, nearly.
    var width: Int {
        var width = 0
        for character in self {
            guard let first = character.unicodeScalars.first else { continue }
            if first.value < 0x300 { width += 1 } else { width += first.width }
        }
        return width
    }

    /// Its beginning in at most `columns` columns, with an ellipsis where something is missing.
    func cut(toColumns columns: Int) -> String {
        guard width > columns else { return self }
        var out = ""
        var left = columns - 1
        for character in self {
            left -= max(0, String(character).width)
            if left < 0 { break }
            out.append(character)
        }
        return out + "…"
    }

    /// The name that was probably meant.
    func nearest(of names: [String]) -> String? {
        let best = names.map { ($0, distance(to: $0)) }.min { $0.1 < $1.1 }
        guard let best, best.1 <= (count < 4 ? 1 : Swift.max(2, count / 3)) else { return nil }
        return best.0
    }

    /// How many letters must change (Levenshtein).
    private func distance(to other: String) -> Int {
        let a = Array(utf8.prefix(64))
        let b = Array(other.utf8.prefix(64))
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var corner = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let change = corner + (x == y ? 0 : 1)
                corner = row[j + 1]
                row[j + 1] = Swift.min(change, row[j] + 1, corner + 1)
            }
        }
        return row[b.count]
    }
}

extension Unicode.Scalar {
    fileprivate func show(in out: inout String) {
        guard drivesTerminals else {
            out.unicodeScalars.append(self)
            return
        }
        switch self {
        case "\n": out += "\\n"
        case "\t": out += "\\t"
        case "\r": out += "\\r"
        default:
            let digits = String(value, radix: 16)
            out += value < 0x100 ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
        }
    }

    /// Wide in East Asian terminals (Unicode UAX 11) or an emoji: 2; a mark on another: 0.
    fileprivate var width: Int {
        if properties.generalCategory == .nonspacingMark { return 0 }
        switch value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF,
            0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}
