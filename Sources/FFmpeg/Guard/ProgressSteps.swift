// SPDX-License-Identifier: Apache-2.0

/// Which of many counts are worth telling: each new hundredth, and one in a second.
package struct ProgressSteps: Sendable {
    private let whole: Double?
    private var told = 0
    private var last: ContinuousClock.Instant?

    /// `whole`: the count at the end; nil or 0: nobody knows, and the fraction told stays 0.
    package init(whole: Double?) { self.whole = whole }

    /// The fraction, if it is worth telling now. Never less than one that was told.
    package mutating func reach(_ count: Double, at now: ContinuousClock.Instant) -> Double? {
        let step = whole.map { $0 > 0 ? Int(min(max(count / $0, 0), 1) * 100) : 0 } ?? 0
        let isLate = last.map { now - $0 >= .seconds(1) } ?? true
        guard step > told || isLate else { return nil }
        told = max(told, step)
        last = now
        return Double(told) / 100
    }
}
