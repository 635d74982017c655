// SPDX-License-Identifier: Apache-2.0

/// Replays fleets through the analysis and scores the forecasts against the truth.
package enum Backtest {
    /// Scores one generated fleet. The estimator is given the readings only.
    ///
    /// - Parameter lanes: how many devices are replayed at a time; the result does not depend on it.
    package static func run(_ recipe: FleetRecipe, lanes: Int = 2) async -> Scores {
        await collect(recipe.devices, lanes: lanes) { number in
            let simulation = DeviceSimulation(recipe, number: number)
            return Replay(
                readings: simulation.readings(), truth: simulation.truth, number: number,
                horizons: Scores.horizons,
                oracle: { at, origin in simulation.oracle(at, origin: origin) },
                forwardOrigins: 24
            ).run()
        }
    }

    /// Scores readings that something else made. Devices are paired by name; those without truth are
    /// left out.
    package static func run(
        _ devices: [(readings: [Reading], truth: DeviceTruth)], lanes: Int = 2
    ) async -> Scores {
        await collect(devices.count, lanes: lanes) { number in
            Replay(
                readings: devices[number].readings, truth: devices[number].truth, number: number,
                horizons: Scores.horizons, oracle: nil, forwardOrigins: 24
            ).run()
        }
    }

    static func collect(
        _ count: Int, lanes: Int, _ replay: @Sendable @escaping (Int) -> ReplayResult
    ) async -> Scores {
        await withTaskGroup(of: (Int, ReplayResult).self) { group in
            var results = [ReplayResult?](repeating: nil, count: count)
            var next = 0
            while next < min(lanes, count) {
                let number = next
                group.addTask { (number, replay(number)) }
                next += 1
            }
            for await (number, result) in group {
                results[number] = result
                if next < count {
                    let number = next
                    group.addTask { (number, replay(number)) }
                    next += 1
                }
            }
            var scores = Scores()
            for result in results { if let result { scores.add(result) } }
            return scores
        }
    }
}

extension Backtest {
    package static func debug(_ recipe: FleetRecipe) {
        for n in 0..<recipe.devices {
            let s = DeviceSimulation(recipe, number: n)
            let r = Replay(readings: s.readings(), truth: s.truth, number: n, horizons: Scores.horizons).run()
            var t = BacktestTally(); for k in r.tally.values { t = t + k }
            if t.missed + t.invented > 0 {
                if t.missed + t.invented <= 3 || n % 10 == 5 {
                    let rs = s.readings(); var st = DeviceState(); var ev: [Event] = []
                    for r in rs { ev += Analysis().analyse(current: r, previous: [], state: &st).events.filter { $0.kind == .replacement || $0.kind == .refill || $0.kind == .swapBack } }
                    for c in s.truth.supplies[0].cartridges.dropFirst() where !ev.contains(where: { abs($0.time.day - c.installed.day) < 3 * max(0.2, s.draw.poll) }) {
                        print("   true", c.installed.text, rs.filter { abs($0.time.day - c.installed.day) < 3 * s.draw.poll }.map { "\($0.time.text.prefix(16)) \($0.supplies[0].level) p\($0.total ?? 0)" })
                    }
                    for e in ev where !s.truth.supplies[0].cartridges.contains(where: { abs(e.time.day - $0.installed.day) < 3 * max(0.2, s.draw.poll) }) {
                        print("   event", e.time.text, e.kind, rs.filter { abs($0.time.day - e.time.day) < 3 * s.draw.poll }.map { "\($0.time.text.prefix(16)) \($0.supplies[0].level) p\($0.total ?? 0)" })
                    }
                }
                let use = s.draw.pages.indices.reduce(0.0) { $0 + s.draw.use(s.draw.supplies[0], day: $1) } / Double(recipe.days)
                print(n, "found", t.found, "missed", t.missed, "inv", t.invented, "poll", fixed(s.draw.poll, 2), "%/day", fixed(use, 1), "step", s.draw.step, s.draw.rounding)
            }
        }
    }
}
