// SPDX-License-Identifier: Apache-2.0

/// One moment at which all methods were asked.
struct BacktestPoint: Sendable {
    var device: Int
    var step: Double
    /// The horizon looked back from; 0 for a forward point.
    var horizon: Double
    /// Days to depletion, or to the removal if `isCensored`.
    var actual: Double
    var isCensored = false
    var ours: Double?
    var low: Double?
    var high: Double?
    /// Days between the forecast's reading and the origin.
    var late = 0.0
    /// What the model said before calibration: days from the reading, and the deviation of their log.
    var raw = 0.0
    var deviation = 0.0
    var twoPoint: Double?
    var leastSquares: Double?
    var mean: Double?
    var oracle: Double?
}

struct BacktestTally: Sendable {
    var found = 0
    var missed = 0
    var invented = 0
    var delay = 0

    static func + (left: Self, right: Self) -> Self {
        Self(
            found: left.found + right.found, missed: left.missed + right.missed,
            invented: left.invented + right.invented, delay: left.delay + right.delay)
    }

    var f1: Double {
        found == 0 ? 0 : 2 * Double(found) / Double(2 * found + missed + invented)
    }
}

/// What the replay of one device gave.
struct ReplayResult: Sendable {
    var points: [BacktestPoint] = []
    var forward: [BacktestPoint] = []
    var tally: [Int: BacktestTally] = [:]
    var jitter = 0.0
    var jitterCount = 0
    var depletions = 0
    var inTime = 0
    var early: [Double] = []
    var readings = 0
}

/// Runs the readings of one device through the analysis and asks every method at the origins.
struct Replay {
    let readings: [Reading]
    let truth: DeviceTruth
    let number: Int
    var horizons: [Double]
    var oracle: ((Int, Instant) -> Double)?
    var forwardOrigins = 0
    static let leadTime = 5.0

    private struct Origin {
        var time: Instant
        var supply: Int
        var point: BacktestPoint
        var isForward: Bool
    }

    func run() -> ReplayResult {
        var result = ReplayResult()
        guard let start = readings.map(\.time).min() else { return result }
        var origins = self.origins(start)
        origins.sort { ($0.time, $0.supply) < ($1.time, $1.supply) }
        var next = 0
        var state = DeviceState()
        var baselines = [Baselines](repeating: Baselines(), count: truth.supplies.count)
        var latest = [Forecast?](repeating: nil, count: truth.supplies.count)
        var events: [Event] = []
        var alerts: [(supply: Int, time: Instant)] = []
        let analysis = Analysis()
        func answer(until time: Instant, _ seen: Int) {
            while next < origins.count, origins[next].time < time {
                let origin = origins[next]
                next += 1
                guard seen >= 10 else { continue }
                var point = origin.point
                if let forecast = latest[origin.supply] {
                    let late = origin.time.day - forecast.time.day
                    point.late = late
                    point.raw = forecast.raw
                    point.deviation = forecast.deviation
                    point.ours = forecast.p50.map { min(365, max(0, $0 - late)) }
                    point.low = forecast.p10.map { max(0, $0 - late) }
                    point.high = forecast.p90.map { max(0, $0 - late) }
                }
                point.twoPoint = baselines[origin.supply].twoPoint
                point.leastSquares = baselines[origin.supply].leastSquares
                point.mean = baselines[origin.supply].mean
                point.oracle = oracle?(origin.supply, origin.time)
                if origin.isForward {
                    result.forward.append(point)
                } else {
                    result.points.append(point)
                }
            }
        }
        for (at, reading) in readings.enumerated() {
            answer(until: reading.time, at)
            let window = readings[max(0, at - 99)..<at]
            let findings = analysis.analyse(current: reading, previous: window, state: &state)
            events += findings.events
            for alert in findings.alerts {
                if let supply = truth.supplies.firstIndex(where: { $0.index == alert.supply }) {
                    alerts.append((supply, alert.time))
                }
            }
            for (position, supply) in truth.supplies.enumerated() {
                if let one = findings.forecasts.first(where: { $0.supply == supply.index }) {
                    if let old = latest[position], old.cartridge == one.cartridge,
                        let a = old.date, let b = one.date
                    {
                        result.jitter += min(365, abs(a.day - b.day))
                        result.jitterCount += 1
                    }
                    latest[position] = one
                }
                if findings.arrival == .fresh,
                    let seen = reading.supplies.first(where: { $0.index == supply.index }),
                    let percent = seen.percent
                {
                    baselines[position].add(percent, at: reading.time.day)
                }
            }
        }
        answer(until: Instant(ms: .max), readings.count)
        result.readings = readings.count
        let times = readings.map(\.time).sorted()
        for (position, supply) in truth.supplies.enumerated() {
            tally(supply, events, times, &result)
            timeAlerts(supply, alerts.filter { $0.supply == position }.map(\.time), start, &result)
        }
        return result
    }

