// SPDX-License-Identifier: Apache-2.0
import Godwit

/// Why messages wait: the causes that more workers would not mend are asked first.
extension Adviser {
    func waiting() -> [Advice] {
        guard now.counts.ready > 0 else { return [] }
        if now.counts.isPaused { return [paused()] }
        let unserved = kindsWithoutWorker()
        if !unserved.isEmpty { return unserved }
        guard let oldest = now.oldestReady, oldest > targets.wait else { return [] }
        if now.isAtLeaseLimit, let limit = now.leaseLimit {
            return [
                say(
                    .leaseLimit, .warning,
                    "\(now.counts.ready) are ready and the oldest has waited \(Plain.time(oldest)), "
                        + "because \(now.counts.leased) are leased and the queue's limit is \(limit). "
                        + "More workers would not help: raise the limit.",
                    next: "godwit queue limits \(now.queue)")
            ]
        }
        // Suspects wait for a worker that holds nothing else; that has its own advice.
        guard now.plainReady > 0, now.workers != nil else { return [] }
        if let idle = idle(oldest) { return [idle] }
        return [tooFew()].compactMap { $0 }
    }

    private func paused() -> Advice {
        let isLong = (now.oldestReady ?? 0) > targets.wait
        let age = now.oldestReady.map { ", the oldest for \(Plain.time($0))" } ?? ""
        return say(
            .paused, isLong ? .warning : .note,
            "The queue is paused and \(now.counts.ready) wait\(age). More workers would not help.",
            next: "godwit queue resume \(now.queue)")
    }

    /// What is ready although nobody takes it.
    private func kindsWithoutWorker() -> [Advice] {
        guard let workers = now.workers else { return [] }
        if now.taking.isEmpty {
            guard (now.oldestReady ?? 0) > Self.patience else { return [] }
            let who =
                workers.isEmpty
                ? "no worker lives" : "all \(Plain.count(workers.count, "worker")) are quiet"
            return [
                say(
                    .noWorker, .loud,
                    "\(now.counts.ready) are ready, the oldest for "
                        + "\(Plain.time(now.oldestReady ?? 0)), and \(who).",
                    next: workers.isEmpty ? "godwit work \(now.queue)" : "godwit worker list")
            ]
        }
        return now.kinds.compactMap { kind in
            guard kind.ready > 0, !now.taking.contains(where: { $0.knows(kind.kind) }),
                let since = kind.oldestReadyAt
            else { return nil }
            let age = Double((now.at - since).milliseconds) / 1000
            guard age > Self.patience else { return nil }
            return say(
                .unknownKind, .loud,
                "No worker for '\(kind.kind)': \(kind.ready) are ready, the oldest for "
                    + "\(Plain.time(age)), and none of \(Plain.count(now.taking.count, "live worker")) "
                    + "knows the kind. They wait and are not failed; more workers of the same "
                    + "program would not help.",
                next: "godwit worker list --where queue:\(now.queue)")
        }
    }

    /// Slots that could take what waits, and do not: something did not wake them.
    private func idle(_ oldest: Double) -> Advice? {
        let pool = slowestPool()
        guard pool.ready > 0, pool.idle > 0, pool.idle * 5 >= pool.slots, oldest > 2 * targets.wait
        else { return nil }
        // Without rates one look must do, and then a worker between two runs must not look idle.
        if let panes {
            guard panes.agree({ pool.utilisation($0) < 0.5 }) else { return nil }
        } else if pool.idle < pool.slots {
            return nil
        }
        return say(
            .lostWakeUp, .loud,
            "\(pool.ready) are ready and the oldest has waited \(Plain.time(oldest)), while "
                + "\(pool.idle) of \(Plain.count(pool.slots, "slot")) that could run them are idle. "
                + "The queue is not paused and has room under its limit: workers were not woken. "
                + "More workers would not help; look at the store's connections and the workers' log.",
            next: "godwit doctor")
    }

    /// All slots are full and more comes than they can do.
    private func tooFew() -> Advice? {
        guard let panes else { return nil }
        let pool = slowestPool()
        guard pool.ready > pool.slots, pool.slots > 0,
            panes.agree({ pool.meanWait($0) > targets.wait }),
            panes.agree({ pool.utilisation($0) >= Self.full }), pool.idle * 5 <= pool.slots,
            // Runs that fail or die do not become better by being more.
            !panes.agree({ $0.share($0.retries) > Self.storm }),
            !panes.agree({ $0.share($0.lost) > 0.05 }),
            !panes.agree({ $0.share($0.releases) > Self.releaseShare })
        else { return nil }
        guard panes.agree({ pool.slotsNeeded($0) > pool.slots }) else { return nil }
        // Which pane tells the number: what comes now, if there are runs enough to know it.
        let pane = panes.short.runs >= Self.fewestRuns ? panes.short : panes.long
        let needed = pool.slotsNeeded(pane)
        let more = needed - pool.slots
        // Every slot holds a lease: slots beyond the limit would stay idle.
        if let limit = now.leaseLimit, limit < now.slots + more {
            return say(
                .leaseLimit, .warning,
                "Too few workers, but the queue's limit of \(limit) leases does not let "
                    + "\(Plain.count(needed, "slot")) work: raise it to \(now.slots + more) first, then "
                    + "add \(Plain.count(more, "slot")).",
                next: "godwit queue limits \(now.queue)")
        }
        let size = max(1, pool.slots / max(1, pool.workers))
        let kinds = pool.kinds.map { " that run \($0.sorted().joined(separator: ", "))" } ?? ""
        return say(
            .addWorkers, .warning,
            "Too few workers: messages wait \(Plain.time(pool.meanWait(panes.short))) on average and "
                + "\(Plain.percent(pool.utilisation(panes.short))) of \(Plain.count(pool.slots, "slot")) "
                + "is busy. \(Plain.rate(pool.inRate(pane))) × \(Plain.time(pool.service(pane))) ÷ 0.7 = "
                + "\(Plain.count(needed, "slot")): add \(more)\(kinds), for example "
                + "\(Plain.count((more + size - 1) / size, "worker")) of \(size).",
            next: "godwit work \(now.queue) --concurrency \(size)", slots: needed)
    }
}
