// SPDX-License-Identifier: Apache-2.0
import Godwit

/// The slots that can run the same kinds: idle ones beside them are of no use to what waits.
struct Pool {
    /// Nil: every kind of the queue.
    var kinds: Set<String>?
    var workers: Int
    var slots: Int
    var idle: Int
    var ready: Int

    /// Runs, arrivals and times of its kinds in a pane.
    private func part(_ pane: QueuePane) -> (runs: Double, wait: Double, run: Double, share: Double)
    {
        guard let kinds else { return (Double(pane.runs), pane.meanWait, pane.meanRun, 1) }
        let mine = pane.kinds.filter { kinds.contains($0.kind) }
        let runs = mine.reduce(0.0) { $0 + Double($1.runs) }
        guard runs > 0 else { return (0, 0, 0, 0) }
        let wait = mine.reduce(0.0) { $0 + $1.meanWait * Double($1.runs) } / runs
        let run = mine.reduce(0.0) { $0 + $1.meanRun * Double($1.runs) } / runs
        return (runs, wait, run, pane.runs > 0 ? min(1, runs / Double(pane.runs)) : 0)
    }

    func meanWait(_ pane: QueuePane) -> Double { part(pane).wait }

    func utilisation(_ pane: QueuePane) -> Double {
        if kinds == nil { return pane.utilisation(slots: slots) }
        let part = part(pane)
        guard slots > 0, pane.span > 0 else { return 0 }
        return min(1, part.runs * part.run / pane.span / Double(slots))
    }

    /// How long one of its runs keeps a slot.
    func service(_ pane: QueuePane) -> Double {
        if kinds == nil { return pane.service }
        let part = part(pane)
        // No more than its slots can have done.
        return part.runs > 0 ? min(part.run, Double(slots) * pane.span / part.runs) : 0
    }

    /// Per second. What became ready and has not run yet is of this pool by its share of the ready ones.
    func inRate(_ pane: QueuePane) -> Double {
        if kinds == nil { return pane.inRate }
        guard pane.span > 0 else { return 0 }
        return max(0, part(pane).runs + Double(pane.arrivals - pane.runs)) / pane.span
    }

    /// Little's law: work that comes per second × time it takes = slots in use; with room for bursts.
    func slotsNeeded(_ pane: QueuePane) -> Int {
        let needed = inRate(pane) * service(pane) / Adviser.utilisation
        // A hair above a whole number is rounding, not another slot.
        return Int(min(1e9, (needed - 1e-9).rounded(.up)))
    }
}

extension Adviser {
    /// The pool whose kinds wait longest; the whole queue where every worker takes everything.
    func slowestPool() -> Pool {
        let taking = now.taking
        let whole = Pool(
            kinds: nil, workers: taking.count, slots: now.slots, idle: now.idleSlots,
            ready: now.plainReady)
        let waiting = now.kinds.filter { $0.ready > 0 }
        guard taking.contains(where: { worker in waiting.contains { !worker.knows($0.kind) } }),
            let oldest = waiting.filter({ $0.oldestReadyAt != nil })
                .min(by: { ($0.oldestReadyAt ?? now.at) < ($1.oldestReadyAt ?? now.at) })
        else { return whole }
        let able = taking.filter { $0.knows(oldest.kind) }
        // Kinds that exactly these workers share.
        let known = Set(now.kinds.map(\.kind) + (panes?.long.kinds.map(\.kind) ?? []))
        let kinds = known.filter { kind in
            taking.allSatisfy { $0.knows(kind) == $0.knows(oldest.kind) }
        }
        let slots = able.reduce(0) { $0 + $1.slots }
        return Pool(
            kinds: kinds, workers: able.count, slots: slots,
            idle: able.reduce(0) { $0 + max(0, $1.slots - $1.busy) },
            ready: waiting.filter { kinds.contains($0.kind) }.reduce(0) { $0 + $1.ready })
    }
}