    private func origins(_ start: Instant) -> [Origin] {
        var origins: [Origin] = []
        let earliest = start.day + 20
        guard let end = readings.last?.time.day else { return [] }
        for (position, supply) in truth.supplies.enumerated() {
            for cartridge in supply.cartridges {
                guard let depleted = cartridge.depleted else { continue }
                for horizon in horizons {
                    let origin = depleted.day - horizon
                    guard origin >= earliest, origin >= cartridge.installed.day else { continue }
                    origins.append(
                        Origin(
                            time: Instant(day: origin), supply: position,
                            point: BacktestPoint(
                                device: number, step: supply.step, horizon: horizon,
                                actual: horizon), isForward: false))
                }
            }
            var random = RandomStream(
                seed: 77, device: number, purpose: 100 + UInt64(position))
            for _ in 0..<forwardOrigins where end > earliest {
                let origin = random.uniform(earliest, end)
                guard
                    let one = supply.cartridges.last(where: { $0.installed.day <= origin }),
                    (one.depleted ?? one.removed ?? Instant(day: end)).day > origin
                else { continue }
                let stop = (one.depleted ?? one.removed ?? Instant(day: end)).day
                origins.append(
                    Origin(
                        time: Instant(day: origin), supply: position,
                        point: BacktestPoint(
                            device: number, step: supply.step, horizon: 0, actual: stop - origin,
                            isCensored: one.depleted == nil), isForward: true))
            }
        }
        return origins
    }

    /// Matches reported replacements to true ones, one to one: a report counts if its reading is at
    /// most the third after the change.
    private func tally(
        _ supply: DeviceTruth.Supply, _ events: [Event], _ times: [Instant],
        _ result: inout ReplayResult
    ) {
        let kinds: [Event.Kind] = [.replacement, .refill, .swapBack]
        var reports = events.filter { $0.supply == supply.index && kinds.contains($0.kind) }
            .map(\.seen)
        var tally = BacktestTally()
        for (at, cartridge) in supply.cartridges.enumerated().dropFirst() {
            if supply.cartridges[at - 1].cause == "deviceSwap" { continue }
            guard let first = times.first, cartridge.installed > first else { continue }
            var low = 0
            var high = times.count
            while low < high {
                let middle = (low + high) / 2
                if times[middle] < cartridge.installed { low = middle + 1 } else { high = middle }
            }
            // Why: what nobody has read yet, nobody can report.
            guard low + 1 < times.count else { continue }
            let limit = times[min(times.count - 1, low + 2)]
            if let found = reports.firstIndex(where: {
                $0 >= cartridge.installed && $0 <= limit
            }) {
                tally.found += 1
                tally.delay +=
                    times[low] == reports[found] ? 1 : times[low + 1] == reports[found] ? 2 : 3
                reports.remove(at: found)
            } else {
                tally.missed += 1
            }
        }
        tally.invented = reports.count
        result.tally[Int(supply.step), default: BacktestTally()] =
            result.tally[Int(supply.step), default: BacktestTally()] + tally
    }

    private func timeAlerts(
        _ supply: DeviceTruth.Supply, _ alerts: [Instant], _ start: Instant,
        _ result: inout ReplayResult
    ) {
        for cartridge in supply.cartridges {
            guard let depleted = cartridge.depleted, depleted.day > start.day + 20,
                depleted.day - cartridge.installed.day > 2 * Self.leadTime
            else { continue }
            result.depletions += 1
            guard let alert = alerts.first(where: { $0 >= cartridge.installed && $0 <= depleted })
            else { continue }
            let ahead = depleted.day - alert.day
            if ahead >= Self.leadTime { result.inTime += 1 }
            result.early.append(ahead - Self.leadTime)
        }
    }
}
