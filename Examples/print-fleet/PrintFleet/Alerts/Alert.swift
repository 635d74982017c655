// SPDX-License-Identifier: Apache-2.0

/// A supply will run out soon: leaves once per cartridge.
package struct Alert: Hashable, Sendable {
    package var device: String
    package var supply: Int
    package var color: Supply.Color
    package var cartridge: Int
    package var time: Instant
    package var rule: String
    package var level: Double?
    package var p10: Double?
    package var p50: Double?

    /// Names the cartridge: the same alert always has the same key.
    package var key: String { "\(device)/\(supply)/\(cartridge)" }

    package func write(to json: inout JSONWriter) {
        json.open()
        json.field("type", "alert")
        json.field("key", key)
        json.field("device", device)
        json.field("index", supply)
        json.field("color", color.text)
        json.field("cartridge", cartridge)
        json.field("time", time)
        json.field("rule", rule)
        json.field("level", level, decimals: 2)
        json.field("p10", p10, decimals: 3)
        json.field("p50", p50, decimals: 3)
        json.close()
        json.endLine()
    }
}

/// When to alert. A rule must hold for `streak` readings in a row, so that one odd reading orders
/// nothing; after the alert the cartridge stays alerted, however its forecast moves.
package struct AlertRules: Hashable, Sendable {
    /// Alert when the median forecast is this near, in days; nil = never.
    package var days: Double? = 7
    /// Alert at or below this level in percent; nil = never.
    package var level: Double?
    /// Alert when the supply may (p10) be empty before this moment, the next visit; nil = never.
    package var visit: Instant?
    package var streak = 2

    package init() {}

    /// Applies the rules to one forecast and keeps the cartridge's flag.
    func judge(_ forecast: Forecast, _ state: inout AlertState) -> Alert? {
        let cartridge = UInt32(truncatingIfNeeded: forecast.cartridge)
        guard state.cartridge != cartridge else { return nil }
        guard let rule = broken(by: forecast) else {
            state.streak = 0
            return nil
        }
        state.streak = min(250, state.streak + 1)
        guard Int(state.streak) >= streak else { return nil }
        state.cartridge = cartridge
        state.streak = 0
        return Alert(
            device: forecast.device, supply: forecast.supply, color: forecast.color,
            cartridge: forecast.cartridge, time: forecast.time, rule: rule,
            level: forecast.level, p10: forecast.p10, p50: forecast.p50)
    }

    private func broken(by forecast: Forecast) -> String? {
        if let level, let now = forecast.level, now <= level { return "level" }
        if let days, let left = forecast.p50, left <= days { return "days" }
        if let visit, let left = forecast.p10,
            Double(visit.ms - forecast.time.ms) / 86_400_000 >= left, visit > forecast.time
        {
            return "visit"
        }
        return nil
    }
}
