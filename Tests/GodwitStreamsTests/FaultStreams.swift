// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Synchronization

/// A memory broker whose words of streams fail, wait or answer as a test wants it.
final class FaultStreams: StreamBroker, WrappingBroker {
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
    var wrapped: any Broker { inner }
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
}
