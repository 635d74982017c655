// SPDX-License-Identifier: Apache-2.0

extension FleetReport {
    /// The report as one HTML page without scripts or outside files; light and dark, wide and narrow.
    ///
    /// - Parameter limit: devices drawn, the most urgent first.
    package func html(limit: Int = 200) -> String {
        let rows = self.rows
        var names: [String] = []
        var seen: Set<String> = []
        for row in rows where seen.insert(row.device).inserted { names.append(row.device) }
        let soon = rows.count { ($0.p50 ?? .infinity) <= 7 }
        let stale = devices.values.count(where: \.isStale)
        var out = Self.head
        out += "<h1>Supplies of the fleet</h1><p class=\"sum\">"
        for (count, what) in [
            (devices.count, "devices"), (rows.count, "supplies"), (soon, "empty within 7 days"),
            (stale, "silent"),
        ] { out += "<span><b>\(count)</b> \(what)</span> " }
        out += "</p>"
        for gap in gaps { out += "<p class=\"stale\">\(escape(gap))</p>" }
        out +=
            "<p class=\"key\">Line: reported level. Band: 80 % of the ways it may go on. Triangle: a new cartridge. Dashed: the newest reading.</p><div class=\"cards\">"
        for name in names.prefix(limit) {
            guard let device = devices[name] else { continue }
            out += "<article><h2>\(escape(name))</h2>"
            if device.isStale { out += "<p class=\"stale\">silent since \(device.newest.date)</p>" }
            out += Chart(device).svg
            out +=
                "<table><thead><tr><th>supply</th><th>level</th><th>days left</th><th>80 %</th><th>why</th></tr></thead><tbody>"
            for row in rows where row.device == name {
                let days = row.p50.map { fixed($0) } ?? "–"
                let band = row.p10.flatMap { low in row.p90.map { "\(fixed(low))–\(fixed($0))" } }
                let color = row.color.text
                let title = row.color == .none ? "\(row.supply)" : color
                out +=
                    "<tr><td><i class=\"\(color)\"></i>\(title)</td><td>\(row.level.map { fixed($0, 0) + " %" } ?? "–")</td><td><b>\(days)</b></td><td>\(band ?? "–")</td><td>\(row.reason.rawValue.split(separator: "_").joined(separator: " "))</td></tr>"
            }
            out += "</tbody></table></article>"
        }
        out += "</div>"
        if names.count > limit { out += "<p>… and \(names.count - limit) more devices</p>" }
        return out + "</main></body></html>\n"
    }

    private static let head = """
        <!doctype html><html lang="en"><head><meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Supplies of the fleet</title><style>
        :root{color-scheme:light dark;--back:#f5f6f8;--card:#fff;--text:#1c2330;--soft:#667085;--line:#dfe3ea;\
        --black:#2b3240;--cyan:#0092b8;--magenta:#c2257f;--yellow:#b98900;--none:#5b6b86;--warn:#b42318}
        @media (prefers-color-scheme:dark){:root{--back:#12161d;--card:#1b212b;--text:#e6e9ef;--soft:#98a2b3;\
        --line:#303846;--black:#c9d1de;--cyan:#35c5e8;--magenta:#f06fb3;--yellow:#e8c243;--none:#9aa9c2;--warn:#ff8a7a}}
        *{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--text);\
        font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
        main{max-width:1280px;margin:0 auto;padding:20px 16px 48px}h1{font-size:24px;margin:0 0 8px}
        h2{font-size:16px;margin:0 0 4px;overflow-wrap:anywhere}
        .sum{margin:0 0 4px}.sum span{white-space:nowrap;margin-right:14px}
        .key{margin:0 0 16px;color:var(--soft);font-size:13px}
        .stale{margin:0;color:var(--warn);font-size:13px}
        .cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,520px),1fr));gap:16px}
        article{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px;min-width:0}
        svg{display:block;width:100%;height:auto}.grid{stroke:var(--line)}.now{stroke:var(--soft);stroke-dasharray:4 4}
        .axis{fill:var(--soft);font-size:12px}.level,.middle{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}
        .middle{stroke-dasharray:2 4}.band{fill:currentColor;opacity:.18}.mark{fill:currentColor}
        .black{color:var(--black)}.cyan{color:var(--cyan)}.magenta{color:var(--magenta)}.yellow{color:var(--yellow)}.none{color:var(--none)}
        table{width:100%;border-collapse:collapse;margin-top:8px;font-size:14px;font-variant-numeric:tabular-nums}
        th{font-weight:500;color:var(--soft);font-size:12px}th,td{text-align:right;padding:3px 0 3px 8px;border-top:1px solid var(--line);white-space:nowrap}\
        td:last-child{white-space:normal}
        th:first-child,td:first-child{text-align:left;padding-left:0}
        td i{display:inline-block;width:10px;height:10px;border-radius:50%;background:currentColor;margin-right:6px}
        @media (max-width:480px){main{padding:14px 10px 40px}article{padding:10px}table{font-size:13px}th,td{padding-left:5px}.axis{font-size:18px}.sum span{margin-right:8px}}
        </style></head><body><main>
        """
}
