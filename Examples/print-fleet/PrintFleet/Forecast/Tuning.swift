// SPDX-License-Identifier: Apache-2.0
import Foundation

func tune(_ name: String, _ value: Double) -> Double {
    ProcessInfo.processInfo.environment["PF_" + name].flatMap(Double.init) ?? value
}

/// The constants of the estimator, chosen on `Seeds.tuning` and never learned from a running fleet.
enum Tuning {
    /// Exposure, in normal days, that a chunk of usage must cover before it is weighed.
    static let chunk = tune("chunk", 2.0)
    /// Relative variance of one normal day's usage, before the device has shown its own.
    static let noise = tune("noise", 1.0)
    static let noiseWeight = tune("noiseWeight", 20)
    /// Prior of a regime's rate after a change: gamma shape around the rate before it.
    static let freshShape = tune("freshShape", 2.5)
    /// Regime changes per day before the device has shown its own, and the days that prior weighs.
    static let hazard = tune("hazard", 3.0 / 730)
    static let hazardDays = tune("hazardDays", 730)
    /// Longest memory of a regime, in normal days.
    static let memory = tune("memory", 365)
    /// Days over which percent per page is remembered, and the drop that all history weighs.
    static let yieldDays = tune("yieldDays", 60)
    static let yieldWeight = tune("yieldWeight", 30)
    /// Prior: percent per day of a device that has shown nothing, and the drop it weighs.
    static let priorRate = tune("priorRate", 1.0)
    static let priorDrop = tune("priorDrop", 2)
    static let weekWeight = tune("weekWeight", 14)
    static let quietShare = tune("quietShare", 0.1)
    static let quietDays = tune("quietDays", 2.5)
    static let center = tune("center", 1.0)
    static let lowEdge = tune("lowEdge", 0.08)
    static let highEdge = tune("highEdge", 0.5)
    /// Use in percent beyond the fall of the level that proves a change nobody saw.
    static let unseen = tune("unseen", 55)
    static let coverageDrift = tune("coverageDrift", 0.02)
}
