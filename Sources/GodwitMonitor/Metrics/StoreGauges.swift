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
        case walk([StoreWalk])
    }

    private struct State {
        var look: Look?
        var lookedAt: ContinuousClock.Instant?
        var isWalking = false
        var waiting: [Signal] = []
        /// The walks of the last minute, oldest first: rates are counted from the first of them.
        var walks: [StoreWalk] = []
        var trips = 0
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

    /// The current look, walked now or a moment ago; never throws.
    public func look() async -> Look {
        while true {
            let turn = state.withLock { state -> Turn in
                if let look = state.look, let at = state.lookedAt,
                    ContinuousClock.now - at < keptFor
                {
                    return .kept(look)
                }
                if state.isWalking {
                    let signal = Signal()
                    state.waiting.append(signal)
                    return .wait(signal)
                }
                state.isWalking = true
                state.trips += 1
                return .walk(state.walks)
            }
            switch turn {
            case .kept(let look): return look
            case .wait(let signal):
                await signal.wait()
                if Task.isCancelled { return Look() }
            case .walk(let walks): return await walk(after: walks)
            }
        }
    }

    private func walk(after walks: [StoreWalk]) async -> Look {
        let walk: StoreWalk?
        do {
            walk = try await StoreWalk.take(broker, within: Self.patience)
        } catch {
            walk = nil
            Logger.current.warning("could not read the store for its gauges: \(error)")
            CoreMetrics.Counter(
                label: "godwit_store_errors_total",
                dimensions: [("word", "scrape"), ("cause", Self.cause(error))],
                factory: metrics ?? MetricsSystem.factory
            ).increment()
        }
        let kept = walks.filter { isRecent($0, walk) }
        let look = Self.look(walk, since: kept.first)
        let waiting = state.withLock { state -> [Signal] in
            state.isWalking = false
            // Why not a cancelled one: the scraper went away, which says nothing of the store.
            if walk != nil || !Task.isCancelled {
                state.look = look
                state.lookedAt = .now
            }
            if let walk { state.walks = kept + [walk] }
            defer { state.waiting = [] }
            return state.waiting
        }
        waiting.forEach { $0.fire() }
        return look
    }

    private func isRecent(_ old: StoreWalk, _ new: StoreWalk?) -> Bool {
        guard let new else { return true }
        return new.at - old.at <= .seconds(60) && old.at <= new.at
    }

    private static func cause(_ error: any Error) -> String {
        (error as? BrokerError)?.metricCause ?? "timeout"
    }
}
