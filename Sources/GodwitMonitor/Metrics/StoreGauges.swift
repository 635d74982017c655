// SPDX-License-Identifier: Apache-2.0
public import CoreMetrics
public import Godwit
import Logging
import Synchronization

/// What a store holds, as numbers for a scraper: read on scrape, at most once in ``keptFor``.
///
/// Gauges that each process counts up and down drift when one of them dies; so they are read from
/// the store. Scrapers that come at the same time share one walk. A store that does not answer
/// costs the scraper at most ``patience``, and the process's own numbers are there nevertheless.
public final class StoreGauges: Sendable {
    public static let keptFor = Duration.seconds(5)
    public static let patience = Duration.seconds(4)

    /// What one walk found.
    public struct Look: Sendable {
        public var families: [MetricFamily] = []
        /// By queue; no more than were looked at.
        public var flows: [String: QueueFlow] = [:]
        public var isUp = false
    }

    private enum Turn {
        case kept(Look)
        case wait(Signal)
        case begin(Int, Signal)
    }

    /// A walk under way. One at a time, also when nobody waits for it any longer.
    private struct Walking {
        var number: Int
        var task: Task<Void, Never>?
        /// Nobody waits for it: it took longer than ``patience``.
        var isLate = false
    }

    private struct State {
        var look: Look?
        var lookedAt: ContinuousClock.Instant?
        var walking: Walking?
        var waiting: [Signal] = []
        /// The walks of the last minute, oldest first: rates are counted from the first of them.
        var walks: [StoreWalk] = []
        var trips = 0

        /// Takes the answer for all who wait.
        mutating func answer(_ look: Look) -> [Signal] {
            self.look = look
            lookedAt = .now
            defer { waiting = [] }
            return waiting
        }
    }

    private let broker: any Broker
    private let state = Mutex(State())
    private let metrics: (any MetricsFactory)?
    private let keptFor: Duration

    /// `metrics` counts the looks that failed; `keptFor` is how long a look is handed out again.
    public init(
        _ broker: any Broker, metrics: (any MetricsFactory)? = nil,
        keptFor: Duration = StoreGauges.keptFor
    ) {
        self.broker = broker
        self.metrics = metrics
        self.keptFor = keptFor
    }

    /// How often the store was walked.
    package var walkCount: Int { state.withLock { $0.trips } }

    /// The current look, walked now or a moment ago; never throws, and answers within ``patience``.
    ///
    /// A store that hangs is down. The walk that hangs in it goes on unheard, and until it has ended no
    /// other one begins: scrapers come again and again, and each would leave calls behind.
    public func look() async -> Look {
        let turn = state.withLock { state -> Turn in
            if let look = state.look, let at = state.lookedAt {
                if ContinuousClock.now - at < keptFor || state.walking?.isLate == true {
                    return .kept(look)
                }
            }
            let signal = Signal()
            state.waiting.append(signal)
            if state.walking != nil { return .wait(signal) }
            state.trips += 1
            state.walking = Walking(number: state.trips)
            return .begin(state.trips, signal)
        }
        let signal: Signal
        switch turn {
        case .kept(let look): return look
        case .wait(let other): signal = other
        case .begin(let number, let own):
            begin(number)
            signal = own
        }
        await signal.wait()
        // Why: the scraper went away, which says nothing of the store.
        if Task.isCancelled { return Look() }
        return state.withLock { $0.look } ?? Look()
    }

    private func begin(_ number: Int) {
        let timer = broker.time.schedule(after: Self.patience) { self.giveUp(number) }
        // Why a task of its own: a call of a store need not heed cancellation, and a group would wait
        // for it; and whoever scraped first may go away before the others have their answer. It ends
        // with its walk, and there is one at a time.
        let task = Task {
            await walk(number)
            timer.cancel()
        }
        let isLate = state.withLock { state -> Bool in
            guard state.walking?.number == number else { return false }
            state.walking?.task = task
            return state.walking?.isLate == true
        }
        if isLate { task.cancel() }
    }

    private func walk(_ number: Int) async {
        let walk: StoreWalk?
        var failure: (any Error)?
        do { walk = try await StoreWalk.take(broker) } catch {
            walk = nil
            failure = error
        }
        // Why read before: nobody else changes them while this walk is under way.
        let kept = state.withLock { $0.walks }.filter { isRecent($0, walk) }
        let look = Self.look(walk, since: kept.first)
        let (waiting, isLate) = state.withLock { state -> ([Signal], Bool) in
            let isLate = state.walking?.isLate == true
            state.walking = nil
            // Why not a late one: it speaks of a moment that is long gone.
            if isLate { return ([], true) }
            if let walk { state.walks = kept + [walk] }
            return (state.answer(look), false)
        }
        if let failure, !isLate {
            note("\(failure)", (failure as? BrokerError)?.caseName ?? "unknown")
        }
        waiting.forEach { $0.fire() }
    }

    /// Answers those who wait for a walk that takes too long.
    private func giveUp(_ number: Int) {
        let (waiting, task) = state.withLock { state -> ([Signal]?, Task<Void, Never>?) in
            guard let walking = state.walking, walking.number == number else { return (nil, nil) }
            state.walking?.isLate = true
            return (state.answer(Self.look(nil, since: nil)), walking.task)
        }
        guard let waiting else { return }
        task?.cancel()
        note(
            """
            it did not answer within \(Self.patience); its gauges are left out until it does. Look \
            at `godwit_store_seconds` and at the store's own log.
            """, "timeout")
        waiting.forEach { $0.fire() }
    }

    private func note(_ failure: String, _ cause: String) {
        Logger.current.warning("could not read the store for its gauges: \(failure)")
        CoreMetrics.Counter(
            label: "godwit_store_errors_total", dimensions: [("word", "scrape"), ("cause", cause)],
            factory: metrics ?? MetricsSystem.factory
        ).increment()
    }

    private func isRecent(_ old: StoreWalk, _ new: StoreWalk?) -> Bool {
        guard let new else { return true }
        return new.at - old.at <= .seconds(60) && old.at <= new.at
    }
}
