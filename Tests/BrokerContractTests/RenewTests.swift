// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// leased → leased, later deadline.
@Suite("Renew", .timeLimit(.minutes(2))) struct RenewTests {
    @Test(.tags(.i4), arguments: BrokerKind.allCases)
    func `a renewed lease holds from now on`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            clock.advance(by: .seconds(20))
            #expect(try await broker.renew([taken.token], for: .seconds(30), in: .work) == [.done])
            #expect(try await broker.record(1).leaseDeadline == clock.now() + .seconds(30))
            clock.advance(by: .seconds(29))
            #expect(try await broker.reclaim(64, in: .work) == Reclaimed(ready: 0, dead: 0))
            #expect(try await broker.settle(taken, .ack) == .done)
        }
    }

    @Test(.tags(.i4), arguments: BrokerKind.allCases)
    func `a renewal never shortens a lease`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne(lease: .seconds(60))
            let deadline = clock.now() + .seconds(60)
            #expect(try await broker.renew([taken.token], for: .seconds(5), in: .work) == [.done])
            #expect(try await broker.record(1).leaseDeadline == deadline)
            clock.advance(by: .seconds(6))
            #expect(try await broker.reclaim(64, in: .work).ready == 0)
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `in a batch only the lost lease is stale`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2, 3)
            let taken = try await broker.reserve(3)
            try await broker.settle(taken[1], .ack)
            let before = try await broker.snapshot(2)
            clock.advance(by: .seconds(10))
            let outcomes = try await broker.renew(
                taken.map(\.token), for: .seconds(30), in: .work)
            #expect(outcomes == [.done, .stale, .done])
            #expect(try await broker.snapshot(2).records == before.records)
            #expect(try await broker.record(3).leaseDeadline == clock.now() + .seconds(30))
        }
    }

    @Test(.tags(.i3, .i4), arguments: BrokerKind.allCases)
    func `the first holder can not renew what a second one holds`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let first = try await broker.reserveOne()
            clock.advance(by: .seconds(31))
            try await broker.reclaim(64, in: .work)
            _ = try await broker.reserveOne()
            let before = try await broker.snapshot(1)
            #expect(try await broker.renew([first.token], for: .seconds(99), in: .work) == [.stale])
            #expect(try await broker.snapshot(1) == before)
        }
    }

    @Test(.tags(.i4), arguments: BrokerKind.allCases)
    func `a lease that ran out and that nobody took back can be renewed`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            clock.advance(by: .seconds(31))
            #expect(try await broker.renew([taken.token], for: .seconds(30), in: .work) == [.done])
            #expect(try await broker.reclaim(64, in: .work).ready == 0)
            #expect(try await broker.record(1).entry.lost == 0)
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `renewed leases that run out return in the order they were handed out`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(4, 2, 5, 1, 3)
            let taken = try await broker.reserve(5)
            clock.advance(by: .seconds(10))
            _ = try await broker.renew(taken.map(\.token), for: .seconds(30), in: .work)
            clock.advance(by: .seconds(31))
            #expect(try await broker.reclaim(64, in: .work).ready == 5)
            #expect(try await broker.reserveAll().numbers == [4, 2, 5, 1, 3])
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `more tokens than a batch holds are all renewed`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            let count = 2 * broker.limits.batch + 1
            try await broker.enqueue(Sample.messages(1...count))
            let taken = try await broker.reserveAll()
            clock.advance(by: .seconds(29))
            let outcomes = try await broker.renew(taken.map(\.token), for: .seconds(30), in: .work)
            #expect(outcomes == Array(repeating: .done, count: count))
            clock.advance(by: .seconds(5))
            #expect(try await broker.reclaim(64, in: .work).ready == 0)
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `renewing nothing answers nothing`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            #expect(try await broker.renew([], for: .seconds(30), in: .work) == [])
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `a token of another queue holds nothing here`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            let outcomes = try await broker.renew([taken.token], for: .seconds(30), in: .other)
            #expect(outcomes == [.stale])
            #expect(try await broker.settle(taken, .ack, in: .other) == .stale)
            #expect(try await broker.state(1) == .leased)
        }
    }
}
