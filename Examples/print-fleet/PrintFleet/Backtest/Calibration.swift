// SPDX-License-Identifier: Apache-2.0

/// Finds the constants of `Intervals`: quantiles of (log actual ÷ predicted) in units of the model's
/// own deviation, by step class and horizon bucket (split conformal: Papadopoulos et al. 2002).
///
/// Runs on `Seeds.tuning` only. The estimator never sees the points; the constants are committed.
package enum Calibration {
    static let horizons: [Double] = [
        2, 3, 4, 5, 7, 9, 11, 14, 17, 20, 25, 30, 36, 42, 50, 60, 75, 90,
    ]

    /// The table as Swift source.
    package static func table(devices: Int, lanes: Int) async -> String {
        let buckets = Intervals.edges.count + 1
        var cells = [[[Double]]](
            repeating: [[Double]](repeating: [], count: buckets), count: 5)
        for seed in Seeds.tuning {
            for regimes in Seeds.regimes {
                var recipe = FleetRecipe(devices: devices, seed: seed)
                recipe.regimes = regimes
                let scores = await Backtest.run(recipe, lanes: lanes, horizons: horizons)
                for point in scores.points where point.deviation > 0 && point.raw > 0 {
                    let ratio = max(0.05, point.actual + point.late) / point.raw
                    // Why the device's step as told by the truth: it is nearly always the inferred one.
                    cells[Intervals.stepClass(point.step)][Intervals.bucket(point.raw)].append(
                        Maths.log(ratio) / point.deviation)
                }
            }
        }
        return cells.map { row in
            let parts = row.map { values -> String in
                let sorted = values.sorted()
                guard sorted.count >= 50 else { return "[-1.4, 0, 1.2]" }
                func at(_ quantile: Double) -> String {
                    let rank = quantile * Double(sorted.count - 1)
                    return fixed(sorted[Int(rank.rounded())], 3)
                }
                // Why half: a backward sample holds more short horizons than a fleet's days do.
                let middle = 0.5 * sorted[sorted.count / 2]
                return "[\(at(0.1)), \(fixed(min(0.5, max(-0.5, middle)), 3)), \(at(0.9))]"
            }
            return "        [\n" + parts.map { "            \($0),\n" }.joined() + "        ],\n"
        }.joined()
    }
}
