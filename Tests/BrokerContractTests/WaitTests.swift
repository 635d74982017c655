// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Synchronization
import Testing

/// Sleep until there may be something to do.
///
/// The clock stands still in most of these tests, so a wake-up that gets lost never comes: the time
/// limit of the suite then ends the test. A wait that returns for nothing is allowed.
@Suite("Wait", .timeLimit(.minutes(1))) struct WaitTests {
    private final class Waiter: Sendable {
        let isAwake = Atomic(false)
    }

    /// Waits for a message beside `action`, which makes one ready; returns when both are through.
    ///
    /// Mostly the waiter falls asleep first, but either order must work; where `action` moves the
    /// clock, it begins only when the waiter has set its timer or is awake again.
    private static func expectWoken(
        _ broker: any Broker, _ clock: VirtualClock, kinds: [Kind]? = nil,
        upTo timeout: Duration = .seconds(3600), movesClock: Bool = false,
        by action: () async throws -> Void
    ) async throws {
        let timers = clock.pendingTimers
        let waiter = Waiter()
        try await withThrowingTaskGroup { group in
            group.addTask {
                await broker.wait(for: kinds, in: .work, upTo: timeout)
                waiter.isAwake.store(true, ordering: .releasing)
            }
            // Why so many: the waiter may be on the other side of a wire.
            var patience = 20_000
            while clock.pendingTimers == timers, patience > 0,
                !waiter.isAwake.load(ordering: .acquiring)
            {
                if !movesClock { patience -= 1 }
                await Task.yield()
            }
            try await action()
            try await group.waitForAll()
        }
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
            let timers = clock.pendingTimers
            await withTaskGroup { group in
                group.addTask { await broker.wait(for: nil, in: .work, upTo: .seconds(3600)) }
                group.cancelAll()
            }
            await yield(until: { clock.pendingTimers == timers })
            await withTaskGroup { group in
                group.addTask { await broker.wait(for: [.mail], in: .work, upTo: .seconds(3600)) }
                await yield(until: { clock.pendingTimers > timers })
                group.cancelAll()
            }
            await yield(until: { clock.pendingTimers == timers })
            #expect(clock.pendingTimers == timers, "a wait leaves no timer behind")
        }
    }
}
