// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// leased → scheduled.
@Suite("Retry", .timeLimit(.minutes(2))) struct RetryTests {
    @Test(.tags(.i2, .i6, .i8), arguments: BrokerKind.allCases)
    func `a retried message waits for its time and is charged one attempt`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne(worker: 9)
            clock.advance(by: .seconds(1))
            let verdict = Verdict.retry(after: .seconds(10), reason: "smtp down")
            #expect(try await broker.settle(taken, verdict) == .done)
            let due = clock.now() + .seconds(10)
            let record = try await broker.record(1)
            #expect(record.state == .scheduled)
            #expect(record.dueAt == due)
            #expect(record.entry.attempt == 1 && record.entry.lost == 0)
            #expect(record.entry.epoch == 1 && record.entry.count == 1)
            #expect(record.count == 1)
            #expect(record.entry.readyAt == due)
            #expect(record.reason == "smtp down")
            #expect(record.body == Sample.body(1))
            let attempt = try #require(record.attempts.last)
            #expect(record.attempts.count == 1)
            #expect(attempt.at == clock.now())
            #expect(attempt.worker == 9 && attempt.count == 1)
            #expect(attempt.verdict == "retry" && attempt.reason == "smtp down")
            let counts = try await broker.counts()
            #expect(counts.scheduled == 1 && counts.retried == 1 && counts.leased == 0)

            clock.advance(by: .milliseconds(9_999))
            #expect(try await broker.reserveAll().isEmpty)
            clock.advance(by: .milliseconds(1))
            let again = try await broker.reserveOne()
            #expect(again.token.entry.attempt == 1 && again.token.entry.epoch == 1)
            #expect(try await broker.record(1).count == 2)
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `the same retry again answers done and changes nothing`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            let verdict = Verdict.retry(after: .seconds(60), reason: "later")
            try await broker.settle(taken, verdict)
            let before = try await broker.snapshot(1)
            clock.advance(by: .seconds(5))
            #expect(try await broker.settle(taken, verdict) == .done)
            #expect(try await broker.snapshot(1) == before)
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `the retry of a run before the current one is stale`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let first = try await broker.reserveOne()
            let verdict = Verdict.retry(after: .zero, reason: "later")
            try await broker.settle(first, verdict)
            let second = try await broker.reserveOne()
            let before = try await broker.snapshot(1)
            #expect(try await broker.settle(first, verdict) == .stale)
            #expect(try await broker.snapshot(1) == before)
            #expect(try await broker.settle(second, verdict) == .done)
        }
    }

    @Test(.tags(.order, .i8), arguments: BrokerKind.allCases)
    func `retried messages join the tail in the order they are due`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2, 3)
            let taken = try await broker.reserve(3)
            try await broker.settle(taken[0], .retry(after: .seconds(9)))
            try await broker.settle(taken[1], .retry(after: .seconds(3)))
            try await broker.settle(taken[2], .retry(after: .seconds(6)))
            try await broker.enqueue(4)
            clock.advance(by: .seconds(10))
            #expect(try await broker.reserveAll().numbers == [4, 2, 3, 1])
        }
    }

    @Test(.tags(.i6, .i10), arguments: BrokerKind.allCases)
    func `the history keeps the last 10 runs, oldest first`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            for run in 1...13 {
                let taken = try await broker.reserveOne(worker: UInt32(run))
                try await broker.settle(taken, .retry(after: .zero, reason: "run \(run)"))
                clock.advance(by: .seconds(1))
            }
            let attempts = try await broker.record(1).attempts
            #expect(attempts.map(\.reason) == (4...13).map { "run \($0)" })
            #expect(attempts.map(\.count) == Array(4...13))
            #expect(attempts.map(\.worker) == (4...13).map { UInt32($0) })
            #expect(attempts.first?.at == Sample.start + .seconds(3))
        }
    }

    @Test(.tags(.i9), arguments: BrokerKind.allCases)
    func `a retried message keeps its unique key`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.message(1, unique: "key"))
            try await broker.settle(broker.reserveOne(), .retry(after: .seconds(5)))
            #expect(
                try await broker.enqueue(Sample.message(2, unique: "key"))
                    == .duplicate(of: Sample.id(1)))
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `the attempt counter stops at 255 instead of starting over`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            for _ in 0..<257 {
                try await broker.settle(broker.reserveOne(), .retry(after: .zero))
            }
            let record = try await broker.record(1)
            #expect(record.entry.attempt == 255)
            #expect(record.count == 257 && record.entry.epoch == 257)
        }
    }
}
