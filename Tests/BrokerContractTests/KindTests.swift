// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// What waits by kind, where an id is, and how far the event log is ahead.
@Suite("Kinds, ids and backlog", .timeLimit(.minutes(2))) struct KindTests {
    @Test(arguments: BrokerKind.allCases)
    func `kinds are counted with the oldest that waits`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            #expect(try await broker.inspector.kinds(of: .work) == [])
            try await broker.enqueue([
                Sample.message(1), Sample.message(2, priority: 0),
                Sample.message(3, due: .after(.seconds(600))),
            ])
            clock.advance(by: .seconds(7))
            let later = clock.now()
            try await broker.enqueue([
                Sample.message(4, at: later), Sample.message(5, kind: .invoice, at: later),
                Sample.message(6, kind: .thumbnail, at: later),
            ])
            _ = try await broker.reserve(kinds: [.thumbnail])
            let kinds = try await broker.inspector.kinds(of: .work)
            #expect(
                kinds == [
                    KindCount(
                        kind: "invoice", hash: Kind.invoice.hash, ready: 1, oldestReadyAt: later),
                    KindCount(
                        kind: "mail", hash: Kind.mail.hash, ready: 3,
                        oldestReadyAt: Sample.start),
                    KindCount(kind: "thumbnail", hash: Kind.thumbnail.hash, ready: 0),
                ])
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `what was released does not hide who waits longer`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2, 3)
            let taken = try await broker.reserveOne()
            clock.advance(by: .seconds(60))
            try await broker.settle(taken, .release)
            let kinds = try await broker.inspector.kinds(of: .work)
            #expect(kinds.map(\.ready) == [3])
            #expect(kinds.first?.oldestReadyAt == Sample.start)
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `what was cancelled in its line is not counted`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            clock.advance(by: .seconds(1))
            let ids = (2...20).map { Sample.message($0, at: clock.now()) }
            try await broker.enqueue(ids)
            let cancelled =
                [Sample.id(1)] + [3, 15, 16].map { Sample.id($0, at: clock.now()) }
            _ = try await broker.operator.cancel(cancelled, in: .work)
            let kinds = try await broker.inspector.kinds(of: .work)
            #expect(kinds.map(\.ready) == [16])
            #expect(kinds.first?.oldestReadyAt == clock.now())
        }
    }

    @Test(.tags(.i2), arguments: BrokerKind.allCases)
    func `a message is found by its id alone`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            #expect(try await broker.inspector.find(Sample.id(1)) == nil)
            try await broker.enqueue(1, 2)
            _ = try await broker.enqueue([Sample.message(3)], to: "third")
            let found = try await broker.inspector.find(Sample.id(3))
            #expect(found?.queue == "third" && found?.record.state == .ready)
            #expect(found?.record.body == Sample.body(3))
            #expect(try await broker.inspector.find(Sample.id(9)) == nil)
        }
    }

    @Test(.tags(.i2), arguments: BrokerKind.allCases)
    func `a live record is found before an ended one, and that before a forward`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            // Names before and after, so that the order of queues decides nothing.
            try await broker.enqueue(1, 2)
            for (target, verdict) in [("a", Verdict.ack), ("z", .reject("no"))] {
                let target = QueueName(stringLiteral: target)
                let taken = try await broker.reserveOne()
                let id = taken.token.id
                try await broker.settle(taken, .forward(to: target))
                var found = try #require(try await broker.inspector.find(id))
                #expect(found.queue == target && found.record.state == .ready)
                let again = try await broker.reserveOne(from: target)
                try await broker.settle(again, verdict, in: target)
                found = try #require(try await broker.inspector.find(id))
                #expect(found.queue == target)
                #expect(found.record.state == (verdict == .ack ? .completed : .dead))
            }
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `the backlog is what no archiver has`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            let log = broker.eventLog
            #expect(try await log.backlog(of: .work) == EventBacklog(waiting: 0))
            for number in 1...5 {
                try await broker.enqueue(number)
                clock.advance(by: .seconds(1))
                try await broker.settle(broker.reserveOne(), .ack)
            }
            let batches = try await log.events(in: .work, after: nil, limit: 10)
            #expect(
                try await log.backlog(of: .work)
                    == EventBacklog(waiting: 5, oldestAt: Sample.start + .seconds(1)))
            try await log.markArchived(through: batches[2].position, in: .work)
            let half = EventBacklog(
                waiting: 2, oldestAt: Sample.start + .seconds(4), archived: batches[2].position)
            #expect(try await log.backlog(of: .work) == half)
            try await broker.prune(64, in: .work)
            #expect(try await log.backlog(of: .work) == half)
            try await log.markArchived(through: batches[4].position, in: .work)
            #expect(
                try await log.backlog(of: .work)
                    == EventBacklog(waiting: 0, archived: batches[4].position))
        }
    }
}
