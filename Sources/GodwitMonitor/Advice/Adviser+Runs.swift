// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What runs themselves say: too long, failing, handed back, lost.
extension Adviser {
    /// By kind: one slow kind hides behind many fast ones in the mean of all.
    func longRuns() -> [Advice] {
        guard let panes else { return [] }
        // What was prefetched waits in its worker's hands, and that is not the job's fault.
        let stretch = panes.long.meanRun > 0 ? panes.long.service / panes.long.meanRun : 1
        let own = stretch < 0.5 ? stretch : 1
        let kinds =
            panes.long.kinds.isEmpty
            ? [("runs", panes.long.runs, panes.long.p95Run, panes.short.p95Run)]
            : panes.long.kinds.compactMap { kind in
                panes.short.kinds.first { $0.kind == kind.kind }
                    .map { ("'\(kind.kind)'", kind.runs, kind.p95Run, $0.p95Run) }
            }
        return kinds.compactMap { name, runs, long, short in
            let p95 = min(long, short) * own
            guard runs >= min(Self.fewestRuns, 20), p95 > 0 else { return nil }
            if let timeout = targets.timeout, p95 > timeout / 2 {
                return say(
                    .longRuns, .loud,
                    "The job is too big: 5 of 100 \(name) take over \(Plain.time(p95)), more than half "
                        + "of the timeout of \(Plain.time(timeout)). Split it, or use a bigger machine, "
                        + "before runs are cut off.",
                    next: "godwit history slowest --where queue:\(now.queue)")
            }
            guard p95 > targets.run else { return nil }
            return say(
                .longRuns, .warning,
                "The job is big: 5 of 100 \(name) take over \(Plain.time(p95)); the target is "
                    + "\(Plain.time(targets.run)). Split it, or use a bigger machine.",
                next: "godwit history slowest --where queue:\(now.queue)")
        }
    }

    func failures() -> [Advice] {
        guard let panes, panes.short.runs >= 10 else { return [] }
        let groups = topGroups(panes.long.groups)
        if panes.agree({ $0.share($0.retries) > Self.storm }) {
            return [
                say(
                    .retryStorm, .loud,
                    "\(Plain.percent(panes.short.share(panes.short.retries))) of the last "
                        + "\(panes.short.runs) runs were to be tried again: a retry storm. Use a longer "
                        + "back-off, or pause the queue until the cause is gone.\(groups)",
                    next: "godwit queue pause \(now.queue)")
            ]
        }
        guard panes.agree({ $0.share($0.failures) > targets.errorShare }) else { return [] }
        return [
            say(
                .errors, .warning,
                "\(Plain.percent(panes.short.share(panes.short.failures))) of the last "
                    + "\(panes.short.runs) runs failed.\(groups)",
                next: "godwit history groups --where queue:\(now.queue)")
        ]
    }

    private func topGroups(_ groups: [ErrorGroup]) -> String {
        if groups.isEmpty { return "" }
        let top = groups.prefix(3).map { group in
            let first = Double((now.at - group.firstAt).milliseconds) / 1000
            let last = Double((now.at - group.lastAt).milliseconds) / 1000
            return "\(group.count) × '\(group.reason.prefix(80))' (\(group.kind), first "
                + "\(Plain.time(first)) ago, last \(Plain.time(last)) ago)"
        }
        return " Most frequent: " + top.joined(separator: "; ") + "."
    }

    func releases() -> [Advice] {
        guard let panes, panes.short.runs >= 10,
            panes.agree({ $0.share($0.releases) > Self.releaseShare })
        else { return [] }
        let young = now.taking.filter { (now.at - $0.startedAt) < .seconds(3600) }
        let deep = now.taking.filter { $0.held > 4 * max(1, $0.slots) }
        let cause =
            !deep.isEmpty
            ? "\(Plain.count(deep.count, "worker")) hold more than four times what they can run: "
                + "prefetch less."
            : !young.isEmpty
                ? "\(young.count) of \(Plain.count(now.taking.count, "worker")) started within the "
                    + "hour: deploys, or workers that restart."
                : "Workers stop often, or prefetch more than they can run."
        return [
            say(
                .releases, .note,
                "\(Plain.percent(panes.short.share(panes.short.releases))) of the last "
                    + "\(panes.short.runs) runs were handed back unrun. \(cause)",
                next: "godwit worker list --where queue:\(now.queue)")
        ]
    }

    func losses() -> [Advice] {
        let crashLoops = history.map { $0.agree { $0.crashLoops > 0 } } ?? false
        if now.counts.suspects > 0 || crashLoops {
            let dead =
                crashLoops
                ? " \(history?.long.crashLoops ?? 0) died as crash-loop within the hour." : ""
            return [
                say(
                    .suspects, .loud,
                    "\(now.counts.suspects) of the ready messages have lost two leases or more and "
                        + "now run alone.\(dead) Look at memory, traps and native code: a message's "
                        + "last progress and worker tell where.",
                    next: "godwit job list --where 'queue:\(now.queue) lost>=2'")
            ]
        }
        guard let panes, panes.agree({ $0.lost > 0 }) else { return [] }
        return [
            say(
                .lostLeases, .warning,
                "\(Plain.count(panes.long.lost, "lease")) ran out within the hour, "
                    + "\(panes.short.lost) of them in the last 5 minutes. Where the worker's heartbeat "
                    + "is gone, it died: find the message whose 'lost' goes on rising. Where it is "
                    + "still there, something blocked its renewals.",
                next: "godwit history runs --where 'queue:\(now.queue) verdict:reclaim'")
        ]
    }
}
