// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A queue in the memory of one process: for tests, and for work that may die with the process (D0).
///
/// A lock around a ``Ledger``, so it says and does what the design says by construction. It holds a
/// million messages; reserve and settle cost about a microsecond each.
public final class MemoryBroker: Broker {
    struct State {
        var ledger = Ledger()
        var random = Xoshiro()
        var streams: [QueueName: StreamBook] = [:]
        var notes = NoteBook()
        var waiters: [QueueName: [UInt64: Waiter]] = [:]
        var streamWaiters: [QueueName: [UInt64: Signal]] = [:]
        var alarms: [QueueName: Alarm] = [:]
        /// A suspect came back and no waiter has been told: it is told at its next wait.
        var untoldSuspects: Set<QueueName> = []
        var lastKey: UInt64 = 0
        var isShutDown = false
    }

    public let limits: BrokerLimits
    public let time: any TimeSource
    let state = Mutex(State())
    let validation: Validation

    /// Starts empty. With a virtual `time`, leases and delays run on that clock.
    public init(time: any TimeSource = SystemTime(), limits: BrokerLimits = BrokerLimits()) {
        self.time = time
        self.limits = limits
        self.validation = Validation(limits, location: Self.location)
    }

    public var isShutDown: Bool { state.withLock { $0.isShutDown } }
    public var `operator`: any Operator { self }
    public var inspector: any Inspector { self }
    public var eventLog: any EventLog { self }
    public var board: any Board { self }

    public func enqueue(
        _ messages: [NewMessage], to queue: QueueName
    ) async throws(BrokerError) -> [EnqueueOutcome] {
        try validation.check(messages, for: queue, at: time.now())
        return try run("enqueue to '\(queue)'", queue) {
            ledger, now -> Result<[EnqueueOutcome], BrokerError> in
            if let (kind, known) = ledger.clash(of: messages, in: queue) {
                return Result.failure(validation.clash(kind, known, in: queue))
            }
            return .success(ledger.enqueue(messages, to: queue, now: now))
        }.get()
    }

    public func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation {
        try validation.check(request, from: queue)
        return try locked("reserve from '\(queue)'") { state in
            let nonce = UInt32(truncatingIfNeeded: state.random.next())
            let now = time.now()
            let reservation = state.ledger.reserve(request, from: queue, now: now, nonce: nonce)
            wake(queue, &state, now)
            return reservation
        }
    }

    public func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try settleNow(settlements, in: queue)
    }

    public func settleDetached(_ settlements: [Settlement], in queue: QueueName) {
        // A broker that was shut down has nothing left to settle: its messages died with it.
        _ = try? settleNow(settlements, in: queue)
    }

    public func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        let result: Result<[SettleOutcome], BrokerError>
        do throws(BrokerError) {
            try validation.check(lease: lease, for: "renew in '\(queue)'")
            result = .success(
                try run("renew in '\(queue)'", queue) {
                    $0.renew(tokens, for: lease, in: queue, now: $1)
                })
        } catch {
            result = .failure(error)
        }
        then(result)
    }

    public func checkpoint(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try validation.check(checkpoints, in: queue)
        return try run("checkpoint in '\(queue)'", queue) { ledger, _ in
            ledger.checkpoint(checkpoints, in: queue)
        }
    }

    @discardableResult
    public func promote(in queue: QueueName) async throws(BrokerError) -> Int {
        try run("promote in '\(queue)'", queue) { $0.promote(in: queue, now: $1) }
    }

    @discardableResult
    public func reclaim(
        _ limit: Int, in queue: QueueName
    ) async throws(BrokerError) -> Reclaimed {
        try run("reclaim in '\(queue)'", queue) { $0.reclaim(limit, in: queue, now: $1) }
    }

    @discardableResult
    public func prune(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Int {
        try run("prune '\(queue)'", queue) { $0.prune(limit, in: queue, now: $1) }
    }

    // MARK: One step

    private func settleNow(
        _ settlements: [Settlement], in queue: QueueName
    ) throws(BrokerError) -> [SettleOutcome] {
        try validation.check(settlements, in: queue)
        return try locked("settle in '\(queue)'") { state in
            let now = time.now()
            let outcomes = state.ledger.settle(settlements, in: queue, now: now)
            wake(queue, &state, now)
            for case .forward(let target) in settlements.lazy.map(\.verdict) {
                wake(target, &state, now)
            }
            return outcomes
        }
    }

    /// One word of the ledger under the lock, and whoever it may concern is woken.
    func run<Answer: Sendable>(
        _ what: @autoclosure () -> String, _ queue: QueueName,
        _ word: (inout Ledger, Timestamp) -> Answer
    ) throws(BrokerError) -> Answer {
        try locked(what()) { state in
            let now = time.now()
            let answer = word(&state.ledger, now)
            wake(queue, &state, now)
            return answer
        }
    }

    func locked<Answer: Sendable>(
        _ what: @autoclosure () -> String, _ body: (inout State) -> Answer
    ) throws(BrokerError) -> Answer {
        let answer = state.withLock { state in state.isShutDown ? nil : body(&state) }
        guard let answer else {
            throw .unavailable(
                BrokerError.Problem(
                    what: what(), location: Self.location, cause: "it was shut down",
                    advice: "Make a new broker; what this one held is gone."))
        }
        return answer
    }

    static let location = "the memory broker"
}
