// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// Sending again after a reply was lost: never two messages of one id.
@Suite("Enqueue: resend", .timeLimit(.minutes(2))) struct ResendTests {
    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `a resend of a message that never arrived is accepted`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            #expect(try await broker.enqueue(Sample.message(1, isResend: true)) == .enqueued)
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `a resend of a live message is known in every state`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let resend = Sample.message(1, isResend: true)
            try await broker.enqueue(1)
            #expect(try await broker.enqueue(resend) == .known)
            let taken = try await broker.reserveOne()
            #expect(try await broker.enqueue(resend) == .known)
            try await broker.settle(taken, .retry(after: .seconds(5)))
            #expect(try await broker.enqueue(resend) == .known)
            #expect(try await broker.counts().enqueued == 1)
            #expect(try await broker.numbers(.scheduled) == [1])
        }
    }

    @Test(
        .tags(.i12), arguments: BrokerKind.allCases,
        [Verdict.ack, .reject("no"), .forward(to: .other)])
    func `a resend of an ended message is known`(_ kind: BrokerKind, verdict: Verdict) async throws
    {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            try await broker.settle(broker.reserveOne(), verdict)
            let before = try await broker.snapshot(1)
            #expect(try await broker.enqueue(Sample.message(1, isResend: true)) == .known)
            #expect(try await broker.snapshot(1) == before)
            #expect(try await broker.reserveAll().isEmpty)
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `a resend of a cancelled message is known`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            #expect(try await broker.operator.cancel([Sample.id(1)], in: .work) == [true])
            #expect(try await broker.enqueue(Sample.message(1, isResend: true)) == .known)
            #expect(try await broker.reserveAll().isEmpty)
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `a resend after prune is unknown and makes no second message`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2)
            try await broker.settle(broker.reserve(2), .ack)
            clock.advance(by: .seconds(601))
            try await broker.prune(64, in: .work)
            #expect(try await broker.find(1) == nil)
            let resends = [1, 2].map { Sample.message($0, isResend: true) }
            #expect(try await broker.enqueue(resends) == [.unknown, .unknown])
            #expect(try await broker.counts().ready == 0)
            #expect(try await broker.counts().enqueued == 2)
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `a resend of an id older than what was pruned is unknown`(_ kind: BrokerKind) async throws
    {
        try await withBroker(kind) { broker, clock in
            clock.advance(by: .seconds(10))
            let pruned = Sample.message(1, at: clock.now())
            try await broker.enqueue(pruned)
            try await broker.settle(broker.reserveOne(), .ack)
            clock.advance(by: .seconds(601))
            try await broker.prune(64, in: .work)

            let older = Sample.message(2, isResend: true, at: Sample.start + .seconds(5))
            #expect(try await broker.enqueue(older) == .unknown)
            let newer = Sample.message(3, isResend: true, at: Sample.start + .seconds(11))
            #expect(try await broker.enqueue(newer) == .enqueued)
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `a pruned dead letter is unknown to a resend`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings { $0.keepDeadMilliseconds = 1000 }
            try await broker.enqueue(1)
            try await broker.settle(broker.reserveOne(), .reject("no"))
            clock.advance(by: .seconds(2))
            #expect(try await broker.prune(64, in: .work) == 1)
            #expect(try await broker.enqueue(Sample.message(1, isResend: true)) == .unknown)
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `an id resent twice in one batch is one message`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            let resend = Sample.message(1, isResend: true)
            #expect(try await broker.enqueue([resend, resend]) == [.enqueued, .known])
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(.tags(.i9, .i12), arguments: BrokerKind.allCases)
    func `a resend of the holder of a unique key is known, not a duplicate`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.message(1, unique: "key"))
            let resend = Sample.message(1, unique: "key", isResend: true)
            #expect(try await broker.enqueue(resend) == .known)
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `a resend under an id that tells no time, or one to come, is refused`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let before = try await broker.snapshot(1)
            // Why: once its record is pruned, only an id's own time says that it may have been here.
            let untimed = MessageID(high: 0x8F0D_2C11_93B7_4A5E, low: 0x9C3A_0000_0000_0001)
            let early = Sample.id(4, at: clock.now() + .seconds(86_400))
            for id in [untimed, early] {
                var resend = Sample.message(2, isResend: true)
                resend.id = id
                await expectInvalid {
                    _ = try await broker.enqueue([Sample.message(3), resend], to: .work)
                }
            }
            #expect(try await broker.snapshot(1) == before)
            // Clocks differ, and are set back.
            let ahead = Sample.message(2, isResend: true, at: clock.now() + .seconds(3600))
            #expect(try await broker.enqueue(ahead) == .enqueued)
        }
    }
}
