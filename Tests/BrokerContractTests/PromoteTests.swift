// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// scheduled → ready.
@Suite("Promote", .timeLimit(.minutes(2))) struct PromoteTests {
    @Test(.tags(.i8), arguments: BrokerKind.allCases)
    func `a delayed message never starts before its time`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.message(1, due: .after(.seconds(10))))
            let record = try await broker.record(1)
            #expect(record.state == .scheduled)
            #expect(record.dueAt == clock.now() + .seconds(10))
            clock.advance(by: .milliseconds(9_999))
            #expect(try await broker.promote(in: .work) == 0)
            #expect(try await broker.reserveAll().isEmpty)
            clock.advance(by: .milliseconds(1))
            #expect(try await broker.promote(in: .work) == 1)
            let ready = try await broker.record(1)
            #expect(ready.state == .ready && ready.dueAt == nil)
            #expect(ready.entry.readyAt == clock.now())
            #expect(ready.entry.epoch == 0)
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(.tags(.i8), arguments: BrokerKind.allCases)
    func `a moment is compared with the clock of the store`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            let moment = clock.now() + .seconds(5)
            try await broker.enqueue([
                Sample.message(1, due: .at(moment)), Sample.message(2, due: .at(Sample.start)),
                Sample.message(3, due: .at(Sample.start + .seconds(-3600))),
                Sample.message(4, due: .after(.zero)),
            ])
            #expect(try await broker.record(1).dueAt == moment)
            #expect(try await broker.reserveAll().numbers == [2, 3, 4])
            clock.advance(by: .milliseconds(4_999))
            #expect(try await broker.reserveAll().isEmpty)
            clock.advance(by: .milliseconds(1))
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(.tags(.order, .i8), arguments: BrokerKind.allCases)
    func `due messages join the tail in due order, not in the order they came`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue([
                Sample.message(1, due: .after(.seconds(8))),
                Sample.message(2, due: .after(.seconds(2))),
                Sample.message(3), Sample.message(4, due: .after(.seconds(5))),
            ])
            clock.advance(by: .seconds(10))
            #expect(try await broker.promote(in: .work) == 3)
            try await broker.enqueue(5)
            #expect(try await broker.reserveAll().numbers == [3, 2, 4, 1, 5])
        }
    }

    @Test(.tags(.i8), arguments: BrokerKind.allCases)
    func `a reserve promotes on its way`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.message(1, priority: 5, due: .after(.seconds(1))))
            try await broker.enqueue(Sample.message(2, priority: 6))
            clock.advance(by: .seconds(1))
            #expect(try await broker.reserveAll().numbers == [1, 2])
        }
    }

    @Test(.tags(.i10, .order), arguments: BrokerKind.allCases)
    func `one call promotes at most 64`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(
                (1...150).map { Sample.message($0, due: .after(.seconds(200 - $0))) })
            clock.advance(by: .seconds(300))
            #expect(try await broker.promote(in: .work) == 64)
            #expect(try await broker.counts().scheduled == 86)
            #expect(try await broker.promote(in: .work) == 64)
            #expect(try await broker.promote(in: .work) == 22)
            #expect(try await broker.promote(in: .work) == 0)
            #expect(try await broker.reserveAll().numbers == (1...150).reversed())
        }
    }

    @Test(.tags(.i11), arguments: BrokerKind.allCases)
    func `a worker promotes kinds it can not run`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(
                Sample.message(1, kind: .invoice, due: .after(.seconds(1))))
            clock.advance(by: .seconds(1))
            #expect(try await broker.reserveAll(kinds: [.mail]).isEmpty)
            #expect(try await broker.counts().ready == 1)
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `an operator lets scheduled messages run now, at the tail`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue([
                Sample.message(1, due: .after(.seconds(60))), Sample.message(2),
                Sample.message(3, due: .after(.seconds(90))),
            ])
            clock.advance(by: .seconds(1))
            let ids = [3, 2, 4].map { Sample.id($0) }
            #expect(try await broker.operator.promote(ids, in: .work) == [true, false, false])
            let record = try await broker.record(3)
            #expect(record.state == .ready && record.dueAt == nil)
            #expect(try await broker.state(1) == .scheduled)
            #expect(try await broker.reserveAll().numbers == [2, 3])
        }
    }

    @Test(.tags(.i2), arguments: BrokerKind.allCases)
    func `promoting by id moves only what is scheduled`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1, 2, 3)
            let taken = try await broker.reserve(3)
            try await broker.settle(taken[0], .ack)
            try await broker.settle(taken[1], .reject("no"))
            let before = try await broker.snapshot(1, 2, 3)
            let ids = [1, 2, 3].map { Sample.id($0) }
            #expect(
                try await broker.operator.promote(ids, in: .work) == [false, false, false])
            #expect(try await broker.snapshot(1, 2, 3) == before)
        }
    }

    @Test(.tags(.i2, .i12), arguments: BrokerKind.allCases)
    func `a retried message that is promoted by id keeps its attempt`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            try await broker.settle(broker.reserveOne(), .retry(after: .seconds(600)))
            #expect(try await broker.operator.promote([Sample.id(1)], in: .work) == [true])
            #expect(try await broker.operator.promote([Sample.id(1)], in: .work) == [false])
            let taken = try await broker.reserveOne()
            #expect(taken.token.entry.attempt == 1)
        }
    }
}
