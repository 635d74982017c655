// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import GodwitTesting
import Testing

@Suite struct `Where advice comes from` {
    @Test func `an overload in history and store becomes a number of slots`() async throws {
        let clock = VirtualClock()
        let books = FaultyBooks(MemoryBroker(time: clock))
        for _ in 0..<20 {
            _ = try await books.enqueue(
                [NewMessage(id: MessageID(at: clock.now()), kind: "job", body: [1])], to: "mail")
        }
        clock.advance(by: .seconds(600))
        var beat = Scenario.beat(slots: 4, busy: 4)
        beat.startedAt = clock.now()
        _ = try await books.board.write(
            beat.bytes(), as: "1", in: .workers, for: nil, if: .any)
        // Four slots at 2 s do 2/s; the line grows by one a second: 3/s × 2 s ÷ 0.7 = 8.6.
        let history = TestHistory(
            waitSeconds: 300, runSeconds: 2, runsPerSecond: 2, growthPerSecond: 1, slots: 4,
            busy: 4)
        let advice = try await AdviceSource(books, history: history).advice(for: "mail")
        let more = try #require(advice.first { $0.kind == .addWorkers })
        #expect(more.slots == 9, "\(more.sentence)")
        // The operator may say that such a wait is none.
        var targets = QueueTargets()
        targets.wait = 3600
        targets.deadlineAt = clock.now() + .seconds(86_400)
        try await targets.write(of: "mail", to: books.board)
        #expect(try await QueueTargets.read(of: "mail", from: books.board) == targets)
        let calm = try await AdviceSource(books, history: history).advice(for: "mail")
        #expect(!calm.contains { $0.kind == .addWorkers })
    }

    @Test func `a delayed mail has not waited before it was due`() async throws {
        let clock = VirtualClock()
        let books = FaultyBooks(MemoryBroker(time: clock))
        _ = try await books.enqueue(
            [
                NewMessage(
                    id: MessageID(at: clock.now()), kind: "job", due: .after(.seconds(3000)),
                    body: [1])
            ], to: "mail")
        clock.advance(by: .seconds(3001))
        try await books.promote(in: "mail")
        let now = try await AdviceSource(books).look(at: "mail")
        #expect(now.counts.ready == 1)
        #expect((now.oldestReady ?? 99) <= 1)
    }

    @Test func `targets that are none are refused`() async throws {
        let books = FaultyBooks(MemoryBroker(time: VirtualClock()))
        for change: @Sendable (inout QueueTargets) -> Void in [
            { $0.wait = 0 }, { $0.deadline = -1 }, { $0.errorShare = 2 }, { $0.run = .nan },
        ] {
            var targets = QueueTargets()
            change(&targets)
            await #expect(throws: BrokerError.self) {
                try await targets.write(of: "mail", to: books.board)
            }
        }
    }
}

/// A history of a steady queue.
struct TestHistory: HistoryStore {
    var waitSeconds: Double
    var runSeconds: Double
    var runsPerSecond: Double
    var growthPerSecond: Double
    var slots: Int
    var busy: Int

    private func span(_ range: HistoryRange) -> Double {
        Double(range.to.milliseconds - range.from.milliseconds) / 1000
    }

    func stats(_ range: HistoryRange) async throws(HistoryError) -> [RunStats] {
        let runs = Int(runsPerSecond * span(range))
        func spread(_ seconds: Double) -> Spread {
            Spread(
                count: runs, mean: seconds * 1000, p50: seconds * 1000, p95: seconds * 1000,
                p99: seconds * 1000, max: seconds * 1000)
        }
        return [
            RunStats(
                queue: range.queue ?? "", kind: "job", runs: runs, verdicts: ["ack": runs],
                failures: 0, wait: spread(waitSeconds), run: spread(runSeconds))
        ]
    }

    func samples(_ range: HistoryRange) async throws(HistoryError) -> [QueueSample] {
        // One a minute and one at each end, so that the difference is that of the whole range.
        let minutes = Int(span(range) / 60)
        return (0...minutes).map { minute in
            QueueSample(
                queue: range.queue ?? "", at: range.from + .seconds(60 * minute),
                ready: Int(growthPerSecond * Double(minute) * 60), scheduled: 0, leased: busy,
                dead: 0, enqueued: 0, ended: 0, oldestReadyMilliseconds: 0, slots: slots,
                busySlots: busy)
        }
    }

    func add(_ rows: [RunRow], _ samples: [QueueSample]) async throws(HistoryError) {}
    func runs(_ query: RunQuery) async throws(HistoryError) -> RunPage { RunPage(runs: []) }
    func slowest(_ range: HistoryRange, limit: Int) async throws(HistoryError) -> [RunRow] { [] }
    func groups(_ range: HistoryRange, limit: Int) async throws(HistoryError) -> [ErrorGroup] { [] }
    func rate(_ range: HistoryRange, step: Duration) async throws(HistoryError) -> [RunRate] { [] }
    func runs(of id: MessageID) async throws(HistoryError) -> [RunRow] { [] }
    func prune(_ keep: HistoryRetention, now: Timestamp) async throws(HistoryError) -> Bool {
        false
    }
    func audit(_ entry: AuditEntry) async throws(HistoryError) {}
    func audits(_ range: HistoryRange, limit: Int) async throws(HistoryError) -> [AuditEntry] { [] }
    func shutdown() async {}
}
