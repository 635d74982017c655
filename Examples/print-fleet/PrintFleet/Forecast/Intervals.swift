// SPDX-License-Identifier: Apache-2.0

/// Quantiles of (log actual ÷ predicted) in units of the model's deviation, by step and horizon.
enum Intervals {
    static func quantiles(
        step: Double, days: Double
    ) -> (low: Double, middle: Double, high: Double) {
        let row = table[stepClass(step)][bucket(days)]
        return (row[0], row[1], row[2])
    }

    /// 1, 2, 5, 10, 20 %.
    static func stepClass(_ step: Double) -> Int {
        step < 1.5 ? 0 : step < 3.5 ? 1 : step < 7.5 ? 2 : step < 15 ? 3 : 4
    }

    static let edges: [Double] = [2, 4, 6, 9, 13, 19, 27, 40, 70]

    static func bucket(_ days: Double) -> Int {
        var at = 0
        while at < edges.count, days >= edges[at] { at += 1 }
        return at
    }
}
