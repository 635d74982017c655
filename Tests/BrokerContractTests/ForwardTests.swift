// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// leased → ready in another queue, under the same id.
@Suite("Forward", .timeLimit(.minutes(2))) struct ForwardTests {
    @Test(.tags(.i1, .i2), arguments: BrokerKind.allCases)
    func `a forwarded message ends here and waits there`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(
                Sample.message(1, kind: .invoice, priority: 1, maxAttempts: 7))
            try await broker.settle(broker.reserveOne(), .retry(after: .zero, reason: "busy"))
            let taken = try await broker.reserveOne()
            try await broker.checkpoint(taken, "half")
            clock.advance(by: .seconds(2))
            #expect(try await broker.settle(taken, .forward(to: .other)) == .done)

            let here = try await broker.record(1)
            #expect(here.state == .forwarded)
            #expect(here.reason == "other")
            #expect(here.finishedAt == clock.now())
            #expect(here.body == nil && here.checkpoint == nil)
            #expect(try await broker.counts().forwarded == 1)
            #expect(try await broker.counts().isDrained)

            let there = try await broker.record(1, in: .other)
            #expect(there.state == .ready)
            #expect(there.kind == "invoice")
            #expect(there.body == Sample.body(1))
            #expect(there.entry.priority == 1 && there.entry.maxAttempts == 7)
            #expect(there.entry.attempt == 0 && there.entry.lost == 0 && there.count == 0)
            #expect(there.entry.epoch == taken.token.entry.epoch + 1)
            #expect(there.entry.insertedAt == clock.now())
            #expect(there.checkpoint == nil && there.attempts.isEmpty)
            #expect(try await broker.counts(of: .other).enqueued == 1)
        }
    }

    @Test(.tags(.i1, .i12), arguments: BrokerKind.allCases)
    func `the same forward again answers done and makes no second copy`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            try await broker.settle(taken, .forward(to: .other))
            let here = try await broker.snapshot(1)
            let there = try await broker.snapshot(1, in: .other)
            #expect(try await broker.settle(taken, .forward(to: .other)) == .done)
            #expect(try await broker.snapshot(1) == here)
            #expect(try await broker.snapshot(1, in: .other) == there)
            #expect(try await broker.reserveAll(from: .other).numbers == [1])
        }
    }

    @Test(.tags(.i1, .i2), arguments: BrokerKind.allCases)
    func `a message may come back, and go again`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            var queues: (QueueName, QueueName) = (.work, .other)
            for epoch in 1...4 {
                let taken = try await broker.reserveOne(from: queues.0)
                let outcome = try await broker.settle(
                    taken, .forward(to: queues.1), in: queues.0)
                #expect(outcome == .done)
                #expect(try await broker.state(1, in: queues.0) == .forwarded)
                let there = try await broker.record(1, in: queues.1)
                #expect(there.state == .ready)
                #expect(there.entry.epoch == UInt32(epoch))
                #expect(there.finishedAt == nil && there.reason == nil)
                queues = (queues.1, queues.0)
            }
            let last = try await broker.reserveOne()
            #expect(last.body == Sample.body(1))
            #expect(try await broker.settle(last, .ack) == .done)
            #expect(try await broker.counts().completed == 1)
            #expect(try await broker.counts(of: .other).isDrained)
        }
    }

    @Test(.tags(.i1, .i10), arguments: BrokerKind.allCases)
    func `pruning the first visit does not touch a message that came back`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings { $0.keepMilliseconds = 1000 }
            try await broker.enqueue(1)
            try await broker.settle(broker.reserveOne(), .forward(to: .other))
            let away = try await broker.reserveOne(from: .other)
            try await broker.settle(away, .forward(to: .work), in: .other)
            clock.advance(by: .seconds(5))
            try await broker.prune(64, in: .work)
            #expect(try await broker.state(1) == .ready)
            let back = try await broker.reserveOne()
            #expect(back.body == Sample.body(1))
            #expect(try await broker.settle(back, .ack) == .done)
            #expect(try await broker.state(1) == .completed)
        }
    }

    @Test(.tags(.i2), arguments: BrokerKind.allCases)
    func `an older copy that is live at the target stops a forward`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            _ = try await broker.enqueue([Sample.message(1)], to: .other)
            let taken = try await broker.reserveOne()
            let here = try await broker.snapshot(1)
            let there = try await broker.snapshot(1, in: .other)
            #expect(try await broker.settle(taken, .forward(to: .other)) == .targetBusy)
            #expect(try await broker.snapshot(1) == here)
            #expect(try await broker.snapshot(1, in: .other) == there)
            #expect(try await broker.settle(taken, .ack) == .done, "the lease went on")
        }
    }

    /// `plumless` and `buckeroo` have one CRC-32; a store may refuse the second of them.
    @Test(.tags(.i1, .i2), arguments: BrokerKind.allCases)
    func `a forward that can't go does not hold up what is settled beside it`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            _ = try await broker.enqueue([Sample.message(9, kind: "plumless")], to: .other)
            try await broker.enqueue([
                Sample.message(1), Sample.message(2, kind: "buckeroo"), Sample.message(3),
            ])
            let taken = try await broker.reserveAll().sorted { $0.number < $1.number }
            let verdicts: [Verdict] = [.ack, .forward(to: .other), .forward(to: "third")]
            let outcomes = try await broker.settle(
                zip(taken, verdicts).map { Settlement($0.token, $1) }, in: .work)
            #expect(outcomes[0] == .done && outcomes[2] == .done)
            #expect(try await broker.state(1) == .completed)
            #expect(try await broker.state(3, in: "third") == .ready)
            let stays = outcomes[1] == .targetBusy
            #expect(try await broker.state(2) == (stays ? .leased : .forwarded))
            #expect(try await (broker.find(2, in: .other) == nil) == stays)
        }
    }

    @Test(.tags(.i9), arguments: BrokerKind.allCases)
    func `a unique key is freed here and does not travel`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.message(1, unique: "key"))
            try await broker.settle(broker.reserveOne(), .forward(to: .other))
            #expect(try await broker.record(1, in: .other).uniqueKey == nil)
            #expect(try await broker.enqueue(Sample.message(2, unique: "key")) == .enqueued)
            let there = try await broker.enqueue([Sample.message(3, unique: "key")], to: .other)
            #expect(there == [.enqueued])
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `forwarded messages join the tail in the order of the batch`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            _ = try await broker.enqueue([Sample.message(9)], to: .other)
            try await broker.enqueue(3, 1, 2)
            try await broker.settle(broker.reserve(3), .forward(to: .other))
            #expect(try await broker.reserveAll(from: .other).numbers == [9, 3, 1, 2])
        }
    }

    @Test(.tags(.i1, .i3), arguments: BrokerKind.allCases)
    func `a forward to its own queue is refused, and nothing of the call happens`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2)
            let taken = try await broker.reserve(2)
            let before = try await broker.snapshot(1, 2)
            let settlements = [
                Settlement(taken[0].token, .ack), Settlement(taken[1].token, .forward(to: .work)),
            ]
            await expectInvalid { _ = try await broker.settle(settlements, in: .work) }
            #expect(try await broker.snapshot(1, 2) == before)
            let both = await broker.settle(
                settlements, thenReserve: ReserveRequest(1, kinds: [.mail]), from: .work)
            guard case .failure(.invalid) = both.settled, case .success = both.reserved else {
                Issue.record("refused settlements came back as \(both)")
                return
            }
            #expect(try await broker.snapshot(1, 2) == before)
        }
    }
}
