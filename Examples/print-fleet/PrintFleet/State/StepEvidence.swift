// SPDX-License-Identifier: Apache-2.0

/// What the levels seen so far say about the step a device reports in, and how it rounds.
struct StepEvidence: Hashable, Sendable {
    static let candidates: [Double] = [0.1, 0.5, 1, 2, 5, 10, 20, 25, 50]

    /// Changes of level seen, and by candidate those that it does not divide.
    var changes: UInt32 = 0
    var misses: [UInt16] = [UInt16](repeating: 0, count: StepEvidence.candidates.count)
    /// Log weights of rounding down, to nearest and up.
    var rounding: [Double] = [0, 0, 0]

    /// The largest step that divides (nearly) all levels seen. Why 2 %: a device may show an odd
    /// value once, on a change of capacity.
    var step: Double {
        guard changes > 0 else { return 1 }
        for at in stride(from: Self.candidates.count - 1, through: 0, by: -1)
        where Double(misses[at]) <= 0.02 * Double(changes) { return Self.candidates[at] }
        return Self.candidates[0]
    }

    /// How far above the reading the upper edge of its interval lies, in percent.
    var offset: Double { step * offsetShare }

    /// 1 for rounding down, ½ to nearest, 0 up; weighted by what is known.
    var offsetShare: Double {
        let top = max(rounding[0], rounding[1], rounding[2])
        let down = Maths.exp(rounding[0] - top)
        let nearest = Maths.exp(rounding[1] - top)
        let up = Maths.exp(rounding[2] - top)
        return (down + 0.5 * nearest) / (down + nearest + up)
    }

    /// Standard deviation of the offset, in percent.
    var doubt: Double {
        let top = max(rounding[0], rounding[1], rounding[2])
        let down = Maths.exp(rounding[0] - top)
        let nearest = Maths.exp(rounding[1] - top)
        let up = Maths.exp(rounding[2] - top)
        let mean = (down + 0.5 * nearest) / (down + nearest + up)
        let square = (down + 0.25 * nearest) / (down + nearest + up)
        return step * max(0, square - mean * mean).squareRoot()
    }

    mutating func see(_ percent: Double) {
        if changes == .max { return }
        changes += 1
        for at in misses.indices {
            let quotient = percent / Self.candidates[at]
            if abs(quotient - quotient.rounded()) > 1e-6, misses[at] < .max { misses[at] += 1 }
        }
    }

    /// A fresh cartridge used `share` of a step before its level fell for the first time: about none
    /// when the device rounds down, half when to nearest, all when up. `deviation` says how exactly
    /// that is known.
    mutating func weigh(share: Double, deviation: Double) {
        for (at, expected) in [0.03, 0.5, 1.0].enumerated() {
            let distance = (share - expected) / deviation
            rounding[at] -= min(6, 0.5 * distance * distance)
        }
        let top = max(rounding[0], rounding[1], rounding[2])
        for at in 0..<3 { rounding[at] = max(-12, rounding[at] - top) }
    }
}
