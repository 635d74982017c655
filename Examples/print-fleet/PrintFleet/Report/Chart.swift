// SPDX-License-Identifier: Apache-2.0

/// One device drawn as an SVG: levels by day, replacements as marks, the forecast as a band from the
/// newest level to p10…p90.
struct Chart {
    let device: FleetReport.Device
    static let width = 640.0
    static let height = 240.0
    /// Room for `100 %` in the larger type of narrow screens.
    private let left = 62.0
    private let right = 14.0
    private let top = 14.0
    private let bottom = 30.0

    init(_ device: FleetReport.Device) { self.device = device }

    var svg: String {
        let supplies = device.supplies.keys.sorted().compactMap { device.supplies[$0] }
        let firsts = supplies.compactMap { $0.levels.first?.time }
        guard let first = firsts.min() else { return "" }
        let now = device.newest
        // Why bounded: a supply that lasts for years would press the past into a line.
        let ahead = supplies.compactMap { $0.forecast?.p90 }.max().map { min($0, 90) } ?? 0
        let start = max(first.day, now.day - 180)
        let end = now.day + max(7, ahead)
        func x(_ day: Double) -> Double {
            left + (Self.width - left - right) * (day - start) / (end - start)
        }
        func y(_ level: Double) -> Double {
            top + (Self.height - top - bottom) * (1 - level / 100)
        }
        func point(_ day: Double, _ level: Double) -> String {
            "\(fixed(x(day))),\(fixed(y(level)))"
        }
        var out =
            "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" role=\"img\" aria-label=\"Levels of \(escape(device.name))\">"
        for level in [0.0, 50, 100] {
            out +=
                "<line class=\"grid\" x1=\"\(fixed(left))\" x2=\"\(fixed(Self.width - right))\" y1=\"\(fixed(y(level)))\" y2=\"\(fixed(y(level)))\"/>"
            out +=
                "<text class=\"axis\" x=\"\(fixed(left - 6))\" y=\"\(fixed(y(level) + 4))\" text-anchor=\"end\">\(Int(level)) %</text>"
        }
        for (share, anchor) in [(0.0, "start"), (0.5, "middle"), (1, "end")] {
            let day = start + (end - start) * share
            out +=
                "<text class=\"axis\" x=\"\(fixed(x(day)))\" y=\"\(fixed(Self.height - 9))\" text-anchor=\"\(anchor)\">\(Instant(day: day).date)</text>"
        }
        out +=
            "<line class=\"now\" x1=\"\(fixed(x(now.day)))\" x2=\"\(fixed(x(now.day)))\" y1=\"\(fixed(top))\" y2=\"\(fixed(y(0)))\"/>"
        for supply in supplies {
            let color = supply.color.text
            let seen = supply.levels.filter { $0.time.day >= start }
            if let forecast = supply.forecast, let level = forecast.level, let low = forecast.p10,
                let middle = forecast.p50, let high = forecast.p90
            {
                // Beyond the right edge a line is cut where it crosses it.
                func tip(_ days: Double) -> String {
                    let room = end - now.day
                    guard days > room else { return point(now.day + days, 0) }
                    return point(end, level * (1 - room / days))
                }
                let corner = high > end - now.day ? point(end, 0) : ""
                let lowTip = low > end - now.day ? tip(low) : point(now.day + low, 0)
                out +=
                    "<polygon class=\"band \(color)\" points=\"\(point(now.day, level)) \(tip(high)) \(low > end - now.day ? "" : corner) \(lowTip)\"/>"
                out +=
                    "<polyline class=\"middle \(color)\" points=\"\(point(now.day, level)) \(tip(middle))\"/>"
            }
            let line = seen.map { point($0.time.day, $0.percent) }.joined(separator: " ")
            out += "<polyline class=\"level \(color)\" points=\"\(line)\"/>"
        }
        for event in device.events where event.time.day >= start {
            guard event.kind == .replacement || event.kind == .refill || event.kind == .swapBack
            else { continue }
            let index = event.supply ?? 0
            let color = device.supplies[index]?.color.text ?? "none"
            let at = x(event.time.day)
            out +=
                "<path class=\"mark \(color)\" d=\"M\(fixed(at - 4)) \(fixed(top - 9))h8l-4 8z\"><title>\(event.kind.rawValue) \(event.time.date)</title></path>"
        }
        return out + "</svg>"
    }
}

/// Text made safe for HTML.
func escape(_ text: String) -> String {
    var out = ""
    for character in text {
        switch character {
        case "<": out += "&lt;"
        case ">": out += "&gt;"
        case "&": out += "&amp;"
        case "\"": out += "&quot;"
        default: out.append(character)
        }
    }
    return out
}
