// SPDX-License-Identifier: Apache-2.0

/// What is kept of one supply between readings: O(1), whatever its age.
///
/// "Usage" is pages where the device counts them, and normal days where it does not; it only rises.
struct SupplyState: Hashable, Sendable {
    /// A level that the next reading has to confirm.
    struct Pending: Hashable, Sendable {
        var level: Double
        var day: Double
        var usage: Double
        var usageBefore: Double
        var dayBefore: Double
        var serial: UInt64
        /// True for the sudden fall that no usage explains.
        var isSuspicious = false
        /// True when the estimate follows it before the proof.
        var isTaken = false
    }

    var index: Int
    var color = Supply.Color.none
    var evidence = StepEvidence()
    var capacity = 0
    var serial: UInt64 = 0

    // The cartridge that is in.
    var number: UInt32 = 1
    var startDay = 0.0
    var startUsage = 0.0
    var startLevel = 0.0
    /// A fresh one has been full when it came and has not fallen yet.
    var isFresh = false
    /// Pages that may already have been printed with it, or with the old one, when it was first seen.
    var startGap = 0.0
    /// The reading, jitter removed.
    var reading = -1.0
    /// The estimate of the true level.
    var level = 0.0
    var lastDay = 0.0
    var lastUsage = 0.0
    /// The last edge of a step that was crossed in this cartridge: nil before the first.
    var edge: Double?
    var edgeUsage = 0.0
    var edgeDay = 0.0
    var rise: Pending?
    var fall: Pending?

    // Over all cartridges: drop in percent and the usage it took, forever and decayed.
    var dropAll = 0.0
    var usageAll = 0.0
    var drop = 0.0
    var usage = 0.0
    var sumsDay = 0.0
    /// Usage per full cartridge of the last eight.
    var yields: [Double] = []
    var oldLevel = -1.0
    var oldSerial: UInt64 = 0
    /// The state a device that only enumerates gave last: 0 none, 1 ok, 2 low, 3 empty.
    var condition: UInt8 = 0
    var alert = AlertState()
    var flags: UInt8 = 0
    /// Looks at an empty supply with a little use between them, and without.
    var emptyUse: UInt8 = 0
    var emptyRest: UInt8 = 0

    init(index: Int) { self.index = index }

    /// Whether the cartridge that is in was alerted.
    var isAlerted: Bool { alert.cartridge == number }

    /// Whether the cartridge before it was, in case it comes back.
    var oldIsAlerted: Bool {
        get { flags & 2 != 0 }
        set { flags = newValue ? flags | 2 : flags & ~2 }
    }

    /// Percent per unit of usage, the prior `rate` being percent per unit of a new device.
    func perUsage(prior: Double) -> Double {
        let all =
            (dropAll + Tuning.priorDrop) / (usageAll + Tuning.priorDrop / max(1e-12, prior))
        var value = (drop + Tuning.yieldWeight) / (usage + Tuning.yieldWeight / all)
        // Why: no step crossed for long says that a page takes less than the rest of the step.
        let step = evidence.step
        if let _ = edge {
            let since = lastUsage - edgeUsage
            if since > 0 {
                let limit = 1.05 * step / since
                if value > limit {
                    // The pending part counts as evidence of its own, with the weight of one step.
                    value =
                        (drop + Tuning.yieldWeight + step)
                        / (usage + Tuning.yieldWeight / all + since)
                    value = max(value, limit)
                }
            }
        }
        return value
    }

    /// Relative variance of `perUsage`.
    var perUsageVariance: Double {
        let step = evidence.step
        let weight = drop + Tuning.yieldWeight * min(1, dropAll / 100)
        return (step * step / 6 + 1) / ((weight + 3) * (weight + 3)) + 0.08 / (weight + 3)
    }

    mutating func accumulate(_ fall: Double, _ used: Double, at day: Double) {
        let keep = Maths.exp(-max(0, day - sumsDay) / Tuning.yieldDays)
        drop = drop * keep + fall
        usage = usage * keep + used
        sumsDay = day
        dropAll += fall
        usageAll += used
    }
}
