// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor

extension Scenario {
    /// More comes than the slots can do: 6/s × 2 s on 8 slots.
    private static let overload = steady { pane($0, in: 6, out: 4, wait: 400, least: 2000) }
    private static let calm = steady { pane($0, in: 2) }
    private static let full = [beat(busy: 8)]

    static let recorded: [Scenario] = waiting + runs + plans

    private static let waiting = [
        Scenario(
            description: "paused for a quarter of an hour", panes: calm,
            now: now(ready: 500, paused: true, oldest: 900), expected: [.paused]),
        Scenario(
            description: "paused in the middle of an overload", panes: overload,
            now: now(ready: 5000, paused: true, oldest: 900, workers: full), expected: [.paused]),
        Scenario(
            description: "paused with nothing to do", panes: calm, now: now(paused: true),
            expected: []),
        Scenario(
            description: "a limit of four leases and eight slots",
            panes: steady { pane($0, in: 2.5, out: 2, wait: 300) },
            now: now(ready: 900, leased: 4, oldest: 400, limit: 4, workers: [beat(busy: 4)]),
            expected: [.leaseLimit]),
        Scenario(
            description: "a limit that just fits the slots, all busy, too much work",
            panes: overload,
            now: now(ready: 5000, leased: 8, oldest: 900, limit: 8, workers: full),
            expected: [.leaseLimit, .backlog]),
        Scenario(
            description:
                "12 of work on 8 slots, and a limit of twelve leases under the 18 it needs",
            panes: overload,
            now: now(ready: 5000, leased: 8, oldest: 900, limit: 12, workers: full),
            expected: [.leaseLimit, .backlog]),
        Scenario(
            // 6 of 8 slots on average: 3/s × 2 s ÷ 0.7 is 9, yet slots are free a quarter of the time.
            description: "waits in bursts, while slots are busy to three quarters",
            panes: steady { pane($0, in: 3, wait: 90) },
            now: now(ready: 20, oldest: 130, workers: full), expected: []),
        Scenario(
            description: "one of two kinds has no worker", panes: calm,
            now: now(
                ready: 40, oldest: 300, workers: [beat(busy: 4, kinds: ["mail.v1"])],
                kinds: [kind("mail.v1", 2, 1), kind("mail.v2", 38, 300)]),
            expected: [.unknownKind]),
        Scenario(
            description: "a new kind whose workers start in a moment", panes: calm,
            now: now(
                ready: 5, oldest: 10, workers: [beat(busy: 4, kinds: ["mail.v1"])],
                kinds: [kind("mail.v2", 5, 10)]),
            expected: []),
        Scenario(
            description: "nobody works", panes: overload,
            now: now(ready: 5000, oldest: 900, workers: []), expected: [.noWorker, .backlog]),
        Scenario(
            description: "all workers are quiet", panes: calm,
            now: now(ready: 100, oldest: 120, workers: [beat(quiet: true), beat(2, quiet: true)]),
            expected: [.noWorker]),
        Scenario(
            description: "idle slots that know what waits for ten minutes",
            panes: steady { pane($0, in: 0.5, wait: 200) },
            now: now(ready: 60, oldest: 600), expected: [.lostWakeUp]),
        Scenario(
            description: "only suspects wait, beside idle slots", panes: calm,
            now: now(ready: 3, suspects: 3, oldest: 300, workers: [beat(busy: 2)]),
            expected: [.suspects]),
        Scenario(
            description: "ninety thousand mails for tomorrow", panes: calm,
            now: now(ready: 2, scheduled: 90_000, leased: 4, oldest: 0.1, workers: [beat(busy: 4)]),
            expected: []),
        Scenario(
            description: "slots doubled a moment ago; 6/s × 2 s needs 18",
            panes: overload,
            now: now(
                ready: 3000, oldest: 400,
                workers: [beat(slots: 10, busy: 10), beat(2, slots: 10, busy: 10)]),
            expected: [.backlog]),
        Scenario(
            description: "overloaded, and the board can't be read",
            panes: steady { pane($0, in: 6, out: 4, wait: 400) },
            now: now(ready: 5000, oldest: 900, workers: nil), expected: []),
        Scenario(
            description: "one idle slot at the moment of the look",
            panes: steady { pane($0, in: 2.4, wait: 70) },
            now: now(ready: 20, oldest: 130, workers: [beat(busy: 7)]), expected: []),
        Scenario(
            description: "a redrive of 5000 dead letters, half an hour ago",
            panes: QueuePanes(
                short: pane(300, in: 1, out: 8, wait: 300, run: 1, busy: 8, least: 1500),
                long: pane(3600, in: 2.5, out: 2, wait: 150, run: 1, busy: 7)),
            now: now(ready: 1200, oldest: 400, workers: full), expected: []),
        Scenario(
            description: "a store with another clock took over: waits of an hour, nothing waits",
            panes: steady { pane($0, in: 2, wait: 3600) },
            now: now(workers: [beat(busy: 4)], clockSteps: 1), expected: [.clockStep]),
        Scenario(
            description: "waits within what the operator allows",
            panes: steady { pane($0, in: 6, out: 4, wait: 400) },
            now: now(ready: 5000, oldest: 900, workers: full), targets: targets { $0.wait = 3600 },
            expected: []),
    ]

