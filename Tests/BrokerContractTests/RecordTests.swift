// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// What is known of a message by its id, in every state of its life.
@Suite("Records", .timeLimit(.minutes(2))) struct RecordTests {
    /// Follows message 1, and says what must be known of it.
    private struct Watch {
        let broker: any Broker
        let clock: VirtualClock
        /// All but the entry's own fields, which `attempt` and `lost` stand for.
        var known: MessageRecord
        var attempt: UInt8 = 0
        var lost: UInt8 = 0

        init(_ broker: any Broker, _ clock: VirtualClock, unique: String?) async throws {
            self.broker = broker
            self.clock = clock
            try await broker.enqueue(
                Sample.message(1, kind: .invoice, unique: unique, due: .after(.seconds(5))))
            known = try await broker.record(1)
            known = MessageRecord(
                state: .scheduled, entry: known.entry, kind: "invoice", count: 0,
                dueAt: clock.now() + .seconds(5), uniqueKey: unique, body: Sample.body(1))
        }

        /// Looks in three ways: by id, by id alone, and in the list of the state.
        func expect(
            _ word: Comment, in queue: QueueName = .work,
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            let record = try await broker.record(1, in: queue)
            var wanted = known
            wanted.entry = record.entry
            #expect(record == wanted, word, sourceLocation: sourceLocation)
            #expect(record.entry.attempt == attempt, word, sourceLocation: sourceLocation)
            #expect(record.entry.lost == lost, word, sourceLocation: sourceLocation)
            #expect(
                record.entry.insertedAt == Sample.start, word, sourceLocation: sourceLocation)
            let found = try await broker.inspector.find(Sample.id(1))
            #expect(
                found == FoundMessage(queue: queue, record: record), word,
                sourceLocation: sourceLocation)
            let page = try await broker.inspector.messages(
                record.state, in: queue, after: nil, limit: 10)
            wanted.body = nil
            #expect(page.messages == [wanted], word, sourceLocation: sourceLocation)
        }

        mutating func reserve(worker: UInt32) async throws -> LeasedMessage {
            let taken = try await broker.reserveOne(suspects: true, worker: worker)
            known.state = .leased
            known.count += 1
            known.executedAt = clock.now()
            known.worker = worker
            known.leaseDeadline = clock.now() + .seconds(30)
            known.verdict = nil
            known.dueAt = nil
            return taken
        }

        mutating func ended(_ state: MessageState, _ verdict: Event.Move?) {
            known.state = state
            known.verdict = verdict
            known.leaseDeadline = nil
            known.finishedAt = state.hasEnded || state == .dead ? clock.now() : nil
            guard state.hasEnded else { return }
            known.dueAt = nil
            known.reason = nil
            known.body = nil
            known.uniqueKey = nil
            known.checkpoint = nil
            known.attempts = []
        }

        mutating func failed(_ verdict: Event.Move, _ reason: String) {
            known.reason = reason
            known.attempts.append(
                .init(
                    at: clock.now(), worker: known.worker ?? 0, count: known.count,
                    verdict: verdict.rawValue, reason: reason))
        }

        mutating func lose(worker: UInt32, _ verdict: Event.Move, _ reason: String) async throws {
            _ = try await reserve(worker: worker)
            clock.advance(by: .seconds(31))
            try await broker.reclaim(64, in: .work)
            lost += 1
            ended(verdict == .crashLoop ? .dead : .ready, verdict)
            failed(verdict, reason)
        }
    }

    @Test(.tags(.i2, .i6), arguments: BrokerKind.allCases)
    func `every state says all that is known of a message`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            var watch = try await Watch(broker, clock, unique: "key")
            try await watch.expect("scheduled")
            clock.advance(by: .seconds(5))
            try await broker.promote(in: .work)
            watch.known.state = .ready
            watch.known.dueAt = nil
            try await watch.expect("promoted")

            var taken = try await watch.reserve(worker: 7)
            try await watch.expect("leased")
            clock.advance(by: .seconds(1))
            try await broker.checkpoint(taken, "half")
            watch.known.checkpoint = [UInt8]("half".utf8)
            try await watch.expect("progress while it runs")

            let reason = "user 17 not found"
            try await broker.settle(taken, .retry(after: .seconds(10), reason: reason))
            watch.attempt = 1
            watch.ended(.scheduled, .retry)
            watch.known.dueAt = clock.now() + .seconds(10)
            watch.failed(.retry, reason)
            try await watch.expect("retried")
            #expect(
                watch.known.fingerprint
                    == Fingerprint(kind: "invoice", reason: "user 18 not found"))
            clock.advance(by: .seconds(10))
            try await broker.promote(in: .work)
            watch.known.state = .ready
            watch.known.dueAt = nil
            try await watch.expect("ready after a retry")

            try await watch.lose(worker: 8, .reclaim, "lease ran out")
            try await watch.expect("reclaimed")
            taken = try await watch.reserve(worker: 9)
            try await watch.expect("leased again")
            try await broker.settle(taken, .release)
            watch.ended(.ready, .release)
            try await watch.expect("released")

            taken = try await watch.reserve(worker: 10)
            clock.advance(by: .seconds(2))
            try await broker.settle(taken, .reject("broken"))
            watch.attempt = 2
            watch.ended(.dead, .reject)
            watch.failed(.reject, "broken")
            #expect(watch.known.attempts.count == 3)
            try await watch.expect("dead")

            _ = try await broker.operator.redrive([Sample.id(1)], in: .work)
            watch.attempt = 0
            watch.lost = 0
            watch.ended(.ready, nil)
            watch.known.executedAt = nil
            watch.known.worker = nil
            watch.known.reason = nil
            try await watch.expect("redriven")
            taken = try await watch.reserve(worker: 11)
            watch.known.reason = try await broker.record(1).reason
            try await broker.settle(taken, .ack)
            watch.ended(.completed, .ack)
            try await watch.expect("completed")
            #expect(watch.known.fingerprint == nil)
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `a crash-loop is told apart from a reject`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            var watch = try await Watch(broker, clock, unique: nil)
            _ = try await broker.operator.promote([Sample.id(1)], in: .work)
            watch.known.dueAt = nil
            try await watch.lose(worker: 1, .reclaim, "lease ran out")
            try await watch.lose(worker: 2, .reclaim, "lease ran out")
            try await watch.expect("a suspect")
            try await watch.lose(worker: 3, .crashLoop, "crash-loop")
            try await watch.expect("dead")
            try await broker.enqueue(2)
            try await broker.settle(broker.reserveOne(), .reject("crash-loop"))
            #expect(try await broker.record(2).verdict == .reject)
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `what was cancelled or forwarded says so, and keeps no history`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            var watch = try await Watch(broker, clock, unique: "key")
            _ = try await broker.operator.promote([Sample.id(1)], in: .work)
            var taken = try await watch.reserve(worker: 4)
            try await broker.checkpoint(taken, "half")
            try await broker.settle(taken, .retry(after: .seconds(10), reason: "no"))
            _ = try await broker.operator.cancel([Sample.id(1)], in: .work)
            watch.attempt = 1
            watch.ended(.cancelled, .cancel)
            try await watch.expect("cancelled")

            try await broker.enqueue(2)
            taken = try await broker.reserveOne(worker: 5)
            clock.advance(by: .seconds(1))
            try await broker.settle(taken, .forward(to: .other))
            let left = try await broker.record(2)
            #expect(left.state == .forwarded && left.verdict == .forward)
            #expect(left.reason == "other" && left.finishedAt == clock.now())
            #expect(left.kind == "mail" && left.worker == 5 && left.fingerprint == nil)
            let arrived = try await broker.record(2, in: .other)
            #expect(arrived.state == .ready && arrived.verdict == nil && arrived.kind == "mail")
            #expect(arrived.reason == nil && arrived.count == 0)
        }
    }
}
