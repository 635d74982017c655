// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// leased → completed.
@Suite("Ack", .timeLimit(.minutes(2))) struct AckTests {
    @Test(.tags(.i1, .i2), arguments: BrokerKind.allCases)
    func `an acked message is completed and its bytes are gone`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne(worker: 5)
            clock.advance(by: .seconds(2))
            #expect(try await broker.settle(taken, .ack) == .done)
            let record = try await broker.record(1)
            #expect(record.state == .completed)
            #expect(record.finishedAt == clock.now())
            #expect(record.executedAt == clock.now() + .seconds(-2))
            #expect(record.count == 1 && record.worker == 5)
            #expect(record.entry.attempt == 0)
            #expect(record.body == nil && record.leaseDeadline == nil)
            let counts = try await broker.counts()
            #expect(counts.completed == 1 && counts.isDrained)
            clock.advance(by: .seconds(31))
            #expect(try await broker.reclaim(64, in: .work).ready == 0)
            #expect(try await broker.reserveAll().isEmpty)
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `the token of a run before a release acks nothing`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let old = try await broker.reserveOne()
            try await broker.settle(old, .release)
            let current = try await broker.reserveOne()
            let before = try await broker.snapshot(1)
            #expect(try await broker.settle(old, .ack) == .stale)
            #expect(try await broker.snapshot(1) == before)
            #expect(try await broker.settle(current, .ack) == .done)
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `the same ack again answers done and changes nothing`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            try await broker.settle(taken, .ack)
            let before = try await broker.snapshot(1)
            clock.advance(by: .seconds(5))
            #expect(try await broker.settle(taken, .ack) == .done)
            #expect(try await broker.snapshot(1) == before)
        }
    }

    @Test(
        .tags(.i3), arguments: BrokerKind.allCases,
        [Verdict.ack, .retry(after: .seconds(1)), .reject("no"), .release, .forward(to: .other)])
    func `a stale settle changes nothing`(_ kind: BrokerKind, verdict: Verdict) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.message(1, unique: "key"))
            let first = try await broker.reserveOne()
            clock.advance(by: .seconds(31))
            try await broker.reclaim(64, in: .work)
            let waiting = try await broker.snapshot(1)
            #expect(try await broker.settle(first, verdict) == .stale)
            #expect(try await broker.snapshot(1) == waiting)

            let second = try await broker.reserveOne()
            let leased = try await broker.snapshot(1)
            #expect(try await broker.settle(first, verdict) == .stale)
            #expect(try await broker.snapshot(1) == leased)

            try await broker.settle(second, .ack)
            let ended = try await broker.snapshot(1)
            #expect(try await broker.settle(first, verdict) == .stale)
            #expect(try await broker.snapshot(1) == ended)
            #expect(try await broker.find(1, in: .other) == nil)
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `another verdict after the first one is stale`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let verdicts: [Verdict] = [.ack, .reject("no"), .forward(to: .other)]
            for (number, verdict) in verdicts.enumerated() {
                try await broker.enqueue(number)
                let taken = try await broker.reserveOne()
                #expect(try await broker.settle(taken, verdict) == .done)
                let before = try await broker.snapshot(number)
                for other in verdicts + [.release, .retry(after: .zero)] where other != verdict {
                    #expect(try await broker.settle(taken, other) == .stale)
                }
                #expect(try await broker.snapshot(number) == before)
            }
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `in a batch only the stale entry fails`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let stale = try await broker.reserveOne()
            clock.advance(by: .seconds(31))
            try await broker.reclaim(64, in: .work)
            _ = try await broker.reserveOne()
            try await broker.enqueue(2, 3, 4, 5, 6)
            let taken = try await broker.reserve(5)
            let outcomes = try await broker.settle(
                [
                    Settlement(taken[0].token, .ack), Settlement(stale.token, .ack),
                    Settlement(taken[1].token, .retry(after: .seconds(1))),
                    Settlement(taken[2].token, .reject("no")),
                    Settlement(taken[3].token, .release),
                    Settlement(taken[4].token, .forward(to: .other)),
                ], in: .work)
            #expect(outcomes == [.done, .stale, .done, .done, .done, .done])
            #expect(try await broker.state(1) == .leased)
            #expect(try await broker.state(2) == .completed)
            #expect(try await broker.state(3) == .scheduled)
            #expect(try await broker.state(4) == .dead)
            #expect(try await broker.state(5) == .ready)
            #expect(try await broker.state(6) == .forwarded)
            #expect(try await broker.state(6, in: .other) == .ready)
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `one run settled twice in one batch counts once`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            #expect(try await broker.settle([taken, taken], .ack) == [.done, .done])
            #expect(try await broker.counts().completed == 1)
        }
    }

    @Test(.tags(.i4), arguments: BrokerKind.allCases)
    func `a lease that ran out and that nobody took back may still settle`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            clock.advance(by: .seconds(300))
            #expect(try await broker.settle(taken, .ack) == .done)
            #expect(try await broker.reclaim(64, in: .work) == Reclaimed(ready: 0, dead: 0))
            #expect(try await broker.counts().lost == 0)
        }
    }

    @Test(.tags(.i1, .i10), arguments: BrokerKind.allCases)
    func `more settlements than a batch holds are all settled`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let count = 2 * broker.limits.batch + 5
            try await broker.enqueue(Sample.messages(1...count))
            let taken = try await broker.reserveAll()
            let outcomes = try await broker.settle(taken, .ack)
            #expect(outcomes == Array(repeating: .done, count: count))
            #expect(try await broker.counts().completed == count)
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `settling and reserving go in one call`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2)
            let first = try await broker.reserveOne()
            let both = await broker.settle(
                [Settlement(first.token, .ack)], thenReserve: ReserveRequest(5), from: .work)
            #expect(try both.settled.get() == [.done])
            let reservation = try both.reserved.get()
            #expect(reservation.messages.numbers == [2])
            // A stale half does not spoil the other one.
            try await broker.enqueue(3)
            let again = await broker.settle(
                [Settlement(first.token, .release)], thenReserve: ReserveRequest(5), from: .work)
            #expect(try again.settled.get() == [.stale])
            #expect(try again.reserved.get().messages.numbers == [3])
            let none = await broker.settle([], thenReserve: ReserveRequest(5), from: .work)
            #expect(try none.settled.get() == [])
            #expect(try none.reserved.get().messages.isEmpty)
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.allCases)
    func `a detached settle runs to its end`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            broker.settleDetached([Settlement(taken.token, .ack)], in: .work)
            while try await broker.state(1) != .completed { await Task.yield() }
            #expect(try await broker.counts().completed == 1)
        }
    }
}
