// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// A lease that ran out → ready at the head.
@Suite("Reclaim", .timeLimit(.minutes(2))) struct ReclaimTests {
    @Test(.tags(.i1, .i5, .i6), arguments: BrokerKind.allCases)
    func `a message whose lease ran out runs again, charged with a lost lease only`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            _ = try await broker.reserveOne(worker: 3)
            clock.advance(by: .seconds(31))
            #expect(try await broker.reclaim(64, in: .work) == Reclaimed(ready: 1, dead: 0))
            let record = try await broker.record(1)
            #expect(record.state == .ready)
            #expect(record.entry.attempt == 0 && record.entry.lost == 1)
            #expect(record.entry.epoch == 1 && record.count == 1)
            #expect(record.entry.readyAt == clock.now())
            #expect(record.leaseDeadline == nil)
            #expect(record.attempts.count == 1)
            #expect(record.attempts.last?.worker == 3)
            let counts = try await broker.counts()
            #expect(counts.ready == 1 && counts.leased == 0 && counts.lost == 1)
            #expect(try await broker.reserveOne().token.entry.epoch == 1)
        }
    }

    @Test(.tags(.i4), arguments: BrokerKind.allCases)
    func `a lease that still holds is left alone`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2)
            _ = try await broker.reserveOne(lease: .seconds(10))
            _ = try await broker.reserveOne(lease: .seconds(60))
            clock.advance(by: .milliseconds(9_999))
            #expect(try await broker.reclaim(64, in: .work) == Reclaimed(ready: 0, dead: 0))
            clock.advance(by: .seconds(1))
            #expect(try await broker.reclaim(64, in: .work) == Reclaimed(ready: 1, dead: 0))
            #expect(try await broker.numbers(.ready) == [1])
            #expect(try await broker.numbers(.leased) == [2])
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `they return to the head in the order they were handed out`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(4, 2, 5, 1, 3)
            _ = try await broker.reserve(4)
            try await broker.enqueue(0)
            clock.advance(by: .seconds(31))
            try await broker.reclaim(64, in: .work)
            #expect(try await broker.reserveAll().numbers == [4, 2, 5, 1, 3, 0])
        }
    }

    @Test(.tags(.order, .priority), arguments: BrokerKind.allCases)
    func `they return to their own bands and kinds`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue([
                Sample.message(1, priority: 6), Sample.message(2, kind: .invoice, priority: 2),
            ])
            _ = try await broker.reserveAll()
            try await broker.enqueue([
                Sample.message(3, priority: 6), Sample.message(4, kind: .invoice, priority: 2),
            ])
            clock.advance(by: .seconds(31))
            try await broker.reclaim(64, in: .work)
            #expect(try await broker.reserveAll().numbers == [2, 4, 1, 3])
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `one call takes back no more than its limit`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.messages(1...100))
            _ = try await broker.reserveAll()
            clock.advance(by: .seconds(31))
            #expect(try await broker.reclaim(10, in: .work).ready == 10)
            #expect(try await broker.reclaim(500, in: .work).ready <= 64)
            var left = try await broker.counts().leased
            while left > 0 {
                try await broker.reclaim(64, in: .work)
                let now = try await broker.counts().leased
                #expect(now < left)
                if now >= left { break }
                left = now
            }
            #expect(try await broker.counts().lost == 100)
            #expect(try await broker.reserveAll().count == 100)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `there is nothing to take back on an empty queue`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            #expect(try await broker.reclaim(64, in: .work) == Reclaimed(ready: 0, dead: 0))
        }
    }

    @Test(.tags(.i9), arguments: BrokerKind.allCases)
    func `a lost lease does not free the unique key, a crash-loop does`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.message(1, unique: "key"))
            let second = Sample.message(2, unique: "key")
            try await broker.lose(times: 2, on: clock)
            #expect(try await broker.enqueue(second) == .duplicate(of: Sample.id(1)))
            try await broker.lose(on: clock)
            #expect(try await broker.state(1) == .dead)
            #expect(try await broker.enqueue(second) == .enqueued)
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `a killed worker costs a message with one attempt nothing`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.message(1, maxAttempts: 1))
            try await broker.lose(on: clock)
            let record = try await broker.record(1)
            #expect(record.state == .ready && record.entry.attempt == 0)
        }
    }
}