    private static let runs = [
        Scenario(
            description: "a crash loop: one lease of ten runs out, and everything waits",
            panes: steady {
                pane($0, in: 5, out: 4, wait: 400, lost: Int($0 * 0.4), crashLoops: 3, least: 1000)
            },
            now: now(ready: 5000, suspects: 12, oldest: 900, workers: full),
            expected: [.suspects, .backlog]),
        Scenario(
            description: "workers die under load, without suspects yet",
            panes: steady { pane($0, in: 5, out: 4, wait: 400, lost: Int($0 * 0.4)) },
            now: now(ready: 5000, oldest: 900, workers: full), expected: [.lostLeases]),
        Scenario(
            description: "one worker died half an hour ago",
            panes: QueuePanes(short: pane(300), long: pane(3600, lost: 8)),
            now: now(workers: [beat(busy: 2)]), expected: []),
        Scenario(
            description: "renewals starve now and then",
            panes: QueuePanes(short: pane(300, lost: 1), long: pane(3600, lost: 6)),
            now: now(workers: [beat(busy: 2)]), expected: [.lostLeases]),
        Scenario(
            description: "one of ten runs fails", panes: steady { pane($0, errors: 0.1) },
            now: now(workers: [beat(busy: 2)]), expected: [.errors]),
        Scenario(
            description: "failures that were mended ten minutes ago",
            panes: QueuePanes(short: pane(300), long: pane(3600, retries: 0.3)),
            now: now(workers: [beat(busy: 2)]), expected: []),
        Scenario(
            description: "a hiccup of the last five minutes",
            panes: QueuePanes(short: pane(300, errors: 0.2), long: pane(3600, errors: 0.02)),
            now: now(workers: [beat(busy: 2)]), expected: []),
        Scenario(
            description: "three of ten runs are tried again, no waits",
            panes: steady { pane($0, retries: 0.3) }, now: now(workers: [beat(busy: 2)]),
            expected: [.retryStorm]),
        Scenario(
            description: "deploys all the time", panes: steady { pane($0, releases: 0.15) },
            now: now(workers: [beat(busy: 2, age: 120)]), expected: [.releases]),
        Scenario(
            description: "runs of 40 s, cut off at 60 s",
            panes: steady { pane($0, in: 0.1, run: 20, p95: 40) },
            now: now(workers: [beat(busy: 2)]), targets: targets { $0.timeout = 60 },
            expected: [.longRuns]),
        Scenario(
            description: "runs of seven minutes under leases of half a minute, renewed",
            panes: steady { pane($0, in: 0.04, run: 300, p95: 420, slots: 20) },
            now: now(leased: 12, workers: [beat(slots: 20, busy: 12)]), expected: []),
        Scenario(
            description: "one slow kind behind ten thousand fast ones",
            panes: steady {
                pane(
                    $0, in: 3, run: 1, p95: 1,
                    kinds: [
                        .init(
                            kind: "mail", runs: Int($0 * 3), meanWait: 0.1, meanRun: 0.5, p95Run: 1),
                        .init(
                            kind: "report", runs: Int($0 / 100), meanWait: 0.1, meanRun: 500,
                            p95Run: 1200),
                    ])
            },
            now: now(workers: [beat(busy: 6)]), expected: [.longRuns]),
        Scenario(
            description: "four runs, three of them failed",
            panes: QueuePanes(
                short: pane(300, in: 0.01, retries: 0.75),
                long: pane(3600, in: 0.0012, retries: 0.75)),
            now: now(), expected: []),
    ]

