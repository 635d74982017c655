// SPDX-License-Identifier: Apache-2.0
import Logging
import Synchronization

/// Renews the leases that somebody holds, every third of a lease, off the cooperative pool.
///
/// It asks its owner at each beat which tokens to renew, in the order they were reserved, so that
/// nothing is registered per message. A token that the store calls stale is handed back as lost.
final class LeaseKeeper: Sendable {
    private let broker: any Broker
    private let queue: QueueName
    private let lease: Duration
    private let held: @Sendable (Timestamp) -> [LeaseToken]
    private let lost: @Sendable ([LeaseToken]) -> Void
    private let logger = Logger.current

    private enum State {
        case idle
        case beating(ScheduledAction)
        case stopped
    }

    private let state = Mutex(State.idle)

    init(
        broker: any Broker, queue: QueueName, lease: Duration,
        held: @escaping @Sendable (Timestamp) -> [LeaseToken],
        lost: @escaping @Sendable ([LeaseToken]) -> Void
    ) {
        self.broker = broker
        self.queue = queue
        self.lease = lease
        self.held = held
        self.lost = lost
    }

    func start() { scheduleBeat(after: lease / 3) }

    func stop() {
        let beat = state.withLock { state -> ScheduledAction? in
            defer { state = .stopped }
            if case .beating(let beat) = state { return beat }
            return nil
        }
        beat?.cancel()
    }

    private func scheduleBeat(after delay: Duration) {
        let beat = broker.time.schedule(after: delay) { [weak self] in self?.beat() }
        let isStopped = state.withLock { state -> Bool in
            if case .stopped = state { return true }
            state = .beating(beat)
            return false
        }
        if isStopped { beat.cancel() }
    }

    private func beat() {
        let tokens = held(broker.time.now())
        var start = 0
        while start < tokens.count {
            let end = min(tokens.count, start + broker.limits.batch)
            renew(Array(tokens[start..<end]))
            start = end
        }
        scheduleBeat(after: lease / 3)
    }

    private func renew(_ tokens: [LeaseToken]) {
        broker.renew(tokens, for: lease, in: queue) { [self] result in
            switch result {
            case .success(let outcomes):
                let stale = zip(tokens, outcomes).filter { $0.1 == .stale }.map(\.0)
                if !stale.isEmpty { lost(stale) }
            case .failure(let error):
                // The next beat comes well before the lease is over: two of three may fail.
                logger.warning("could not renew \(tokens.count) lease(s) of '\(queue)': \(error)")
            }
        }
    }
}
