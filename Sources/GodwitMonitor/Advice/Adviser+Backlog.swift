// SPDX-License-Identifier: Apache-2.0
import Godwit

/// When the work will be done.
extension Adviser {
    /// Ready for an hour, and more than the target's worth of work.
    func backlog() -> [Advice] {
        guard let panes, !now.counts.isPaused, let least = panes.long.leastReady, least > 0,
            now.counts.ready > 0, panes.agree({ $0.outRate > 0 }),
            panes.agree({ Double(min(least, now.counts.ready)) / $0.outRate > targets.wait })
        else { return [] }
        let ready = now.counts.ready
        let next = "godwit queue show \(now.queue)"
        // Under a fiftieth, in and out are the same: what is left over is the beat of the samples.
        if panes.agree({ $0.outRate - $0.inRate > 0.02 * $0.outRate }) {
            let drain = Double(ready) / (panes.short.outRate - panes.short.inRate)
            return [
                say(
                    .backlog, .note,
                    "\(ready) are ready and have been for an hour; they will be done in "
                        + "\(Plain.time(drain)): \(Plain.rate(panes.short.outRate)) go out, "
                        + "\(Plain.rate(panes.short.inRate)) come in.", next: next)
            ]
        }
        guard panes.agree({ $0.outRate - $0.inRate <= 0.02 * $0.outRate }) else { return [] }
        return [
            say(
                .backlog, .warning,
                "\(ready) are ready and have been for an hour; they will never be done at this rate: "
                    + "\(Plain.rate(panes.short.outRate)) go out, \(Plain.rate(panes.short.inRate)) "
                    + "come in.", next: next)
        ]
    }

    /// Whether what is ready can be done in the time that the operator has set, and with how many slots.
    func deadline() -> [Advice] {
        guard let deadline = targets.timeLeft(at: now.at), let long = history?.long,
            !now.counts.isPaused,
            now.workers != nil, now.counts.ready > 0, long.runs >= 20, long.service > 0
        else { return [] }
        let stretch = long.meanRun > 0 ? long.service / long.meanRun : 1
        let plan = FinishPlan(
            jobs: now.counts.ready + now.counts.leased, meanRun: long.service,
            p95Run: long.p95Run * stretch, within: deadline, slots: now.slots)
        guard !plan.isInTime else { return [] }
        guard deadline > 0 else {
            return [
                say(
                    .deadline, .loud,
                    "\(plan.jobs) jobs are not done, and their deadline was \(Plain.time(-deadline)) ago.",
                    next: "godwit queue show \(now.queue)")
            ]
        }
        let start =
            "\(plan.jobs) jobs of \(Plain.time(plan.meanRun)) on \(Plain.count(now.slots, "slot")) "
            + "take \(Plain.time(plan.expected)), \(Plain.time(deadline)) are allowed"
        let next = "godwit work \(now.queue)"
        let limit = now.leaseLimit ?? .max
        guard let needed = plan.slotsNeeded, needed <= limit, !now.isAtLeaseLimit else {
            let cause =
                plan.slotsNeeded.map { needed in
                    needed > limit
                        ? "the queue's limit is \(limit) leases: raise it to \(needed) first"
                        : "the queue's limit of \(limit) leases is reached: raise it first"
                }
                ?? "one job of 20 takes over \(Plain.time(plan.p95Run)) by itself: no number of workers "
                + "helps, make the jobs smaller"
            return [say(.deadline, .loud, "\(start): \(cause).", next: next)]
        }
        let tail =
            plan.hasLongTail
            ? " The last jobs alone take \(Plain.time(plan.p95Run)) while other slots idle: smaller "
                + "jobs would end sooner with the same slots." : ""
        return [
            say(
                .deadline, .loud,
                "\(start). With \(Plain.count(needed, "slot")) it can be done: add "
                    + "\(max(0, needed - now.slots)).\(tail)", next: next, slots: needed)
        ]
    }
}

/// How long so many jobs take on so many slots, and how many slots a deadline needs.
///
/// Jobs that are handed out one by one end at the latest `work ÷ slots + the longest job` after the start
/// (Graham's bound for list scheduling, 1966); the p95 stands for the longest.
public struct FinishPlan: Sendable, Hashable {
    public var jobs: Int
    /// All times in seconds.
    public var meanRun: Double
    public var p95Run: Double
    public var within: Double
    public var slots: Int

    public init(jobs: Int, meanRun: Double, p95Run: Double, within: Double, slots: Int) {
        self.jobs = jobs
        self.meanRun = meanRun
        self.p95Run = max(p95Run, meanRun)
        self.within = within
        self.slots = slots
    }

    /// When the last job ends, at worst.
    public var expected: Double { Self.time(jobs, meanRun, p95Run, slots) }
    public var isInTime: Bool { expected <= within }

    /// Nil when one long job takes longer than all may take: then jobs must be smaller.
    public var slotsNeeded: Int? {
        guard p95Run < within, jobs > 0 else { return jobs == 0 ? 0 : nil }
        let rest = Double(jobs) * meanRun - p95Run
        return min(jobs, max(1, Int(min(1e9, (rest / (within - p95Run)).rounded(.up)))))
    }

    /// Fewer than three rounds of jobs that differ much: the end belongs to a few long ones.
    public var hasLongTail: Bool {
        guard let slotsNeeded, slotsNeeded > 0 else { return true }
        return p95Run > 2 * meanRun && Double(jobs) / Double(slotsNeeded) < 3
    }

    private static func time(_ jobs: Int, _ mean: Double, _ p95: Double, _ slots: Int) -> Double {
        if jobs == 0 { return 0 }
        if slots < 1 { return .infinity }
        // A job beside `work − its own time` on all slots, then itself alone.
        return max(0, Double(jobs) * mean - p95) / Double(slots) + p95
    }
}
