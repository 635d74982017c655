// SPDX-License-Identifier: Apache-2.0

extension Waveform {
    /// A picture of the waveform as SVG 1.1, about 4 bytes for each edge of a column.
    ///
    /// One filled outline in `currentColor`, so that it takes the text's colour where it stands inside a
    /// page; alone or in an `<img>` it is dark, and light where the reader prefers dark pages. It scales to
    /// any size and holds no script. The title may be hostile text.
    public func svg(columns: Int = 1_000, height: Int = 256, title: String = "Waveform") -> String {
        let columns = max(1, min(columns, length))
        let middle = max(2, height) / 2
        // Of each column the upper and lower edge, at least 2 units apart so that silence is a line.
        let edges = (0..<columns).map { column in
            let (low, high) = extremes(
                length * column / columns..<length * (column + 1) / columns)
            let top = middle - Int(high) * middle / 32_768
            let bottom = middle - Int(low) * middle / 32_768
            return bottom - top >= 2
                ? (top, bottom) : ((top + bottom) / 2 - 1, (top + bottom) / 2 + 1)
        }
        var path = TextBuffer()
        func step(_ across: Int, _ down: Int) {
            path.add(across)
            if down >= 0 { path.add(UInt8(ascii: " ")) }
            path.add(down)
        }
        func lines(_ tops: [Int], _ across: Int) {
            for (from, to) in zip(tops, tops.dropFirst()) {
                path.add(UInt8(ascii: "l"))
                step(across, to - from)
            }
        }
        let (tops, bottoms) = (edges.map(\.0), edges.map(\.1))
        path.add("M0 ")
        path.add(tops[0])
        path.add("h1")
        lines(tops, 1)
        path.add("V")
        path.add(bottoms[columns - 1])
        lines(bottoms.reversed(), -1)
        path.add("h-1z")
        let outline = String(decoding: path.bytes, as: UTF8.self)
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(columns) \(2 * middle)" \
            preserveAspectRatio="none" role="img"><title>\(Self.escaped(title))</title>\
            <style>@media(prefers-color-scheme:dark){svg:root{color:#ddd}}</style>\
            <path fill="currentColor" d="\(outline)"/></svg>

            """
    }

    /// Text that cannot end the element it stands in, nor hold what XML 1.0 refuses.
    private static func escaped(_ text: String) -> String {
        var safe = ""
        for scalar in text.unicodeScalars.prefix(1_000) {
            switch scalar {
            case "&": safe += "&amp;"
            case "<": safe += "&lt;"
            case ">": safe += "&gt;"
            case "\u{9}", "\u{A}", "\u{20}"..."\u{7E}", "\u{A0}"..."\u{D7FF}",
                "\u{E000}"..."\u{FFFD}", "\u{10000}"...:
                safe.unicodeScalars.append(scalar)
            default: safe += "\u{FFFD}"
            }
        }
        return safe
    }
}
