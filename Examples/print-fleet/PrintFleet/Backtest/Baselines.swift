// SPDX-License-Identifier: Apache-2.0

/// The simple forecasts that ours has to beat, fed the same readings.
///
/// A segment begins at the first reading after the last rise of over 8 points. No answer with fewer
/// than two readings or a rate ≤ 0; days = newest level ÷ rate, at most 365, counted from the origin.
struct Baselines {
    private var first: (day: Double, level: Double)?
    private var last: (day: Double, level: Double) = (0, 0)
    private var count = 0.0
    private var sums = (x: 0.0, y: 0.0, xx: 0.0, xy: 0.0)
    private var drops = 0.0

    mutating func add(_ level: Double, at day: Double) {
        if first == nil || level - last.level > 8 {
            first = (day, level)
            count = 0
            sums = (0, 0, 0, 0)
            drops = 0
        } else {
            drops += max(0, last.level - level)
        }
        last = (day, level)
        let x = day - (first?.day ?? day)
        count += 1
        sums.x += x
        sums.y += level
        sums.xx += x * x
        sums.xy += x * level
    }

    /// A line through the first and the newest level of the segment.
    var twoPoint: Double? {
        guard let first, count >= 2, last.day > first.day else { return nil }
        return days((first.level - last.level) / (last.day - first.day))
    }

    /// Least squares over the segment.
    var leastSquares: Double? {
        let spread = count * sums.xx - sums.x * sums.x
        guard count >= 2, spread > 1e-9 else { return nil }
        return days(-(count * sums.xy - sums.x * sums.y) / spread)
    }

    /// All falls of the segment, rises left out, over its time.
    var mean: Double? {
        guard let first, count >= 2, last.day > first.day else { return nil }
        return days(drops / (last.day - first.day))
    }

    private func days(_ rate: Double) -> Double? {
        rate > 0 ? min(365, last.level / rate) : nil
    }
}
