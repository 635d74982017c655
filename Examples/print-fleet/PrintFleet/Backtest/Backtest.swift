// SPDX-License-Identifier: Apache-2.0

/// Replays fleets through the analysis and scores the forecasts against the truth.
package enum Backtest {
    /// Scores one generated fleet. The estimator is given the readings only.
    ///
    /// - Parameter lanes: how many devices are replayed at a time; the result does not depend on it.
    package static func run(
        _ recipe: FleetRecipe, lanes: Int = 2, horizons: [Double] = [30, 14, 7, 3]
    ) async -> Scores {
        await collect(recipe.devices, lanes: lanes) { number in
            let simulation = DeviceSimulation(recipe, number: number)
            return Replay(
                readings: simulation.readings(), truth: simulation.truth, number: number,
                horizons: horizons,
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
