// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

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
            #expect(!broker.isShutDown)
            await broker.shutdown()
            #expect(broker.isShutDown)
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
            await yield(until: { clock.pendingTimers >= timers + 2 })
            await broker.shutdown()
            await broker.shutdown()
            _ = await (first, second)
            await broker.wait(for: nil, in: .work, upTo: .seconds(3600))
        }
    }
}
