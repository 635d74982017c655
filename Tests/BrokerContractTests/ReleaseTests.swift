// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// leased → ready at the head, no attempt used.
@Suite("Release", .timeLimit(.minutes(2))) struct ReleaseTests {
    @Test(.tags(.i2, .i6), arguments: BrokerKind.allCases)
    func `a released message is charged nothing but the reserve`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.message(1, unique: "key"))
            let taken = try await broker.reserveOne()
            clock.advance(by: .seconds(4))
            #expect(try await broker.settle(taken, .release) == .done)
            let record = try await broker.record(1)
            #expect(record.state == .ready)
            #expect(record.entry.attempt == 0 && record.entry.lost == 0)
            #expect(record.entry.epoch == 1 && record.entry.count == 1)
            #expect(record.entry.readyAt == clock.now())
            #expect(record.entry.insertedAt == Sample.start)
            #expect(record.count == 1)
            #expect(record.attempts.isEmpty)
            #expect(record.uniqueKey == "key")
            #expect(record.body == Sample.body(1))
            let counts = try await broker.counts()
            #expect(counts.ready == 1 && counts.leased == 0 && counts.released == 1)
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `released messages return to the head in their own order`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(4, 2, 5, 1, 3)
            let taken = try await broker.reserve(3)
            try await broker.enqueue(6)
            try await broker.settle(taken, .release)
            #expect(try await broker.reserveAll().numbers == [4, 2, 5, 1, 3, 6])
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `what is released later stands before what was released earlier`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2, 3, 4)
            let taken = try await broker.reserve(4)
            try await broker.settle(Array(taken[2...]), .release)
            try await broker.settle(Array(taken[..<2]), .release)
            #expect(try await broker.reserveAll().numbers == [1, 2, 3, 4])
        }
    }

    @Test(.tags(.order, .i10), arguments: BrokerKind.allCases)
    func `more releases than a batch holds keep their order`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let count = 2 * broker.limits.batch + 7
            try await broker.enqueue(Sample.messages((1...count).reversed()))
            try await broker.settle(broker.reserveAll(), .release)
            #expect(try await broker.reserveAll().numbers == Array((1...count).reversed()))
        }
    }

    @Test(.tags(.order, .priority), arguments: BrokerKind.allCases)
    func `each returns to the band and the kind it came from`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue([
                Sample.message(1, priority: 7), Sample.message(2, priority: 0),
                Sample.message(3, priority: 7), Sample.message(4, kind: .invoice, priority: 3),
            ])
            try await broker.settle(broker.reserveAll(), .release)
            #expect(try await broker.reserveAll().numbers == [2, 4, 1, 3])
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `the same release again answers done and changes nothing`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2)
            let taken = try await broker.reserveOne()
            try await broker.settle(taken, .release)
            let before = try await broker.snapshot(1, 2)
            clock.advance(by: .seconds(5))
            #expect(try await broker.settle(taken, .release) == .done)
            #expect(try await broker.snapshot(1, 2) == before)
        }
    }

    @Test(.tags(.i5, .i6), arguments: BrokerKind.allCases)
    func `the epoch rises with each way back to waiting`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            try await broker.settle(broker.reserveOne(), .release)
            #expect(try await broker.record(1).entry.epoch == 1)
            try await broker.settle(broker.reserveOne(), .retry(after: .zero))
            #expect(try await broker.record(1).entry.epoch == 2)
            try await broker.lose(on: clock)
            #expect(try await broker.record(1).entry.epoch == 3)
            try await broker.settle(broker.reserveOne(), .reject("no"))
            #expect(try await broker.record(1).entry.epoch == 4)
            _ = try await broker.operator.redrive([Sample.id(1)], in: .work)
            #expect(try await broker.record(1).entry.epoch == 5)
            try await broker.settle(broker.reserveOne(), .forward(to: .other))
            let entry = try await broker.record(1, in: .other).entry
            #expect(entry.epoch == 6)
            #expect(try await broker.reserveOne(from: .other).token.entry.epoch == 6)
        }
    }
}
