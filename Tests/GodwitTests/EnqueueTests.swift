// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

@Suite struct `Enqueueing jobs` {
    let test = QueueTest()
    let queue: Queue

    init() { queue = test.queue("mail") }

    @Test func `every option reaches the message`() async throws {
        let id = MessageID(at: test.clock.now())
        let sent = try await queue.enqueue(
            Count(number: 1), .delayed(by: .seconds(60)), .priority(0), .unique(by: "one"),
            .headers(["tenant": "7"]), .id(id), .maxAttempts(9))
        #expect(sent.id == id && sent.isNew)
        let record = try await test.record(id, in: queue)
        #expect(record.state == .scheduled)
        #expect(record.dueAt == test.clock.now() + .seconds(60))
        #expect(record.entry.priority == .first)
        #expect(record.entry.maxAttempts == 9)
        #expect(record.uniqueKey == "one")
        #expect(try Envelope(try #require(record.body)).headers == ["tenant": "7"])
    }

    @Test func `the same id again and a taken unique key add nothing`() async throws {
        let first = try await queue.enqueue(Count(number: 1), .unique(by: "k"))
        let loser = try await queue.enqueue(Count(number: 2), .unique(by: "k"))
        #expect(loser.id == first.id && !loser.isNew)
        let again = try await queue.enqueue(Count(number: 1), .id(first.id))
        #expect(again.id == first.id && !again.isNew)
        #expect(try await test.broker.inspector.counts(of: queue.name).ready == 1)
    }

    @Test func `a full queue says which were not added`() async throws {
        var settings = QueueSettings()
        settings.maxMessages = 3
        try await test.broker.operator.apply(settings, to: queue.name)
        let error = await #expect(throws: EnqueueError.self) {
            try await queue.enqueue(contentsOf: (0..<5).map(Count.init))
        }
        guard case .full(_, let rejected, let gone) = error else {
            Issue.record("a full queue said \(String(describing: error))")
            return
        }
        #expect(rejected.map(\.position) == [3, 4] && gone.isEmpty)
    }

    @Test func `a job over the limit is refused before it is sent`() async throws {
        let small = QueueTest(
            clock: test.clock,
            over: MemoryBroker(time: test.clock, limits: BrokerLimits(messageBytes: 1000)))
        let queue = small.queue("small")
        await #expect(throws: EnqueueError.self) {
            try await queue.enqueue(Greet(name: String(repeating: "x", count: 2000)))
        }
        #expect(small.broker.calls == 0)
    }

    @Test func `a lost answer names the ids to send again`() async throws {
        test.broker.inject(.loseReply, into: .enqueue)
        let error = await #expect(throws: EnqueueError.self) {
            try await queue.enqueue(Count(number: 1))
        }
        guard case .broker(.unknown, let ids) = error else {
            Issue.record("a lost answer gave \(String(describing: error))")
            return
        }
        let again = try await queue.enqueue(Count(number: 1), .id(try #require(ids.first)))
        #expect(!again.isNew)
        #expect(try await test.broker.inspector.counts(of: queue.name).enqueued == 1)
    }

    @Test func `a drain runs what is ready and time brings the rest`() async throws {
        try await queue.enqueue(Count(number: 1))
        try await queue.enqueue(Count(number: 2), .delayed(by: .seconds(60)))
        let seen = Log<Int>()
        var report = try await test.drain(queue) {
            $0.handle(Count.self) { job, _ in seen.add(job.number) }
        }
        #expect(report.acked == 1)
        test.advance(by: .seconds(59))
        report = try await test.drain(queue) {
            $0.handle(Count.self) { job, _ in seen.add(job.number) }
        }
        #expect(report.runs.isEmpty)
        test.advance(by: .seconds(1))
        report = try await test.drain(queue) {
            $0.handle(Count.self) { job, _ in seen.add(job.number) }
        }
        #expect(seen.all == [1, 2])
    }

    @Test func `a drain until empty goes through all retries`() async throws {
        let id = try await queue.enqueue(Count(number: 1)).id
        let report = try await test.drain(queue, untilEmpty: true) {
            $0.handle(Count.self) { _, _ in throw Refusal() }
        }
        #expect(report.runs.count == 3)
        #expect(report.failed == 3)
        #expect(try await test.record(id, in: queue).state == .dead)
    }
}
