// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor

/// A queue as it was, and what should have been said: decided from the facts, before the adviser was run.
struct Scenario: Sendable, CustomStringConvertible {
    var description: String
    var panes: QueuePanes?
    var now: QueueNow
    var targets = QueueTargets()
    var expected: Set<Advice.Kind>
    /// How many slots should be asked for.
    var slots: ClosedRange<Int>?

    static let at = Timestamp(milliseconds: 1_800_000_000_000)

    static func now(
        ready: Int = 0, scheduled: Int = 0, leased: Int = 0, suspects: Int = 0,
        paused: Bool = false, oldest: Double? = nil, limit: Int? = nil,
        workers: [WorkerBeat]? = [beat()], kinds: [KindCount]? = nil, clockSteps: Int = 0
    ) -> QueueNow {
        var counts = QueueCounts()
        counts.ready = ready
        counts.scheduled = scheduled
        counts.leased = leased
        counts.suspects = suspects
        counts.isPaused = paused
        return QueueNow(
            queue: "mail", at: at, counts: counts, oldestReady: oldest, leaseLimit: limit,
            workers: workers, kinds: kinds ?? [kind("job", ready, oldest)], clockSteps: clockSteps)
    }

    static func beat(
        _ number: UInt32 = 1, slots: Int = 8, busy: Int = 0, held: Int? = nil,
        kinds: [String]? = nil, quiet: Bool = false, age: Double = 86_400
    ) -> WorkerBeat {
        WorkerBeat(
            number: number, name: "host-\(number)", queue: "mail", kinds: kinds, slots: slots,
            busy: busy, held: held ?? busy, startedAt: at + .seconds(-age),
            leaseMilliseconds: 30_000, isQuiet: quiet)
    }

    static func kind(_ name: String, _ ready: Int, _ oldest: Double?) -> KindCount {
        KindCount(
            kind: name, hash: 0, ready: ready,
            oldestReadyAt: oldest.map { at + .milliseconds(Int64(-$0 * 1000)) })
    }

    /// A pane by rates per second: what an hour and five minutes of the same look like.
    static func pane(
        _ span: Double, in inRate: Double = 1, out outRate: Double? = nil, wait: Double = 0.2,
        run: Double = 2, p95: Double? = nil, slots: Double = 8, busy: Double? = nil,
        retries: Double = 0, errors: Double = 0, releases: Double = 0, lost: Int = 0,
        crashLoops: Int = 0, least: Int = 0, kinds: [QueuePane.Kind]? = nil
    ) -> QueuePane {
        let runs = Int((outRate ?? inRate) * span)
        let p95 = p95 ?? 3 * run
        return QueuePane(
            span: span, arrivals: Int(inRate * span), runs: runs,
            retries: Int(Double(runs) * retries), failures: Int(Double(runs) * (retries + errors)),
            releases: Int(Double(runs) * releases), lost: lost, crashLoops: crashLoops,
            meanWait: wait, meanRun: run, p95Run: p95, slots: slots,
            busySlots: busy ?? min(slots, Double(runs) * run / span), leastReady: least,
            kinds: kinds
                ?? [.init(kind: "job", runs: runs, meanWait: wait, meanRun: run, p95Run: p95)])
    }

    /// The same in both panes.
    static func steady(_ make: (Double) -> QueuePane) -> QueuePanes {
        QueuePanes(short: make(300), long: make(3600))
    }
}
