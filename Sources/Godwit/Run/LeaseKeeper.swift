// SPDX-License-Identifier: Apache-2.0
import Logging
import Synchronization

/// Renews the leases that somebody holds, every third of a lease, off the cooperative pool.
///
/// It asks its owner at each beat which tokens to renew, in the order they were reserved, so that
/// nothing is registered per message. A token that the store calls stale is handed back as lost.
package final class LeaseKeeper<Token: Sendable>: Sendable {
    package typealias Renew =
        @Sendable (
            [Token], @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
        ) -> Void

    private let what: String
    private let time: any TimeSource
    private let lease: Duration
    private let batch: Int
    private let held: @Sendable (Timestamp) -> [Token]
    private let renew: Renew
    private let lost: @Sendable ([Token]) -> Void
    private let logger = Logger.current

    private enum State {
        case idle
        case beating(ScheduledAction)
        case stopped
    }

    private let state = Mutex(State.idle)

    /// `what` names in the log what is held; a call of `renew` gets at most `batch` tokens.
    package init(
        _ what: String, time: any TimeSource, lease: Duration, batch: Int,
        held: @escaping @Sendable (Timestamp) -> [Token], renew: @escaping Renew,
        lost: @escaping @Sendable ([Token]) -> Void
    ) {
        self.what = what
        self.time = time
        self.lease = lease
        self.batch = batch
        self.held = held
        self.renew = renew
        self.lost = lost
    }

    package func start() { scheduleBeat() }

    package func stop() {
        let beat = state.withLock { state -> ScheduledAction? in
            defer { state = .stopped }
            if case .beating(let beat) = state { return beat }
            return nil
        }
        beat?.cancel()
    }

    private func scheduleBeat() {
        let beat = time.schedule(after: lease / 3) { [weak self] in self?.beat() }
        let isStopped = state.withLock { state -> Bool in
            if case .stopped = state { return true }
            state = .beating(beat)
            return false
        }
        if isStopped { beat.cancel() }
    }

    private func beat() {
        let tokens = held(time.now())
        for start in stride(from: 0, to: tokens.count, by: batch) {
            renewPart(Array(tokens[start..<min(tokens.count, start + batch)]))
        }
        scheduleBeat()
    }

    private func renewPart(_ tokens: [Token]) {
        renew(tokens) { [self] result in
            switch result {
            case .success(let outcomes):
                let stale = zip(tokens, outcomes).filter { $0.1 == .stale }.map(\.0)
                if !stale.isEmpty { lost(stale) }
            case .failure(let error):
                // The next beat comes well before the lease is over: two of three may fail.
                logger.warning("could not renew \(tokens.count) \(what): \(error)")
            }
        }
    }
}

extension LeaseKeeper where Token == LeaseToken {
    /// Keeps leases on messages of a queue.
    convenience init(
        _ calls: MeteredCalls, time: any TimeSource, lease: Duration,
        held: @escaping @Sendable (Timestamp) -> [LeaseToken],
        lost: @escaping @Sendable ([LeaseToken]) -> Void
    ) {
        self.init(
            "lease(s) of '\(calls.queue)'", time: time, lease: lease,
            batch: calls.broker.limits.batch,
            held: held, renew: { calls.renew($0, for: lease, then: $1) }, lost: lost)
    }
}
