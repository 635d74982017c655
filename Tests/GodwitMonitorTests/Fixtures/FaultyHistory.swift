// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import Synchronization

/// A real history with a switch that plays "down".
final class FaultyHistory: HistoryStore {
    private let real: any HistoryStore
    private let state = Mutex((isDown: false, refused: 0))
    /// Runs of this queue are never taken; as an outage or as a refusal.
    let badQueue: String?
    let isOutage: Bool

    init(_ real: any HistoryStore, badQueue: String? = nil, isOutage: Bool = false) {
        self.real = real
        self.badQueue = badQueue
        self.isOutage = isOutage
    }

    var isDown: Bool {
        get { state.withLock { $0.isDown } }
        set { state.withLock { $0.isDown = newValue } }
    }

    var refused: Int { state.withLock { $0.refused } }

    private func pass() throws(HistoryError) {
        let isDown = state.withLock { state in
            if state.isDown { state.refused += 1 }
            return state.isDown
        }
        guard isDown else { return }
        throw .unavailable(
            .init(
                what: "add runs", location: "the history at 192.0.2.1:8123",
                cause: "Connection refused", advice: "Start it."))
    }

    func add(_ rows: [RunRow], _ samples: [QueueSample]) async throws(HistoryError) {
        try pass()
        if let badQueue, rows.contains(where: { $0.queue == badQueue }) {
            let problem = BrokerError.Problem(
                what: "add runs", location: "the history", cause: "of this queue", advice: "None.")
            throw isOutage ? .unavailable(problem) : .invalid(problem)
        }
        try await real.add(rows, samples)
    }

    func runs(_ query: RunQuery) async throws(HistoryError) -> RunPage {
        try await real.runs(query)
    }
    func stats(_ range: HistoryRange) async throws(HistoryError) -> [RunStats] {
        try await real.stats(range)
    }
    func slowest(_ range: HistoryRange, limit: Int) async throws(HistoryError) -> [RunRow] {
        try await real.slowest(range, limit: limit)
    }
    func groups(_ range: HistoryRange, limit: Int) async throws(HistoryError) -> [ErrorGroup] {
        try await real.groups(range, limit: limit)
    }
    func rate(_ range: HistoryRange, step: Duration) async throws(HistoryError) -> [RunRate] {
        try await real.rate(range, step: step)
    }
    func samples(_ range: HistoryRange) async throws(HistoryError) -> [QueueSample] {
        try await real.samples(range)
    }
    func runs(of id: MessageID) async throws(HistoryError) -> [RunRow] {
        try await real.runs(of: id)
    }
    func prune(_ keep: HistoryRetention, now: Timestamp) async throws(HistoryError) -> Bool {
        try pass()
        return try await real.prune(keep, now: now)
    }
    func audit(_ entry: AuditEntry) async throws(HistoryError) { try await real.audit(entry) }
    func audits(_ range: HistoryRange, limit: Int) async throws(HistoryError) -> [AuditEntry] {
        try await real.audits(range, limit: limit)
    }
    func shutdown() async { await real.shutdown() }
}
