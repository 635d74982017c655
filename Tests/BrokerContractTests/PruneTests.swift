// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// old → gone.
@Suite("Prune", .timeLimit(.minutes(2))) struct PruneTests {
    private static func finished(_ broker: any Broker) async throws -> Int {
        var all = 0
        for state in MessageState.allCases where state.hasEnded {
            all += try await broker.numbers(state).count
        }
        return all
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `a finished record goes when its time is over, not before`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings { $0.keepMilliseconds = 10_000 }
            try await broker.enqueue(1, 2)
            try await broker.settle(broker.reserveOne(), .ack)
            clock.advance(by: .milliseconds(9_999))
            try await broker.prune(64, in: .work)
            #expect(try await broker.state(1) == .completed)
            clock.advance(by: .milliseconds(2))
            #expect(try await broker.prune(64, in: .work) == 0, "only dead letters are counted")
            #expect(try await broker.find(1) == nil)
            #expect(try await broker.state(2) == .ready)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases, [true, false])
    func `no more finished records are kept than the queue says`(
        _ kind: BrokerKind, events: Bool
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings {
                $0.keepRecords = 10
                $0.recordsEvents = events
            }
            for round in 0..<20 {
                try await broker.enqueue(Sample.messages(round * 5..<round * 5 + 5))
                try await broker.settle(broker.reserve(5), .ack)
                clock.advance(by: .milliseconds(1))
            }
            for _ in 0..<5 { try await broker.prune(64, in: .work) }
            #expect(try await Self.finished(broker) == 10)
            #expect(try await broker.state(99) == .completed, "the newest ones stay")
            #expect(try await broker.find(0) == nil)
            #expect(try await broker.counts().completed == 100)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases, [true, false])
    func `cancelled messages are bounded too`(_ kind: BrokerKind, events: Bool) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings {
                $0.keepRecords = 8
                $0.recordsEvents = events
            }
            for round in 0..<10 {
                let numbers = round * 4..<round * 4 + 4
                try await broker.enqueue(Sample.messages(numbers))
                _ = try await broker.operator.cancel(numbers.map { Sample.id($0) }, in: .work)
                clock.advance(by: .milliseconds(1))
            }
            for _ in 0..<5 { try await broker.prune(64, in: .work) }
            #expect(try await Self.finished(broker) <= 8)
            #expect(try await broker.find(0) == nil)
            #expect(try await broker.counts().ready == 0)
            #expect(try await broker.counts().cancelled == 40)
            #expect(try await broker.reserveAll().isEmpty)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `one call drops no more than its limit of dead letters`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings { $0.keepDeadMilliseconds = 1000 }
            try await broker.enqueue(Sample.messages(1...10))
            try await broker.settle(broker.reserve(10), .reject("no"))
            clock.advance(by: .milliseconds(999))
            #expect(try await broker.prune(64, in: .work) == 0)
            clock.advance(by: .seconds(1))
            #expect(try await broker.prune(4, in: .work) == 4)
            #expect(try await broker.counts().dead == 6)
            #expect(try await broker.prune(64, in: .work) == 6)
            #expect(try await broker.prune(64, in: .work) == 0)
            #expect(try await broker.find(1) == nil)
            #expect(try await broker.counts().pruned == 10)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `of too many dead letters the oldest go`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings { $0.keepDead = 2 }
            for number in [5, 1, 4, 2] {
                try await broker.enqueue(number)
                try await broker.settle(broker.reserveOne(), .reject("no"))
                clock.advance(by: .seconds(1))
            }
            #expect(try await broker.prune(64, in: .work) == 2)
            #expect(try await broker.numbers(.dead) == [4, 2])
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.allCases)
    func `live messages are never pruned, however old`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings {
                $0.keepMilliseconds = 1
                $0.keepRecords = 1
            }
            try await broker.enqueue(1, 2)
            try await broker.enqueue(Sample.message(3, due: .after(.seconds(86_400 * 90))))
            _ = try await broker.reserveOne(lease: .seconds(86_400 * 90))
            clock.advance(by: .seconds(86_400 * 60))
            for _ in 0..<3 { try await broker.prune(64, in: .work) }
            #expect(try await broker.state(1) == .leased)
            #expect(try await broker.state(2) == .ready)
            #expect(try await broker.state(3) == .scheduled)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `a redriven message is not dropped with the dead`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.settings { $0.keepDeadMilliseconds = 1000 }
            try await broker.enqueue(1)
            try await broker.settle(broker.reserveOne(), .reject("no"))
            _ = try await broker.operator.redrive([Sample.id(1)], in: .work)
            clock.advance(by: .seconds(10))
            #expect(try await broker.prune(64, in: .work) == 0)
            #expect(try await broker.reserveOne().body == Sample.body(1))
        }
    }
}
