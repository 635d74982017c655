// SPDX-License-Identifier: Apache-2.0
import Godwit
import Synchronization

/// A memory broker whose words of streams fail, wait or answer as a test wants it.
final class FaultStreams: StreamBroker {
    struct Faults: Sendable {
        /// Before the words: what they throw.
        var reserve: @Sendable () -> BrokerError? = { nil }
        var memories: @Sendable ([String]) async -> BrokerError? = { _ in nil }
        var settle: @Sendable ([LaneSettlement]) -> BrokerError? = { _ in nil }
        /// Commits that a full target holds back; nothing of the call they are in is done.
        var isBusy: @Sendable (LaneSettlement) -> Bool = { _ in false }
        /// Ids that the store is to know already.
        var knows: @Sendable (NewPoint) -> Bool = { _ in false }
    }

    private struct State {
        var faults = Faults()
        var calls: [String: Int] = [:]
        var settlements: [LaneSettlement] = []
    }

    let inner: MemoryBroker
    private let state = Mutex(State())

    init(_ inner: MemoryBroker) { self.inner = inner }

    func inject(_ change: (inout Faults) -> Void) { state.withLock { change(&$0.faults) } }
    func calls(of word: String) -> Int { state.withLock { $0.calls[word] ?? 0 } }
    /// Every commit that was tried, in order.
    var settlements: [LaneSettlement] { state.withLock { $0.settlements } }

    private func called(_ word: String) -> Faults {
        state.withLock { state in
            state.calls[word, default: 0] += 1
            return state.faults
        }
    }

    static let problem = BrokerError.Problem(
        what: "a call", location: "the test's broker", cause: "a fault was injected",
        advice: "This is a test.")

    // MARK: Streams

    func append(
        _ points: [NewPoint], to stream: QueueName, options: AppendOptions
    ) async throws(BrokerError) -> [AppendOutcome] {
        let faults = called("append")
        let known = points.map(faults.knows)
        let new = zip(points, known).filter { !$0.1 }.map(\.0)
        var outcomes = try await inner.append(new, to: stream, options: options)[...]
        return known.map { $0 ? .duplicate : outcomes.removeFirst() }
    }

    func reserveLanes(
        _ request: LaneRequest, from stream: QueueName
    ) async throws(BrokerError) -> LaneReservation {
        if let error = called("reserve").reserve() { throw error }
        return try await inner.reserveLanes(request, from: stream)
    }

    func memories(
        of keys: [String], window: Int, in stream: QueueName
    ) async throws(BrokerError) -> [LaneMemory] {
        if let error = await called("memories").memories(keys) { throw error }
        return try await inner.memories(of: keys, window: window, in: stream)
    }

    func settleLanes(
        _ settlements: [LaneSettlement], in stream: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        let faults = called("settle")
        state.withLock { $0.settlements += settlements }
        if let error = faults.settle(settlements) { throw error }
        var outcomes: [SettleOutcome] = []
        for settlement in settlements {
            if faults.isBusy(settlement) {
                outcomes.append(.targetBusy)
            } else {
                outcomes += try await inner.settleLanes([settlement], in: stream)
            }
        }
        return outcomes
    }

    func renewLanes(
        _ tokens: [LaneToken], for lease: Duration, in stream: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        inner.renewLanes(tokens, for: lease, in: stream, then: then)
    }

    func reclaimLanes(_ limit: Int, in stream: QueueName) async throws(BrokerError) -> Int {
        try await inner.reclaimLanes(limit, in: stream)
    }

    func expireLanes(
        idleFor idle: Duration, limit: Int, in stream: QueueName
    ) async throws(BrokerError) -> Int {
        try await inner.expireLanes(idleFor: idle, limit: limit, in: stream)
    }

    func waitForLanes(in stream: QueueName, upTo timeout: Duration) async {
        await inner.waitForLanes(in: stream, upTo: timeout)
    }

    var streamOperator: any StreamOperator { inner.streamOperator }
    var streamInspector: any StreamInspector { inner.streamInspector }

    // MARK: Queues

    var limits: BrokerLimits { inner.limits }
    var time: any TimeSource { inner.time }
    var clockOffset: Duration { inner.clockOffset }
    var isShutDown: Bool { inner.isShutDown }
    var `operator`: any Operator { inner.operator }
    var inspector: any Inspector { inner.inspector }
    var eventLog: any EventLog { inner.eventLog }
    var board: any Board { inner.board }

    func enqueue(
        _ messages: [NewMessage], to queue: QueueName
    ) async throws(BrokerError) -> [EnqueueOutcome] {
        try await inner.enqueue(messages, to: queue)
    }

    func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation { try await inner.reserve(request, from: queue) }

    func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try await inner.settle(settlements, in: queue)
    }

    func settleDetached(_ settlements: [Settlement], in queue: QueueName) {
        inner.settleDetached(settlements, in: queue)
    }

    func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        inner.renew(tokens, for: lease, in: queue, then: then)
    }

    func checkpoint(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try await inner.checkpoint(checkpoints, in: queue)
    }

    func promote(in queue: QueueName) async throws(BrokerError) -> Int {
        try await inner.promote(in: queue)
    }

    func reclaim(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Reclaimed {
        try await inner.reclaim(limit, in: queue)
    }

    func prune(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Int {
        try await inner.prune(limit, in: queue)
    }

    func wait(for kinds: [Kind]?, in queue: QueueName, upTo timeout: Duration) async {
        await inner.wait(for: kinds, in: queue, upTo: timeout)
    }

    func shutdown() async { await inner.shutdown() }
}
