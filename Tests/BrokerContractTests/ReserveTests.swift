// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// ready → leased.
@Suite("Reserve", .timeLimit(.minutes(2))) struct ReserveTests {
    @Test(.tags(.i3, .i4), arguments: BrokerKind.allCases)
    func `token and deadline are there with the message`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            clock.advance(by: .seconds(3))
            let request = ReserveRequest(1, lease: .seconds(20), worker: 77)
            let reservation = try await broker.reserve(request, from: .work)
            #expect(reservation.now == clock.now())
            #expect(reservation.deadline == clock.now() + .seconds(20))
            let message = try #require(reservation.messages.first)
            #expect(message.token.id == Sample.id(1))
            #expect(message.token.executedAt == clock.now())
            #expect(message.token.entry.readyAt == Sample.start)
            #expect(message.body == Sample.body(1))
            #expect(message.checkpoint == nil)

            let record = try await broker.record(1)
            #expect(record.state == .leased)
            #expect(record.count == 1)
            #expect(record.executedAt == clock.now())
            #expect(record.leaseDeadline == clock.now() + .seconds(20))
            #expect(record.worker == 77)
            #expect(try await broker.counts().leased == 1)
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `an empty queue hands out nothing and says so at once`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            let reservation = try await broker.reserve(ReserveRequest(5), from: .work)
            #expect(reservation.messages.isEmpty)
            #expect(reservation.nextDue == nil)
            #expect(reservation.suspectsWaiting == 0)
            #expect(reservation.now == clock.now())
        }
    }

    @Test(.tags(.i4), arguments: BrokerKind.allCases)
    func `a message under a lease is not handed out again`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            _ = try await broker.reserveOne()
            clock.advance(by: .milliseconds(29_999))
            try await broker.reclaim(64, in: .work)
            #expect(try await broker.reserveAll().isEmpty)
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `first in, first out whatever the ids say`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(5, 3, 9)
            try await broker.enqueue(1, 7)
            #expect(try await broker.reserve(2).numbers == [5, 3])
            #expect(try await broker.reserveAll().numbers == [9, 1, 7])
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `each kind keeps its own order`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let kinds: [Kind] = [.mail, .thumbnail, .invoice]
            try await broker.enqueue(
                (0..<30).map { Sample.message(100 - $0, kind: kinds[$0 % 3]) })
            let all = try await broker.reserveAll()
            #expect(all.count == 30)
            for kind in kinds {
                let numbers = all.filter { $0.token.entry.kindHash == kind.hash }.numbers
                #expect(numbers == numbers.sorted(by: >))
                #expect(numbers.count == 10)
            }
        }
    }

    @Test(.tags(.priority, .order), arguments: BrokerKind.allCases)
    func `eight priorities are served from 0 to 7`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            for number in [6, 1, 7, 0, 3, 5, 2, 4, 16, 11, 17, 10, 13, 15, 12, 14] {
                let priority = try #require(Priority(number % 10))
                try await broker.enqueue(Sample.message(number, priority: priority))
            }
            let numbers = try await broker.reserveAll().numbers
            #expect(numbers == [0, 10, 1, 11, 2, 12, 3, 13, 4, 14, 5, 15, 6, 16, 7, 17])
        }
    }

    @Test(.tags(.priority), arguments: BrokerKind.allCases)
    func `a more urgent message overtakes all that wait`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2)
            try await broker.enqueue(Sample.message(3, kind: .thumbnail, priority: .first))
            try await broker.enqueue(Sample.message(4, priority: .last))
            #expect(try await broker.reserveAll().numbers == [3, 1, 2, 4])
        }
    }

    @Test(.tags(.i11), arguments: BrokerKind.allCases)
    func `a kind that was not asked for is left for others`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue([
                Sample.message(1, kind: .invoice, priority: .first), Sample.message(2),
                Sample.message(3, kind: .invoice), Sample.message(4, kind: .thumbnail),
            ])
            let known = try await broker.reserveAll(kinds: [.mail, .thumbnail])
            #expect(known.numbers.sorted() == [2, 4])
            #expect(try await broker.state(1) == .ready)
            #expect(try await broker.record(3).count == 0)
            #expect(try await broker.reserveAll(kinds: []).isEmpty)
            #expect(try await broker.reserveAll(kinds: [.invoice]).numbers == [1, 3])
        }
    }

    @Test(.tags(.i11), arguments: BrokerKind.allCases)
    func `many messages of an unknown kind block nobody`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(
                (1...200).map { Sample.message($0, kind: .invoice, priority: .first) })
            try await broker.enqueue(Sample.message(201))
            #expect(try await broker.reserve(1, kinds: [.mail]).numbers == [201])
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `the byte budget ends an answer before it is passed`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let body = [UInt8](repeating: 1, count: 1000)  // of the class up to 1,024 bytes
            try await broker.enqueue((1...6).map { Sample.message($0, body: body) })
            #expect(try await broker.reserve(6, bytes: 2048).numbers == [1, 2])
            #expect(try await broker.reserve(6, bytes: 3071).numbers == [3, 4])
            #expect(try await broker.reserve(6, bytes: 1).numbers == [5])
            #expect(try await broker.reserve(6).numbers == [6])
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `one message goes out however big it is`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let big = [UInt8](repeating: 1, count: 1 << 20)
            try await broker.enqueue([Sample.message(1), Sample.message(2, body: big)])
            #expect(try await broker.reserve(2, bytes: 256 << 10).numbers == [1])
            #expect(try await broker.reserve(2, bytes: 256 << 10).numbers == [2])
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `a message with one attempt goes out only into a free slot`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue([
                Sample.message(1), Sample.message(2, maxAttempts: 1), Sample.message(3),
            ])
            #expect(try await broker.reserve(3, freeSlots: 1).numbers == [1])
            #expect(try await broker.state(2) == .ready)
            #expect(try await broker.reserve(3, freeSlots: 1).numbers == [2, 3])
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `without a free slot a message with one attempt stays, and what is behind it`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue([Sample.message(1, maxAttempts: 1), Sample.message(2)])
            #expect(try await broker.reserve(3, freeSlots: 0).isEmpty)
            #expect(try await broker.state(1) == .ready)
            #expect(try await broker.reserve(3, freeSlots: 1).numbers == [1, 2])
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `messages with one attempt fill the free slots and no more`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue((1...5).map { Sample.message($0, maxAttempts: 1) })
            #expect(try await broker.reserve(5, freeSlots: 3).numbers == [1, 2, 3])
            #expect(try await broker.reserve(5).numbers == [4, 5])
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `a queue with a limit gives out no more leases than that`(_ kind: BrokerKind) async throws
    {
        try await withBroker(kind) { broker, clock in
            try await broker.settings { $0.maxLeased = 2 }
            try await broker.enqueue(1, 2, 3, 4)
            let taken = try await broker.reserve(4)
            #expect(taken.numbers == [1, 2])
            #expect(try await broker.reserve(4).isEmpty)
            try await broker.settle(taken[0], .ack)
            #expect(try await broker.reserve(4).numbers == [3])
            clock.advance(by: .seconds(31))
            try await broker.reclaim(64, in: .work)
            #expect(try await broker.reserve(4).numbers.sorted() == [2, 3])
        }
    }

    @Test(.tags(.i8), arguments: BrokerKind.allCases)
    func `an empty answer tells when the next one is due`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue([
                Sample.message(1, due: .after(.seconds(20))),
                Sample.message(2, due: .after(.seconds(10))),
            ])
            let reservation = try await broker.reserve(ReserveRequest(1), from: .work)
            #expect(reservation.messages.isEmpty)
            #expect(reservation.nextDue == clock.now() + .seconds(10))
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `no token is ever handed out twice`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.messages(1...8))
            var seen: Set<LeaseToken> = []
            for _ in 0..<10 {
                let taken = try await broker.reserve(8)
                seen.formUnion(taken.map(\.token))
                try await broker.settle(taken, .release)
            }
            #expect(seen.count == 80)
        }
    }

    @Test(.tags(.i10, .order), arguments: BrokerKind.allCases)
    func `asking for more than a batch is no error`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.messages(1...3))
            let count = 4 * broker.limits.batch
            #expect(try await broker.reserve(count).numbers == [1, 2, 3])
        }
    }

    @Test(.tags(.i4), arguments: BrokerKind.allCases)
    func `a lease that is over before it begins is refused`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            await expectInvalid { _ = try await broker.reserve(lease: .zero) }
            let taken = try await broker.reserveOne()
            await expectInvalid {
                _ = try await broker.renew([taken.token], for: .seconds(-1), in: .work)
            }
            #expect(try await broker.settle(taken, .ack) == .done)
        }
    }

    @Test(.tags(.i2), arguments: BrokerKind.allCases)
    func `a queue that does not track leases keeps every promise`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings { $0.tracksLeases = false }
            try await broker.enqueue(1, 2)
            let taken = try await broker.reserve(2)
            #expect(taken.numbers == [1, 2])
            #expect(try await broker.reserveAll().isEmpty)
            #expect(try await broker.settle(taken[0], .ack) == .done)
            clock.advance(by: .seconds(31))
            #expect(try await broker.reclaim(64, in: .work) == Reclaimed(ready: 1, dead: 0))
            #expect(try await broker.settle(taken[1], .ack) == .stale)
            #expect(try await broker.state(1) == .completed)
            #expect(try await broker.state(2) == .ready)
        }
    }
}
