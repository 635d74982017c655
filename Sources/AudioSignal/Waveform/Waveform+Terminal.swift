// SPDX-License-Identifier: Apache-2.0

extension Waveform {
    /// What a terminal can show.
    public enum Strokes: Sendable, Hashable, CaseIterable {
        /// 2 × 4 dots a character (U+2800…).
        case braille
        /// Upper and lower half of a character.
        case blocks
        /// `'`, `.` and `|`, for a terminal that knows no more.
        case ascii

        var across: Int { self == .braille ? 2 : 1 }
        var down: Int { self == .braille ? 4 : 2 }
    }

    /// The waveform as so many lines of so many characters, all channels in one.
    ///
    /// Silence is a line through the middle. A waveform shorter than the dots is drawn wider, an empty one
    /// is blank.
    public func lines(width: Int, height: Int, strokes: Strokes = .braille) -> [String] {
        guard width > 0, height > 0 else { return [] }
        let (columns, rows) = (width * strokes.across, height * strokes.down)
        let spans: [ClosedRange<Int>?] = (0..<columns).map { column in
            guard length > 0 else { return nil }
            let first = min(length * column / columns, length - 1)
            let (low, high) = extremes(
                first..<max(first + 1, length * (column + 1) / columns))
            // Rows count downward; −32768…32767 is spread over them evenly.
            let top = (32_767 - Int(max(low, high))) * rows / 65_536
            let bottom = (32_767 - Int(min(low, high))) * rows / 65_536
            return top...bottom
        }
        return (0..<height).map { line in
            var text = ""
            for character in 0..<width {
                var dots = 0
                for x in 0..<strokes.across {
                    guard let span = spans[character * strokes.across + x] else { continue }
                    for y in 0..<strokes.down where span.contains(line * strokes.down + y) {
                        dots |= 1 << (y * strokes.across + x)
                    }
                }
                text.unicodeScalars.append(strokes.scalar(dots))
            }
            return text
        }
    }
}

extension Waveform.Strokes {
    /// The character whose dots are set, bit y · across + x for the one at (x, y).
    fileprivate func scalar(_ dots: Int) -> Unicode.Scalar {
        switch self {
        case .blocks: return [" ", "▀", "▄", "█"][dots]
        case .ascii: return [" ", "'", ".", "|"][dots]
        case .braille:
            // Unicode numbers them 1 2 3 7 down the left side and 4 5 6 8 down the right.
            let places = [0, 3, 1, 4, 2, 5, 6, 7]
            let code = places.indices.reduce(0) { $0 | (dots >> $1 & 1) << places[$1] }
            return Unicode.Scalar(UInt32(0x2800 + code)) ?? " "
        }
    }
}