    private static let plans = [
        Scenario(
            description: "no history: all slots busy, the oldest waits", panes: nil,
            now: now(ready: 500, oldest: 600, workers: full), expected: [.ratesUnknown]),
        Scenario(
            description: "no history, and paused", panes: nil,
            now: now(ready: 500, paused: true, oldest: 600), expected: [.paused, .ratesUnknown]),
        Scenario(
            // 100 × 600 s − 900 s on all slots, then one of 900 s by itself: 59,100 / 2,700 = 21.9
            description: "a hundred letters of ten minutes within the hour, on eight slots",
            panes: steady { pane($0, in: 0.008, wait: 1, run: 600, p95: 900, busy: 4.8) },
            now: now(ready: 92, leased: 8, oldest: 20, workers: full),
            targets: targets { $0.deadline = 3600 }, expected: [.deadline], slots: 22...22),
        Scenario(
            description: "59 minutes of the hour are gone, and 50 minutes of work are left",
            panes: steady { pane($0, in: 0.008, wait: 1, run: 600, p95: 600, busy: 4.8) },
            now: now(ready: 32, leased: 8, oldest: 20, workers: full),
            targets: targets { $0.deadlineAt = at + .seconds(60) }, expected: [.deadline]),
        Scenario(
            description: "an hour is left for 50 minutes of work",
            panes: steady { pane($0, in: 0.008, wait: 1, run: 600, p95: 600, busy: 4.8) },
            now: now(ready: 32, leased: 8, oldest: 20, workers: full),
            targets: targets { $0.deadlineAt = at + .seconds(3600) }, expected: []),
        Scenario(
            description: "a deadline that is over, with work left",
            panes: steady { pane($0, in: 0.008, wait: 1, run: 600, p95: 600, busy: 4.8) },
            now: now(ready: 32, leased: 8, oldest: 20, workers: full),
            targets: targets { $0.deadlineAt = at + .seconds(-60) }, expected: [.deadline]),
        Scenario(
            description: "a deadline that asks for 22 slots under a limit of sixteen leases",
            panes: steady { pane($0, in: 0.008, wait: 1, run: 600, p95: 900, busy: 4.8) },
            now: now(ready: 92, leased: 8, oldest: 20, limit: 16, workers: full),
            targets: targets { $0.deadline = 3600 }, expected: [.deadline]),
        Scenario(
            description: "letters that take longer than there is time",
            panes: steady { pane($0, in: 0.008, wait: 1, run: 600, p95: 4000, busy: 4.8) },
            now: now(ready: 92, leased: 8, oldest: 20, workers: full),
            targets: targets { $0.deadline = 3600 }, expected: [.deadline]),
        Scenario(
            description: "a hundred letters of a minute within the hour: in time",
            panes: steady { pane($0, in: 0.02, wait: 1, run: 60, p95: 90) },
            now: now(ready: 92, leased: 8, oldest: 20, workers: full),
            targets: targets { $0.deadline = 3600 }, expected: []),
        Scenario(
            description: "steady load with a short line that never empties",
            panes: steady { pane($0, in: 3.4, wait: 2, least: 3) },
            now: now(ready: 9, oldest: 4, workers: [beat(busy: 7)]), expected: []),
        Scenario(
            description: "load 12 on 8 slots for hours: 12 ÷ 0.7 = 18 slots", panes: overload,
            now: now(
                ready: 7000, oldest: 1500,
                workers: [beat(slots: 4, busy: 4), beat(2, slots: 4, busy: 4)]),
            expected: [.addWorkers, .backlog], slots: 18...18),
    ]

    private static func targets(_ change: (inout QueueTargets) -> Void) -> QueueTargets {
        var targets = QueueTargets()
        change(&targets)
        return targets
    }
}
