// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// nothing → ready, or → scheduled.
@Suite("Enqueue", .timeLimit(.minutes(2))) struct EnqueueTests {
    @Test(.tags(.i1, .i2), arguments: BrokerKind.allCases)
    func `a message is ready as soon as it was accepted`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            #expect(try await broker.enqueue(Sample.message(1)) == .enqueued)
            let record = try await broker.record(1)
            #expect(record.state == .ready)
            #expect(record.entry.insertedAt == clock.now())
            #expect(record.entry.readyAt == clock.now())
            #expect(record.entry.attempt == 0 && record.entry.lost == 0)
            #expect(record.entry.generation == 0 && record.entry.epoch == 0)
            #expect(record.count == 0)
            #expect(record.kind == "mail")
            #expect(record.body == Sample.body(1))
            #expect(record.executedAt == nil && record.finishedAt == nil)
            #expect(record.leaseDeadline == nil && record.dueAt == nil)
            let counts = try await broker.counts()
            #expect(counts.ready == 1 && counts.enqueued == 1)
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.allCases)
    func `a batch has an answer per message, in order`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.message(1, unique: "key"))
            let outcomes = try await broker.enqueue([
                Sample.message(2), Sample.message(3, unique: "key"),
                Sample.message(1, isResend: true), Sample.message(4, due: .after(.seconds(5))),
            ])
            #expect(outcomes == [.enqueued, .duplicate(of: Sample.id(1)), .known, .enqueued])
            #expect(try await broker.find(3) == nil)
            let counts = try await broker.counts()
            #expect(counts.ready == 2 && counts.scheduled == 1 && counts.enqueued == 3)
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `an empty batch is no error`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            #expect(try await broker.enqueue([NewMessage]()) == [])
            #expect(try await broker.counts().isDrained)
        }
    }

    @Test(.tags(.i1, .i10, .order), arguments: BrokerKind.allCases)
    func `a batch over the limit is accepted whole and in order`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let count = 2 * broker.limits.batch + 3
            let outcomes = try await broker.enqueue(Sample.messages(1...count))
            #expect(outcomes == Array(repeating: .enqueued, count: count))
            #expect(try await broker.reserveAll().numbers == Array(1...count))
        }
    }

    @Test(.tags(.i1, .i10), arguments: BrokerKind.allCases)
    func `a batch over the byte limit is accepted whole`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let body = [UInt8](repeating: 7, count: broker.limits.batchBytes / 2 + 1)
            let messages = (1...5).map { Sample.message($0, body: body) }
            #expect(
                try await broker.enqueue(messages) == Array(repeating: .enqueued, count: 5))
            let taken = try await broker.reserveAll()
            #expect(taken.numbers == [1, 2, 3, 4, 5])
            #expect(taken.allSatisfy { $0.body == body })
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.allCases, [1, 64, 65, 1 << 20])
    func `a body comes back byte for byte`(_ kind: BrokerKind, size: Int) async throws {
        try await withBroker(kind) { broker, _ in
            let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            #expect(try await broker.enqueue(Sample.message(1, body: body)) == .enqueued)
            let taken = try await broker.reserveOne()
            #expect(taken.body == body)
            #expect(taken.token.entry.sizeClass == Entry.sizeClass(ofBody: size))
        }
    }

    @Test(.tags(.i1, .i10), arguments: BrokerKind.allCases)
    func `one message over the size limit refuses the whole call`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            let tooBig = [UInt8](repeating: 0, count: broker.limits.messageBytes + 1)
            await expectInvalid {
                try await broker.enqueue([Sample.message(1), Sample.message(2, body: tooBig)])
            }
            #expect(try await broker.find(1) == nil)
            #expect(try await broker.counts().enqueued == 0)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `a smaller size limit is kept to`(_ kind: BrokerKind) async throws {
        try await withBroker(kind, limits: BrokerLimits(messageBytes: 100)) {
            broker, _ async throws in
            let limit = [UInt8](repeating: 1, count: 100)
            #expect(try await broker.enqueue(Sample.message(1, body: limit)) == .enqueued)
            await expectInvalid { try await broker.enqueue(Sample.message(2, body: limit + [1])) }
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.allCases)
    func `what can never be worked is refused`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            await expectInvalid { try await broker.enqueue(Sample.message(1, body: [])) }
            await expectInvalid { try await broker.enqueue(Sample.message(1, maxAttempts: 0)) }
            await expectInvalid { try await broker.enqueue(Sample.message(1, unique: "")) }
            #expect(try await broker.counts() == QueueCounts())
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `a unique key over its limit is refused`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            let longest = String(repeating: "k", count: BrokerLimits.uniqueKeyBytes)
            #expect(try await broker.enqueue(Sample.message(1, unique: longest)) == .enqueued)
            await expectInvalid {
                try await broker.enqueue(Sample.message(2, unique: longest + "k"))
            }
        }
    }

    @Test(.tags(.i1, .i2), arguments: BrokerKind.allCases)
    func `identical payloads are messages of their own`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let body: [UInt8] = [1, 2, 3]
            try await broker.enqueue((1...4).map { Sample.message($0, body: body) })
            let taken = try await broker.reserve(4)
            #expect(taken.numbers == [1, 2, 3, 4])
            #expect(try await broker.settle(taken[1], .ack) == .done)
            #expect(try await broker.numbers(.leased).sorted() == [1, 3, 4])
            #expect(try await broker.settle(taken[1], .reject("no")) == .stale)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `a full queue says so and takes nothing more`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.settings { $0.maxMessages = 2 }
            #expect(try await broker.enqueue(1, 2) == [.enqueued, .enqueued])
            #expect(try await broker.enqueue(3) == [.full])
            #expect(try await broker.find(3) == nil)
            try await broker.settle(broker.reserveOne(), .reject("dead letters count too"))
            #expect(try await broker.enqueue(3) == [.full])
            try await broker.settle(broker.reserveOne(), .ack)
            #expect(try await broker.enqueue(3) == [.enqueued])
        }
    }

    @Test(.tags(.i10, .i12), arguments: BrokerKind.allCases)
    func `a batch that does not fit answers for each message`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.settings { $0.maxMessages = 3 }
            let outcomes = try await broker.enqueue(1, 2, 3, 4, 5)
            let accepted = outcomes.filter { $0 == .enqueued }.count
            #expect(outcomes.count == 5)
            #expect(outcomes.filter { $0 == .full }.count == 5 - accepted)
            #expect(accepted <= 3)
            #expect(try await broker.counts().ready == accepted)
        }
    }

    @Test(.tags(.i2), arguments: BrokerKind.allCases)
    func `queues know nothing of each other`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            _ = try await broker.enqueue([Sample.message(2)], to: .other)
            #expect(try await broker.reserveAll(from: .other).numbers == [2])
            #expect(try await broker.find(2) == nil)
            #expect(try await broker.counts().ready == 1)
        }
    }

    @Test(.tags(.i2, .i12), arguments: BrokerKind.allCases)
    func `two kinds with one hash are refused, and nothing of their call is accepted`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            // Both have the CRC-32 0x4DDB0C25.
            let (first, second): (Kind, Kind) = ("plumless", "buckeroo")
            #expect(first.hash == second.hash)
            await expectInvalid {
                try await broker.enqueue([
                    Sample.message(1), Sample.message(2, kind: first),
                    Sample.message(3, kind: second),
                ])
            }
            #expect(try await broker.counts().enqueued == 0)
            #expect(try await broker.reserveAll().isEmpty)

            try await broker.enqueue(Sample.message(4, kind: first))
            await expectInvalid {
                try await broker.enqueue([Sample.message(5), Sample.message(6, kind: second)])
            }
            #expect(try await broker.counts().enqueued == 1)
            #expect(try await broker.reserveAll().numbers == [4])
            #expect(try await broker.inspector.check(.work, limit: 100) == [])
            // Another queue has kinds of its own.
            #expect(
                try await broker.enqueue([Sample.message(7, kind: second)], to: .other)
                    == [.enqueued])
        }
    }
}
