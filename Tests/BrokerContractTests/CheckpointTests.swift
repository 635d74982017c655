// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// leased → leased, with progress for the next run.
@Suite("Checkpoint", .timeLimit(.minutes(2))) struct CheckpointTests {
    @Test(
        .tags(.i1), arguments: BrokerKind.allCases,
        [Verdict.retry(after: .zero, reason: "again"), .release])
    func `the next run gets what the last one left`(
        _ kind: BrokerKind, verdict: Verdict
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let first = try await broker.reserveOne()
            #expect(try await broker.checkpoint(first, "page 3") == .done)
            #expect(try await broker.record(1).checkpoint == Array("page 3".utf8))
            try await broker.settle(first, verdict)
            #expect(try await broker.reserveOne().checkpoint == Array("page 3".utf8))
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.allCases)
    func `progress outlives a lost lease`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            try await broker.checkpoint(broker.reserveOne(), "half")
            clock.advance(by: .seconds(31))
            try await broker.reclaim(64, in: .work)
            #expect(try await broker.reserveOne().checkpoint == Array("half".utf8))
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `the last write wins`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            try await broker.checkpoint(taken, "a long first note")
            try await broker.checkpoint(taken, "b")
            #expect(try await broker.record(1).checkpoint == Array("b".utf8))
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `a stale token writes nothing, and fails alone`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let first = try await broker.reserveOne()
            clock.advance(by: .seconds(31))
            try await broker.reclaim(64, in: .work)
            let second = try await broker.reserveOne()
            try await broker.checkpoint(second, "second")
            try await broker.enqueue(2)
            let other = try await broker.reserveOne()
            let before = try await broker.record(1)
            let outcomes = try await broker.checkpoint(
                [Checkpoint(first.token, [9]), Checkpoint(other.token, [8])], in: .work)
            #expect(outcomes == [.stale, .done])
            #expect(try await broker.record(1) == before)
            #expect(try await broker.record(2).checkpoint == [8])
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `4 KiB fit, and one byte more writes none of the batch`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2)
            let taken = try await broker.reserve(2)
            let most = [UInt8](repeating: 5, count: BrokerLimits.checkpointBytes)
            await expectInvalid {
                _ = try await broker.checkpoint(
                    [Checkpoint(taken[0].token, [1]), Checkpoint(taken[1].token, most + [5])],
                    in: .work)
            }
            #expect(try await broker.record(1).checkpoint == nil)
            let outcomes = try await broker.checkpoint(
                [Checkpoint(taken[1].token, most)], in: .work)
            #expect(outcomes == [.done])
            #expect(try await broker.record(2).checkpoint == most)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `more checkpoints than a batch holds are all written`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let count = broker.limits.batch + 1
            try await broker.enqueue(Sample.messages(1...count))
            let taken = try await broker.reserveAll()
            let outcomes = try await broker.checkpoint(
                taken.map { Checkpoint($0.token, [1]) }, in: .work)
            #expect(outcomes == Array(repeating: .done, count: count))
            #expect(try await broker.record(count).checkpoint == [1])
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `progress is freed when the message ends`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            try await broker.checkpoint(taken, "half")
            try await broker.settle(taken, .ack)
            #expect(try await broker.record(1).checkpoint == nil)
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `progress stays with a dead letter and comes back with its redrive`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            try await broker.checkpoint(taken, "half")
            try await broker.settle(taken, .reject("no"))
            #expect(try await broker.record(1).checkpoint == Array("half".utf8))
            _ = try await broker.operator.redrive([Sample.id(1)], in: .work)
            #expect(try await broker.reserveOne().checkpoint == Array("half".utf8))
        }
    }
}
