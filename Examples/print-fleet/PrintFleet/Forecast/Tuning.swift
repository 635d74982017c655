// SPDX-License-Identifier: Apache-2.0

/// The constants of the estimator, chosen on `Seeds.tuning` and never learned from a running fleet.
enum Tuning {
    /// Exposure, in normal days, that a chunk of usage must cover before it is weighed.
    static let chunk = 2.0
    /// Relative variance of one normal day's usage, before the device has shown its own.
    static let noise = 1.0
    static let noiseWeight = 20.0
    /// Prior of a regime's rate after a change: gamma shape around the rate before it.
    static let freshShape = 6.0
    /// Regime changes per day before the device has shown its own, and the days that prior weighs.
    static let hazard = 1.1 / 730
    static let hazardDays = 730.0
    /// Longest memory of a regime, in normal days.
    static let memory = 365.0
    /// Days over which percent per page is remembered, and the drop that all history weighs.
    static let yieldDays = 60.0
    static let yieldWeight = 50.0
    /// Prior: percent per day of a device that has shown nothing, and the drop it weighs.
    static let priorRate = 2.0
    static let priorDrop = 2.0
    static let weekWeight = 14.0
    static let quietShare = 0.2
    static let quietDays = 2.5
    static let center = 1.0
    static let lowEdge = 0.08
    static let highEdge = 0.5
    /// What a fair chance of a change adds to the variance, per expected change until empty.
    static let changeVariance = 1.2
    /// Use in percent beyond the fall of the level that proves a change nobody saw.
    static let unseen = 55.0
    static let coverageDrift = 0.02
}
