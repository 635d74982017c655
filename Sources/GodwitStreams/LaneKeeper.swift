// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import Synchronization

/// Renews the leases that a worker holds, every third of a lease, off the cooperative pool.
final class LaneKeeper: Sendable {
    private enum State {
        case idle
        case beating(ScheduledAction)
        case stopped
    }

    private let broker: any StreamBroker
    private let stream: QueueName
    private let lease: Duration
    private let held: @Sendable (Timestamp) -> [LaneToken]
    private let lost: @Sendable ([LaneToken]) -> Void
    private let logger = Logger.current
    private let state = Mutex(State.idle)

    init(
        broker: any StreamBroker, stream: QueueName, lease: Duration,
        held: @escaping @Sendable (Timestamp) -> [LaneToken],
        lost: @escaping @Sendable ([LaneToken]) -> Void
    ) {
        self.broker = broker
        self.stream = stream
        self.lease = lease
        self.held = held
        self.lost = lost
    }

    func start() { scheduleBeat() }

    func stop() {
        let beat = state.withLock { state -> ScheduledAction? in
            defer { state = .stopped }
            if case .beating(let beat) = state { return beat }
            return nil
        }
        beat?.cancel()
    }

    private func scheduleBeat() {
        let beat = broker.time.schedule(after: lease / 3) { [weak self] in self?.beat() }
        let isStopped = state.withLock { state -> Bool in
            if case .stopped = state { return true }
            state = .beating(beat)
            return false
        }
        if isStopped { beat.cancel() }
    }

    private func beat() {
        let tokens = held(broker.time.now())
        for start in stride(from: 0, to: tokens.count, by: StreamLimits.lanes) {
            renew(Array(tokens[start..<min(tokens.count, start + StreamLimits.lanes)]))
        }
        scheduleBeat()
    }

    private func renew(_ tokens: [LaneToken]) {
        broker.renewLanes(tokens, for: lease, in: stream) { [self] result in
            switch result {
            case .success(let outcomes):
                let stale = zip(tokens, outcomes).filter { $0.1 == .stale }.map(\.0)
                if !stale.isEmpty { lost(stale) }
            case .failure(let error):
                // The next beat comes well before the lease is over: two of three may fail.
                logger.warning("could not renew \(tokens.count) key(s) of '\(stream)': \(error)")
            }
        }
    }
}
