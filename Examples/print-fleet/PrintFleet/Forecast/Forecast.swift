// SPDX-License-Identifier: Apache-2.0

/// When a supply will be empty, as its device's readings up to `time` tell.
package struct Forecast: Hashable, Sendable {
    /// Why the forecast is as sure as it is.
    package enum Reason: String, Sendable, CaseIterable {
        case ok
        case newDevice = "new_device"
        case coarseLevels = "coarse_levels"
        case enumeratedOnly = "enumerated_only"
        case stale
        case regimeChange = "regime_change"
        case idle
        case unknownLevel = "unknown_level"
    }

    package enum Confidence: String, Sendable {
        case high, medium, low
    }

    package var device: String
    package var supply: Int
    package var color: Supply.Color
    package var time: Instant
    /// Estimated true level in percent; nil when the device never gave a number.
    package var level: Double?
    /// Days from `time` until empty: a day of ten is sooner than p10, a day of ten later than p90.
    package var p10: Double?
    package var p50: Double?
    package var p90: Double?
    package var confidence: Confidence
    package var reason: Reason
    package var pagesLeft: Double?
    /// Pages of a full cartridge, at this device's coverage.
    package var yield: Double?
    package var perDay: Double?
    /// The step the device reports in, as inferred.
    package var step: Double
    package var cartridge: Int
    /// Normal days until empty and the deviation of their logarithm, before calibration.
    var raw = 0.0
    var deviation = 0.0

    /// The date of `p50`; nil beyond the year 9999, which has no RFC 3339 text.
    package var date: Instant? {
        guard let p50, p50.isFinite else { return nil }
        let ms = Double(time.ms) + (p50 * 86_400_000).rounded()
        return ms < Double(Instant.end.ms) ? Instant(ms: Int64(ms)) : nil
    }

    package func write(to json: inout JSONWriter) {
        json.open()
        json.field("type", "forecast")
        json.field("device", device)
        json.field("index", supply)
        json.field("color", color.text)
        json.field("time", time)
        json.field("level", level, decimals: 2)
        json.field("p10", p10, decimals: 3)
        json.field("p50", p50, decimals: 3)
        json.field("p90", p90, decimals: 3)
        json.field("date", date)
        json.field("confidence", confidence.rawValue)
        json.field("reason", reason.rawValue)
        json.field("pagesLeft", pagesLeft, decimals: 0)
        json.field("yield", yield, decimals: 0)
        json.field("perDay", perDay, decimals: 4)
        json.field("step", step)
        json.field("cartridge", cartridge)
        json.close()
        json.endLine()
    }
}
