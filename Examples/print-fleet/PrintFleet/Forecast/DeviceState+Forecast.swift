// SPDX-License-Identifier: Apache-2.0

extension DeviceState {
    static let horizonLimit = 3650.0

    /// The forecast for one supply from the newest reading on.
    func forecast(_ supply: SupplyState, device: String) -> Forecast {
        let now = lastTime.day
        var result = Forecast(
            device: device, supply: supply.index, color: supply.color, time: lastTime,
            confidence: .low, reason: .unknownLevel, step: supply.evidence.step,
            cartridge: Int(supply.number))
        guard supply.reading >= 0 else {
            if supply.condition > 0 { enumerated(supply, &result) }
            return result
        }
        let step = supply.evidence.step
        let level = expectedLevel(supply)
        let per = supply.perUsage(prior: prior)
        result.level = level
        let centre = use.hypotheses.isEmpty ? (rate: rate, variance: 0.6) : use.centre
        let rate = countsPages ? centre.rate : 1
        guard rate > 0, per > 0 else {
            // Why an answer: the prior says how fast a device is of which nothing is known yet.
            result.reason = readings > 10 ? .idle : .newDevice
            fill(&result, exposure: level / Tuning.priorRate, deviation: 1, now, step)
            return result
        }
        let exposure = min(Self.horizonLimit, level / (per * rate))
        let noise = countsPages ? use.noise : 1
        let hazard =
            (Tuning.hazard * Tuning.hazardDays + use.changes) / (Tuning.hazardDays + use.days)
        var variance = countsPages ? centre.variance : 0.03
        variance += supply.perUsageVariance
        variance += 0.8 * noise / (exposure + 0.5) + Tuning.coverageDrift
        let blur = step * step * 0.06 + supply.evidence.doubt * supply.evidence.doubt + 0.1
        variance += blur / (level * level + blur)
        variance += min(0.8, Tuning.changeVariance * hazard * exposure)
        result.perDay = per * rate
        if countsPages {
            result.pagesLeft = level / per
            result.yield = 100 / per
        }
        result.reason = reason(supply, now)
        result.confidence =
            variance < 0.08 && result.reason == .ok ? .high : variance < 0.3 ? .medium : .low
        fill(&result, exposure: exposure, deviation: variance.squareRoot(), now, step)
        return result
    }

    /// The level now; a rise that can only be a new cartridge counts before it is confirmed.
    private func expectedLevel(_ supply: SupplyState) -> Double {
        guard let rise = supply.rise,
            rise.level - supply.reading >= max(30, 3 * supply.evidence.step)
        else { return supply.level }
        return rise.level
    }

    private func fill(
        _ result: inout Forecast, exposure: Double, deviation: Double, _ now: Double, _ step: Double
    ) {
        result.raw = exposure
        result.deviation = deviation
        let scale = Intervals.quantiles(step: step, days: exposure)
        func days(_ quantile: Double) -> Double {
            let stretched = min(Self.horizonLimit, exposure * Maths.exp(quantile * deviation))
            return max(0, week.moment(after: stretched, from: now) - now)
        }
        result.p10 = days(scale.low)
        result.p50 = days(scale.middle)
        result.p90 = days(scale.high)
    }

    private func reason(_ supply: SupplyState, _ now: Double) -> Forecast.Reason {
        if countsPages, now - movedDay > 14 { return .idle }
        if now - firstDay < 20 || supply.dropAll < 15 { return .newDevice }
        if use.settled > 0, use.weight(since: now - 30) > 0.5 { return .regimeChange }
        return supply.evidence.step >= 10 ? .coarseLevels : .ok
    }

    /// A device that only says ok, low or empty: the prior, or the yields of old cartridges.
    private func enumerated(_ supply: SupplyState, _ result: inout Forecast) {
        result.reason = .enumeratedOnly
        guard supply.condition < 3 else {
            result.level = 0
            result.p10 = 0
            result.p50 = 0
            result.p90 = 0
            return
        }
        let per =
            supply.yields.isEmpty
            ? prior
            : 100 * Double(supply.yields.count)
                / max(1e-9, supply.yields.reduce(0, +))
        let used = per * max(0, usage - supply.startUsage)
        // Why: `low` is said near an eighth of the cartridge, and not before.
        let level = supply.condition == 2 ? max(1, min(12, 100 - used)) : max(13, 100 - used)
        result.level = level
        guard rate > 0 else { return }
        fill(
            &result, exposure: min(Self.horizonLimit, level / (per * rate)), deviation: 0.8,
            lastTime.day, 20)
    }
}
