// SPDX-License-Identifier: Apache-2.0
import CoreMetrics
import Synchronization

/// What this process counts of one queue.
package final class QueueMeters: Sendable {
    let book: MeterBook
    private let name: String
    private let leasesLost: CoreMetrics.Counter
    private let reclaimedLeases: CoreMetrics.Counter
    private let reclaimedLoops: CoreMetrics.Counter
    private let crashLoops: CoreMetrics.Counter
    /// By the hash of the kind.
    private let pairs = Mutex<[UInt32: PairMeters]>([:])
    private let others = Mutex<PairMeters?>(nil)

    init(_ name: String, _ book: MeterBook) {
        self.name = name
        self.book = book
        let factory = book.factory
        func counter(_ label: String, _ more: (String, String)? = nil) -> CoreMetrics.Counter {
            CoreMetrics.Counter(
                label: label, dimensions: [("queue", name)] + (more.map { [$0] } ?? []),
                factory: factory)
        }
        leasesLost = counter("godwit_leases_lost_total")
        reclaimedLeases = counter("godwit_reclaimed_total", ("cause", "lease"))
        reclaimedLoops = counter("godwit_reclaimed_total", ("cause", "crash-loop"))
        // Why no kind of its own: a reclaim tells how many it gave up on, not which.
        crashLoops = counter("godwit_crash_loops_total", ("kind", MeterBook.other))
    }

    // MARK: What happened

    func enqueued(_ count: Int, of kind: Kind) {
        if count > 0 { pair(kind.hash) { kind.name }.enqueued(count) }
    }

    /// Messages came in: how long each was ready before, by the store's clock.
    package func reserved(_ reservation: Reservation) {
        var last: (hash: UInt32, pair: PairMeters)?
        var steps = 0
        for leased in reservation.messages {
            let entry = leased.token.entry
            let pair: PairMeters
            if let last, last.hash == entry.kindHash {
                pair = last.pair
            } else {
                pair = self.pair(entry.kindHash) { Self.kind(of: leased) }
                last = (entry.kindHash, pair)
            }
            let wait = (reservation.now - entry.readyAt).milliseconds
            // A fail-over to a store with another clock; such a wait tells nothing.
            if wait < 0 { steps += 1 }
            pair.waited(max(0, wait))
        }
        if steps > 0 { book.clockSteps.increment(by: steps) }
    }

    /// A handler has returned.
    func ran(_ entry: Entry, for duration: Duration) {
        known(entry.kindHash).ran(max(0, duration.milliseconds))
    }

    /// Runs ended: those that the store took the verdicts of.
    func settled(_ settlements: [Settlement], _ outcomes: [SettleOutcome]) {
        var open: (hash: UInt32, verdict: PairMeters.VerdictName, count: Int)?
        for (settlement, outcome) in zip(settlements, outcomes) where outcome == .done {
            let hash = settlement.token.entry.kindHash
            let verdict = PairMeters.VerdictName(settlement.verdict)
            if let one = open, one.hash == hash, one.verdict == verdict {
                open?.count += 1
                continue
            }
            if let open { known(open.hash).ended(open.verdict, open.count) }
            open = (hash, verdict, 1)
        }
        if let open { known(open.hash).ended(open.verdict, open.count) }
    }

    func lost(_ count: Int) {
        if count > 0 { leasesLost.increment(by: count) }
    }

    func reclaimed(_ reclaimed: Reclaimed) {
        if reclaimed.ready > 0 { reclaimedLeases.increment(by: reclaimed.ready) }
        if reclaimed.dead > 0 {
            reclaimedLoops.increment(by: reclaimed.dead)
            crashLoops.increment(by: reclaimed.dead)
        }
    }

    // MARK: Kinds

    /// Of kinds without numbers of their own.
    private var other: PairMeters {
        others.withLock { other in
            if let other { return other }
            let made = PairMeters(queue: name, kind: MeterBook.other, book.factory)
            other = made
            return made
        }
    }

    private func known(_ hash: UInt32) -> PairMeters { pairs.withLock { $0[hash] } ?? other }

    private func pair(_ hash: UInt32, name: () -> String?) -> PairMeters {
        if let pair = pairs.withLock({ $0[hash] }) { return pair }
        guard self.name != MeterBook.other, !book.isFull, let kind = name() else { return other }
        return pairs.withLock { pairs in
            if let pair = pairs[hash] { return pair }
            guard book.admitsPair() else { return other }
            let pair = PairMeters(queue: self.name, kind: kind, book.factory)
            pairs[hash] = pair
            return pair
        }
    }

    /// The wire name, if it is one: the body may be anybody's.
    private static func kind(of leased: LeasedMessage) -> String? {
        let name = try? Envelope.reading(leased.body) { view in
            String(decoding: view.kind, as: UTF8.self)
        }
        guard let name, let kind = try? Kind(name), kind.hash == leased.token.entry.kindHash else {
            return nil
        }
        return name
    }
}

/// What this process counts of one kind in one queue.
final class PairMeters: Sendable {
    /// How a run ended, as the label `verdict` names it.
    enum VerdictName: Int, CaseIterable {
        case ack, retry, reject, release, forward

        init(_ verdict: Verdict) {
            self =
                switch verdict {
                case .ack: .ack
                case .retry: .retry
                case .reject: .reject
                case .release: .release
                case .forward: .forward
                }
        }
    }

    private let labels: [(String, String)]
    private let factory: any MetricsFactory
    private let wait: CoreMetrics.Timer
    private let run: CoreMetrics.Timer
    private let enqueues = Mutex<CoreMetrics.Counter?>(nil)
    /// Made when first needed: most kinds know one or two verdicts.
    private let ends = Mutex<[CoreMetrics.Counter?]>(
        Array(repeating: nil, count: VerdictName.allCases.count))

    init(queue: String, kind: String, _ factory: any MetricsFactory) {
        labels = [("queue", queue), ("kind", kind)]
        self.factory = factory
        wait = CoreMetrics.Timer(
            label: "godwit_wait_seconds", dimensions: labels, preferredDisplayUnit: .seconds,
            factory: factory)
        run = CoreMetrics.Timer(
            label: "godwit_run_seconds", dimensions: labels, preferredDisplayUnit: .seconds,
            factory: factory)
    }

    func enqueued(_ count: Int) {
        let counter = enqueues.withLock { counter in
            if let counter { return counter }
            let made = CoreMetrics.Counter(
                label: "godwit_enqueued_total", dimensions: labels, factory: factory)
            counter = made
            return made
        }
        counter.increment(by: count)
    }

    func waited(_ milliseconds: Int64) { wait.recordNanoseconds(nanoseconds(milliseconds)) }

    func ran(_ milliseconds: Int64) { run.recordNanoseconds(nanoseconds(milliseconds)) }

    func ended(_ verdict: VerdictName, _ count: Int) {
        let counter = ends.withLock { ends in
            if let counter = ends[verdict.rawValue] { return counter }
            let made = CoreMetrics.Counter(
                label: "godwit_runs_total", dimensions: labels + [("verdict", "\(verdict)")],
                factory: factory)
            ends[verdict.rawValue] = made
            return made
        }
        counter.increment(by: count)
    }

    /// Why a bound: a wait of centuries (a clock that was wrong once) must not trap.
    private func nanoseconds(_ milliseconds: Int64) -> Int64 {
        min(milliseconds, 1 << 40) * 1_000_000
    }
}
