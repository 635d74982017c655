// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// dead → ready.
@Suite("Redrive", .timeLimit(.minutes(2))) struct RedriveTests {
    @Test(.tags(.i1, .i2, .i6), arguments: BrokerKind.allCases)
    func `a dead letter gets a second life at the tail`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            try await broker.lose(on: clock)
            try await broker.settle(broker.reserveOne(), .reject("no"))
            try await broker.enqueue(2)
            clock.advance(by: .seconds(3))
            let outcomes = try await broker.operator.redrive([Sample.id(1)], in: .work)
            #expect(outcomes == [.redriven])
            let record = try await broker.record(1)
            #expect(record.state == .ready)
            #expect(record.entry.attempt == 0 && record.entry.lost == 0)
            #expect(record.entry.generation == 1 && record.entry.epoch == 3)
            #expect(record.entry.readyAt == clock.now())
            #expect(record.count == 2, "a redrive is no run")
            #expect(record.finishedAt == nil)
            #expect(record.body == Sample.body(1))
            let counts = try await broker.counts()
            #expect(counts.dead == 0 && counts.ready == 2 && counts.redriven == 1)
            #expect(try await broker.reserveAll().numbers == [2, 1])
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `only what is dead is redriven, once`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2, 3)
            let taken = try await broker.reserve(2)
            try await broker.settle(taken[0], .reject("no"))
            try await broker.settle(taken[1], .ack)
            let ids = [2, 1, 3, 4].map { Sample.id($0) }
            #expect(
                try await broker.operator.redrive(ids, in: .work)
                    == [.notDead, .redriven, .notDead, .notDead])
            #expect(try await broker.operator.redrive([ids[1]], in: .work) == [.notDead])
            #expect(try await broker.state(2) == .completed)
            #expect(try await broker.reserveAll().numbers == [3, 1])
        }
    }

    @Test(.tags(.i9), arguments: BrokerKind.allCases)
    func `a taken unique key refuses a redrive and names the holder`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.message(1, unique: "key"))
            try await broker.settle(broker.reserveOne(), .reject("no"))
            try await broker.enqueue(Sample.message(2, unique: "key"))
            let before = try await broker.snapshot(1, 2)
            #expect(
                try await broker.operator.redrive([Sample.id(1)], in: .work)
                    == [.uniqueKeyTaken(by: Sample.id(2))])
            #expect(try await broker.snapshot(1, 2) == before)

            try await broker.settle(broker.reserveOne(), .ack)
            #expect(try await broker.operator.redrive([Sample.id(1)], in: .work) == [.redriven])
            #expect(
                try await broker.enqueue(Sample.message(3, unique: "key"))
                    == .duplicate(of: Sample.id(1)))
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `a redriven crash-loop is no suspect any more`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            try await broker.lose(times: 3, on: clock)
            _ = try await broker.operator.redrive([Sample.id(1)], in: .work)
            #expect(try await broker.counts().suspects == 0)
            #expect(try await broker.reserveOne().token.entry.lost == 0)
        }
    }

    @Test(.tags(.i10, .order), arguments: BrokerKind.allCases)
    func `more ids than a step holds are all redriven, in order`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.messages(1...150))
            try await broker.settle(broker.reserveAll(), .reject("no"))
            let ids = (1...150).reversed().map { Sample.id($0) }
            let outcomes = try await broker.operator.redrive(ids, in: .work)
            #expect(outcomes == Array(repeating: .redriven, count: 150))
            #expect(try await broker.reserveAll().numbers == (1...150).reversed())
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `the run that was rejected can not settle the second life`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let first = try await broker.reserveOne()
            try await broker.settle(first, .reject("no"))
            _ = try await broker.operator.redrive([Sample.id(1)], in: .work)
            _ = try await broker.reserveOne()
            let before = try await broker.snapshot(1)
            #expect(try await broker.settle(first, .ack) == .stale)
            #expect(try await broker.settle(first, .reject("no")) == .stale)
            #expect(try await broker.snapshot(1) == before)
        }
    }
}

/// ready, scheduled, leased, dead → cancelled.
@Suite("Cancel", .timeLimit(.minutes(2))) struct CancelTests {
    @Test(.tags(.i1, .i2), arguments: BrokerKind.allCases)
    func `a message is cancelled wherever it stands`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2)
            let dead = try await broker.reserveOne()
            try await broker.settle(dead, .reject("no"))
            _ = try await broker.reserveOne()
            try await broker.enqueue([
                Sample.message(3), Sample.message(4, due: .after(.seconds(60))),
            ])
            clock.advance(by: .seconds(1))
            let ids = (1...4).map { Sample.id($0) }
            #expect(
                try await broker.operator.cancel(ids, in: .work) == [true, true, true, true])
            for number in 1...4 {
                let record = try await broker.record(number)
                #expect(record.state == .cancelled)
                #expect(record.finishedAt == clock.now())
                #expect(record.body == nil)
            }
            let counts = try await broker.counts()
            #expect(counts.isDrained && counts.dead == 0 && counts.cancelled == 4)
            clock.advance(by: .seconds(120))
            try await broker.reclaim(64, in: .work)
            #expect(try await broker.reserve(64, suspects: true).isEmpty)
            #expect(try await broker.inspector.check(.work, limit: 100) == [])
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `what has ended or was never here is not cancelled`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2, 3)
            let taken = try await broker.reserve(2)
            try await broker.settle(taken[0], .ack)
            try await broker.settle(taken[1], .forward(to: .other))
            let ids = [1, 2, 3, 3, 4].map { Sample.id($0) }
            #expect(
                try await broker.operator.cancel(ids, in: .work)
                    == [false, false, true, false, false])
            #expect(try await broker.state(1) == .completed)
            #expect(try await broker.state(2) == .forwarded)
            #expect(try await broker.state(2, in: .other) == .ready)
            #expect(try await broker.counts().cancelled == 1)
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `the worker of a cancelled message holds nothing any more`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            #expect(try await broker.operator.cancel([Sample.id(1)], in: .work) == [true])
            let before = try await broker.snapshot(1)
            #expect(try await broker.renew([taken.token], for: .seconds(30), in: .work) == [.stale])
            #expect(try await broker.checkpoint(taken, "x") == .stale)
            for verdict: Verdict in [.ack, .release, .reject("no"), .forward(to: .other)] {
                #expect(try await broker.settle(taken, verdict) == .stale)
            }
            #expect(try await broker.snapshot(1) == before)
            #expect(try await broker.find(1, in: .other) == nil)
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `those around a cancelled message keep their order`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.messages(1...6))
            let ids = [1, 3, 4].map { Sample.id($0) }
            _ = try await broker.operator.cancel(ids, in: .work)
            #expect(try await broker.counts().ready == 3)
            #expect(try await broker.numbers(.ready) == [2, 5, 6])
            #expect(try await broker.reserve(64).numbers == [2, 5, 6])
            #expect(try await broker.counts().ready == 0)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `more ids than a step holds are all cancelled`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.messages(1...200))
            let ids = (1...200).map { Sample.id($0) }
            let outcomes = try await broker.operator.cancel(ids, in: .work)
            #expect(outcomes == Array(repeating: true, count: 200))
            #expect(try await broker.counts().isDrained)
        }
    }
}
