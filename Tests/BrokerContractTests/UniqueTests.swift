// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// At most one live message per unique key, and the key is free as soon as it ends.
@Suite("Unique", .timeLimit(.minutes(2))) struct UniqueTests {
    /// Every way in which a message can end.
    enum Ending: String, CaseIterable, Sendable {
        case ack, reject, forward, crashLoop, purge
        case cancelReady, cancelScheduled, cancelLeased, cancelDead
    }

    @Test(.tags(.i9), arguments: BrokerKind.allCases, Ending.allCases)
    func `every ending frees the key`(_ kind: BrokerKind, ending: Ending) async throws {
        try await withBroker(kind) { broker, clock in
            let later: NewMessage.Due = ending == .cancelScheduled ? .after(.seconds(60)) : .now
            try await broker.enqueue(Sample.message(1, unique: "key", due: later))
            let next = Sample.message(2, unique: "key")
            #expect(try await broker.enqueue(next) == .duplicate(of: Sample.id(1)))
            #expect(try await broker.record(1).uniqueKey == "key")
            switch ending {
            case .ack: try await broker.settle(broker.reserveOne(), .ack)
            case .reject: try await broker.settle(broker.reserveOne(), .reject("no"))
            case .forward: try await broker.settle(broker.reserveOne(), .forward(to: .other))
            case .crashLoop: try await broker.lose(times: 3, on: clock)
            case .purge: _ = try await broker.operator.purge(.work, limit: 10)
            case .cancelReady, .cancelScheduled: break
            case .cancelLeased: _ = try await broker.reserveOne()
            case .cancelDead: try await broker.settle(broker.reserveOne(), .reject("no"))
            }
            if ending.rawValue.hasPrefix("cancel") {
                #expect(try await broker.operator.cancel([Sample.id(1)], in: .work) == [true])
            }
            #expect(try await broker.enqueue(next) == .enqueued)
            #expect(try await broker.inspector.check(.work, limit: 100) == [])
            #expect(try await broker.reserveAll().numbers == [2])
        }
    }

    @Test(.tags(.i9), arguments: BrokerKind.allCases)
    func `no live state frees the key`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            func expectTaken() async throws {
                let outcome = try await broker.enqueue(Sample.message(2, unique: "key"))
                #expect(outcome == .duplicate(of: Sample.id(1)))
            }
            let due = NewMessage.Due.after(.seconds(5))
            try await broker.enqueue(Sample.message(1, unique: "key", due: due))
            try await expectTaken()
            clock.advance(by: .seconds(5))
            let taken = try await broker.reserveOne()
            try await expectTaken()
            try await broker.settle(taken, .release)
            try await expectTaken()
            try await broker.settle(broker.reserveOne(), .retry(after: .seconds(1)))
            try await expectTaken()
            clock.advance(by: .seconds(1))
            try await broker.lose(on: clock)
            try await expectTaken()
        }
    }

    @Test(.tags(.i9), arguments: BrokerKind.allCases)
    func `within one batch the first one wins`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let outcomes = try await broker.enqueue([
                Sample.message(1, unique: "a"), Sample.message(2, unique: "b"),
                Sample.message(3, unique: "a", due: .after(.seconds(1))),
                Sample.message(4, kind: .invoice, priority: 0, unique: "b"),
            ])
            #expect(
                outcomes == [
                    .enqueued, .enqueued, .duplicate(of: Sample.id(1)),
                    .duplicate(of: Sample.id(2)),
                ])
            #expect(try await broker.counts().enqueued == 2)
        }
    }

    @Test(.tags(.i9), arguments: BrokerKind.allCases)
    func `a key holds within its queue only`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.message(1, unique: "key"))
            let there = try await broker.enqueue([Sample.message(2, unique: "key")], to: .other)
            #expect(there == [.enqueued])
        }
    }

    @Test(.tags(.i9), arguments: BrokerKind.allCases)
    func `an ending frees no key that another one holds by now`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.message(1, unique: "key"))
            try await broker.settle(broker.reserveOne(), .reject("no"))
            try await broker.enqueue(Sample.message(2, unique: "key"))
            #expect(try await broker.operator.cancel([Sample.id(1)], in: .work) == [true])
            #expect(
                try await broker.enqueue(Sample.message(3, unique: "key"))
                    == .duplicate(of: Sample.id(2)))
        }
    }
}
