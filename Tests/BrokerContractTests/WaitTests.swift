// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// Sleep until there may be something to do.
///
/// The clock stands still in most of these tests, so a wake-up that gets lost never comes: the time
/// limit of the suite then ends the test. A wait that returns for nothing is allowed.
@Suite("Wait", .timeLimit(.minutes(1))) struct WaitTests {
    /// Waits for a message beside `action`, which makes one ready; returns when both are through.
    ///
    /// Mostly the waiter falls asleep first, but either order must work; where `action` moves the
    /// clock, it begins only when the waiter has set its timer.
    private static func expectWoken(
        _ broker: any Broker, _ clock: VirtualClock, kinds: [Kind]? = nil,
        upTo timeout: Duration = .seconds(3600), movesClock: Bool = false,
        by action: () async throws -> Void
    ) async throws {
        let timers = clock.pendingTimers
        async let waiter: Void = broker.wait(for: kinds, in: .work, upTo: timeout)
        if movesClock {
            while clock.pendingTimers == timers { await Task.yield() }
        } else {
            for _ in 0..<1000 where clock.pendingTimers == timers { await Task.yield() }
        }
        try await action()
        await waiter
        #expect(clock.now() < Sample.start + .seconds(3000), "woken, not timed out")
    }

    @Test(arguments: BrokerKind.allCases)
    func `a waiter is woken by an enqueue`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            for number in 1...20 {
                try await Self.expectWoken(broker, clock) { try await broker.enqueue(number) }
                #expect(try await broker.reserveAll().numbers == [number])
            }
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `an enqueue just before the wait is not lost`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            #expect(try await broker.reserveAll().isEmpty)
            try await broker.enqueue(1)
            await broker.wait(for: nil, in: .work, upTo: .seconds(3600))
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(.tags(.i11), arguments: BrokerKind.allCases)
    func `a waiter for some kinds is woken by each of them`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            let kinds: [Kind] = [.mail, .thumbnail]
            try await broker.enqueue(Sample.message(100, kind: .invoice))
            for (number, kind) in kinds.enumerated() {
                try await Self.expectWoken(broker, clock, kinds: kinds) {
                    try await broker.enqueue(Sample.message(number, kind: kind))
                }
                #expect(try await broker.reserveAll(kinds: kinds).numbers == [number])
            }
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a waiter is woken by a release`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            #expect(try await broker.reserveAll().isEmpty)
            try await Self.expectWoken(broker, clock) { try await broker.settle(taken, .release) }
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a waiter is woken by a redrive`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            try await broker.settle(broker.reserveOne(), .reject("no"))
            #expect(try await broker.reserveAll().isEmpty)
            try await Self.expectWoken(broker, clock) {
                _ = try await broker.operator.redrive([Sample.id(1)], in: .work)
            }
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a waiter is woken by a resume`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.operator.pause(.work)
            try await broker.enqueue(1)
            #expect(try await broker.reserveAll().isEmpty)
            try await Self.expectWoken(broker, clock) { try await broker.operator.resume(.work) }
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a waiter is woken by a reclaim`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            _ = try await broker.reserveOne()
            clock.advance(by: .seconds(31))
            try await Self.expectWoken(broker, clock) { try await broker.reclaim(64, in: .work) }
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a waiter is woken by a promote, of an operator or of the clock`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.message(1, due: .after(.seconds(60))))
            #expect(try await broker.reserveAll().isEmpty)
            try await Self.expectWoken(broker, clock) {
                _ = try await broker.operator.promote([Sample.id(1)], in: .work)
            }
            #expect(try await broker.reserveAll().numbers == [1])
            try await broker.enqueue(Sample.message(2, due: .after(.seconds(60))))
            #expect(try await broker.reserveAll().isEmpty)
            try await Self.expectWoken(broker, clock, movesClock: true) {
                clock.advance(by: .seconds(60))
                try await broker.promote(in: .work)
            }
            #expect(try await broker.reserveAll().numbers == [2])
        }
    }

    @Test(.tags(.i8), arguments: BrokerKind.allCases)
    func `one who waits until the next message is due is woken in time`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.message(1, due: .after(.seconds(10))))
            let reservation = try await broker.reserve(ReserveRequest(1), from: .work)
            let wait = try #require(reservation.nextDue) - reservation.now
            try await Self.expectWoken(broker, clock, upTo: wait, movesClock: true) {
                clock.advance(by: .seconds(10))
            }
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(.tags(.i8), arguments: BrokerKind.allCases)
    func `a waiter learns of a message that is due before the ones it knew`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.message(1, due: .after(.seconds(2000))))
            #expect(try await broker.reserveAll().isEmpty)
            try await Self.expectWoken(broker, clock, movesClock: true) {
                try await broker.enqueue(Sample.message(2, due: .after(.seconds(10))))
                clock.advance(by: .seconds(10))
            }
            #expect(try await broker.reserveAll().numbers == [2])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `at the limit of leases a waiter is woken by whatever ends one`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings { $0.maxLeased = 1 }
            for (number, verdict) in [Verdict.ack, .reject("no"), .retry(after: .seconds(9999))]
                .enumerated()
            {
                try await broker.enqueue(number, 100 + number)
                let taken = try await broker.reserveOne()
                #expect(try await broker.reserveAll().isEmpty)
                try await Self.expectWoken(broker, clock) {
                    try await broker.settle(taken, verdict)
                }
                let next = try await broker.reserveOne()
                #expect(next.number == 100 + number)
                try await broker.settle(next, .ack)
            }
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a forward wakes those who wait at its target`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            _ = try await broker.enqueue([Sample.message(1)], to: .other)
            let taken = try await broker.reserveOne(from: .other)
            try await Self.expectWoken(broker, clock) {
                try await broker.settle(taken, .forward(to: .work), in: .other)
            }
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a full answer leaves the next waiter awake`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2)
            await broker.wait(for: nil, in: .work, upTo: .seconds(3600))
            #expect(try await broker.reserve(1).numbers == [1])
            await broker.wait(for: nil, in: .work, upTo: .seconds(3600))
            #expect(try await broker.reserve(1).numbers == [2])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a wait ends with its timeout`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            await withTaskGroup { group in
                group.addTask { await broker.wait(for: nil, in: .work, upTo: .seconds(5)) }
                group.addTask {
                    while !Task.isCancelled {
                        clock.advance(by: .seconds(1))
                        await Task.yield()
                    }
                }
                await group.next()
                group.cancelAll()
            }
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a wait without time to wait is over at once`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            await broker.wait(for: nil, in: .work, upTo: .zero)
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `a wait ends with its task`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            await withTaskGroup { group in
                group.addTask { await broker.wait(for: nil, in: .work, upTo: .seconds(3600)) }
                group.cancelAll()
            }
            let timers = clock.pendingTimers
            await withTaskGroup { group in
                group.addTask { await broker.wait(for: [.mail], in: .work, upTo: .seconds(3600)) }
                for _ in 0..<1000 where clock.pendingTimers == timers { await Task.yield() }
                group.cancelAll()
            }
            #expect(clock.pendingTimers == timers, "a wait leaves no timer behind")
        }
    }
}

/// The end.
@Suite("Shutdown", .timeLimit(.minutes(1))) struct ShutdownTests {
    private func expectUnavailable(_ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("a broker that was shut down did something")
        } catch BrokerError.unavailable {
        } catch {
            Issue.record("expected `unavailable`, not \(error)")
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `after shutdown every word is unavailable`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            await broker.shutdown()
            await expectUnavailable { try await broker.enqueue(2) }
            await expectUnavailable { _ = try await broker.reserve(1) }
            await expectUnavailable { try await broker.settle(taken, .ack) }
            await expectUnavailable { try await broker.settle(taken, .forward(to: .other)) }
            await expectUnavailable {
                _ = try await broker.renew([taken.token], for: .seconds(1), in: .work)
            }
            await expectUnavailable { try await broker.checkpoint(taken, "x") }
            await expectUnavailable { try await broker.promote(in: .work) }
            await expectUnavailable { try await broker.reclaim(1, in: .work) }
            await expectUnavailable { try await broker.prune(1, in: .work) }
            await expectUnavailable { try await broker.operator.pause(.work) }
            await expectUnavailable { _ = try await broker.inspector.counts(of: .work) }
            await expectUnavailable {
                _ = try await broker.eventLog.events(in: .work, after: nil, limit: 1)
            }
            let both = await broker.settle([], thenReserve: ReserveRequest(1), from: .work)
            #expect(throws: BrokerError.self) { try both.reserved.get() }
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `shutdown wakes who waits, and may be repeated`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            let timers = clock.pendingTimers
            async let first: Void = broker.wait(for: nil, in: .work, upTo: .seconds(3600))
            async let second: Void = broker.wait(for: [.mail], in: .other, upTo: .seconds(3600))
            for _ in 0..<1000 where clock.pendingTimers < timers + 2 { await Task.yield() }
            await broker.shutdown()
            await broker.shutdown()
            _ = await (first, second)
            await broker.wait(for: nil, in: .work, upTo: .seconds(3600))
        }
    }
}
