// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// Stop and go for a whole queue.
@Suite("Pause", .timeLimit(.minutes(2))) struct PauseTests {
    @Test(.tags(.i1), arguments: BrokerKind.allCases)
    func `a paused queue hands out nothing and takes everything`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2)
            let taken = try await broker.reserveOne()
            try await broker.operator.pause(.work)
            #expect(try await broker.counts().isPaused)
            #expect(try await broker.reserve(5, suspects: true).isEmpty)
            #expect(try await broker.enqueue(3) == [.enqueued])
            #expect(try await broker.renew([taken.token], for: .seconds(60), in: .work) == [.done])
            #expect(try await broker.settle(taken, .ack) == .done)
            try await broker.operator.resume(.work)
            #expect(try await broker.counts().isPaused == false)
            #expect(try await broker.reserveAll().numbers == [2, 3])
        }
    }

    @Test(.tags(.i8), arguments: BrokerKind.allCases)
    func `time goes on while a queue is paused`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue([
                Sample.message(1), Sample.message(2, due: .after(.seconds(5))),
            ])
            _ = try await broker.reserveOne()
            try await broker.operator.pause(.work)
            clock.advance(by: .seconds(31))
            #expect(try await broker.promote(in: .work) == 1)
            #expect(try await broker.reclaim(64, in: .work).ready == 1)
            #expect(try await broker.reserveAll().isEmpty)
            #expect(try await broker.counts().ready == 2)
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `pause and resume may be repeated and leave other queues alone`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            _ = try await broker.enqueue([Sample.message(1)], to: .other)
            try await broker.enqueue(2)
            try await broker.operator.pause(.work)
            try await broker.operator.pause(.work)
            #expect(try await broker.reserveAll(from: .other).numbers == [1])
            try await broker.operator.resume(.work)
            try await broker.operator.resume(.work)
            #expect(try await broker.reserveAll().numbers == [2])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `settings do not end a pause`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            try await broker.operator.pause(.work)
            try await broker.settings { $0.maxLeased = 5 }
            #expect(try await broker.counts().isPaused)
            #expect(try await broker.reserveAll().isEmpty)
        }
    }
}

/// ready → cancelled, many at once.
@Suite("Purge", .timeLimit(.minutes(2))) struct PurgeTests {
    @Test(.tags(.i1, .i2), arguments: BrokerKind.allCases)
    func `purge takes what is ready and nothing else`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2)
            let taken = try await broker.reserve(2)
            try await broker.settle(taken[0], .reject("no"))
            try await broker.enqueue([
                Sample.message(3), Sample.message(4, kind: .invoice, priority: 0),
                Sample.message(5, due: .after(.seconds(5))), Sample.message(6, priority: 7),
            ])
            #expect(try await broker.operator.purge(.work, limit: 100) == 3)
            #expect(try await broker.state(1) == .dead)
            #expect(try await broker.state(2) == .leased)
            #expect(try await broker.state(5) == .scheduled)
            for number in [3, 4, 6] {
                let record = try await broker.record(number)
                #expect(record.state == .cancelled && record.body == nil)
            }
            #expect(try await broker.operator.purge(.work, limit: 100) == 0)
            #expect(try await broker.settle(taken[1], .ack) == .done)
            #expect(try await broker.counts().cancelled == 3)
        }
    }

    @Test(.tags(.i10, .order), arguments: BrokerKind.allCases)
    func `purge keeps to its limit, from the head`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.messages(1...100))
            #expect(try await broker.operator.purge(.work, limit: 70) == 70)
            #expect(try await broker.numbers(.ready) == Array(71...100))
            #expect(try await broker.operator.purge(.work, limit: 70) == 30)
            #expect(try await broker.counts().isDrained)
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `suspects are purged and counted off`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2)
            try await broker.lose(2, times: 2, on: clock)
            #expect(try await broker.operator.purge(.work, limit: 10) == 2)
            #expect(try await broker.counts().suspects == 0)
            #expect(try await broker.reserve(1, suspects: true).isEmpty)
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.allCases)
    func `a message cancelled while ready is not purged again`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2, 3)
            _ = try await broker.operator.cancel([Sample.id(2)], in: .work)
            #expect(try await broker.operator.purge(.work, limit: 100) == 2)
            #expect(try await broker.counts().cancelled == 3)
            #expect(try await broker.inspector.check(.work, limit: 100) == [])
        }
    }
}

/// How a queue is kept.
@Suite("Settings", .timeLimit(.minutes(2))) struct SettingsTests {
    @Test(arguments: BrokerKind.allCases)
    func `a queue that was never set has the defaults`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            #expect(try await broker.operator.settings(of: .work) == QueueSettings())
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `every setting is read back as it was written, for its queue`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            var settings = QueueSettings()
            settings.keepMilliseconds = 1234
            settings.keepRecords = 56
            settings.keepDeadMilliseconds = 789
            settings.keepDead = 10
            settings.maxMessages = 11
            settings.maxLeased = 12
            settings.tracksLeases = false
            settings.recordsEvents = false
            try await broker.operator.apply(settings, to: .work)
            #expect(try await broker.operator.settings(of: .work) == settings)
            #expect(try await broker.operator.settings(of: .other) == QueueSettings())
            try await broker.operator.apply(QueueSettings(), to: .work)
            #expect(try await broker.operator.settings(of: .work) == QueueSettings())
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `settings below zero are refused and change nothing`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ async throws in
            await expectInvalid { try await broker.settings { $0.keepRecords = -1 } }
            await expectInvalid { try await broker.settings { $0.maxLeased = -1 } }
            #expect(try await broker.operator.settings(of: .work) == QueueSettings())
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.allCases)
    func `a lower maximum takes nothing away from what is here`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2, 3)
            try await broker.settings { $0.maxMessages = 1 }
            #expect(try await broker.enqueue(4) == [.full])
            #expect(try await broker.reserveAll().numbers == [1, 2, 3])
        }
    }
}
