// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

@Suite struct `The worker` {
    let test = QueueTest()
    let queue: Queue

    init() { queue = test.queue("work") }

    @Test func `runs every job once and completes it`() async throws {
        let sent = try await queue.enqueue(contentsOf: (0..<500).map(Count.init))
        let seen = Log<Int>()
        try await Worker(queue) { $0.handle(Count.self) { job, _ in seen.add(job.number) } }
            .run(until: .drained)
        #expect(seen.all.sorted() == Array(0..<500))
        let counts = try await test.broker.inspector.counts(of: queue.name)
        #expect(counts.completed == 500)
        #expect(counts.isDrained)
        #expect(try await test.record(sent[7].id, in: queue).state == .completed)
    }

    @Test func `takes only kinds it has a handler for`() async throws {
        try await queue.enqueue(Greet(name: "later"))
        try await queue.enqueue(Count(number: 1))
        let worker = Worker(queue) { $0.handle(Count.self) { _, _ in } }
        async let run: Void = worker.run()
        try await until { try await test.broker.inspector.counts(of: queue.name).completed == 1 }
        worker.stop()
        try await run
        let counts = try await test.broker.inspector.counts(of: queue.name)
        #expect(counts.ready == 1)
        let page = try await test.broker.inspector.messages(
            .ready, in: queue.name, after: nil, limit: 10)
        #expect(page.messages.map(\.count) == [0])
    }

    @Test func `a handler that throws is tried again later, and its attempt counts`() async throws {
        let id = try await queue.enqueue(Count(number: 1)).id
        let worker = Worker(queue) { $0.handle(Count.self) { _, _ in throw Refusal() } }
        async let run: Void = worker.run()
        try await until { try await test.record(id, in: queue).state == .scheduled }
        worker.stop()
        try await run
        let record = try await test.record(id, in: queue)
        #expect(record.entry.attempt == 1)
        #expect(record.reason == "no, thank you")
        let due = try #require(record.dueAt) - test.clock.now()
        #expect(due >= .zero && due <= .seconds(1))
    }

    @Test func `the last attempt ends in the dead letters with its reason`() async throws {
        let id = try await queue.enqueue(Count(number: 1), .maxAttempts(1)).id
        try await Worker(queue) { $0.handle(Count.self) { _, _ in throw Refusal() } }
            .run(until: .drained)
        let record = try await test.record(id, in: queue)
        #expect(record.state == .dead)
        #expect(record.reason == "no, thank you")
        #expect(record.attempts.count == 1)
    }

    @Test func `a handler decides by throwing a verdict`() async throws {
        let id = try await queue.enqueue(Count(number: 1)).id
        let other = try await queue.enqueue(Count(number: 2)).id
        try await Worker(queue) {
            $0.handle(Count.self) { job, _ in
                if job.number == 1 { throw Verdict.reject("not today") }
                throw Verdict.forward(to: "elsewhere")
            }
        }.run(until: .drained)
        #expect(try await test.record(id, in: queue).reason == "not today")
        #expect(try await test.record(other, in: queue).state == .forwarded)
        let moved = try await test.broker.inspector.message(other, in: "elsewhere")
        #expect(moved?.state == .ready)
    }

    @Test func `what does not decode goes to the dead letters with its bytes`() async throws {
        let bytes: [UInt8] = [0xc1, 1, 2]
        let id = try await queue.enqueue(kind: "count", payload: bytes, as: .messagePack).id
        let foreign = try await queue.enqueue(
            kind: "count", payload: Array(#"{"number":"seven"}"#.utf8), as: .json
        ).id
        try await Worker(queue) { $0.handle(Count.self) { _, _ in } }.run(until: .drained)
        let record = try await test.record(id, in: queue)
        #expect(record.state == .dead)
        #expect(record.reason?.hasPrefix("undecodable") == true)
        #expect(try Envelope(try #require(record.body)).payload == bytes)
        #expect(try await test.record(foreign, in: queue).state == .dead)
    }

    @Test func `typed handlers read JSON and MessagePack alike`() async throws {
        try await queue.enqueue(
            kind: "count", payload: Array(#"{"number":7}"#.utf8), as: .json)
        try await Queue("work", on: test.broker, codec: JSONCodec()).enqueue(Count(number: 8))
        try await queue.enqueue(Count(number: 9))
        let seen = Log<Int>()
        try await Worker(queue) { $0.handle(Count.self) { job, _ in seen.add(job.number) } }
            .run(until: .drained)
        #expect(seen.all.sorted() == [7, 8, 9])
    }

    @Test func `runs as many handlers at once as it was told, and no more`() async throws {
        try await queue.enqueue(contentsOf: (0..<12).map(Count.init))
        let gate = Gate()
        let worker = Worker(queue, concurrency: 4) {
            $0.handle(Count.self) { _, _ in await gate.wait() }
        }
        async let run: Void = worker.run(until: .drained)
        await gate.arrivals(4)
        #expect(try await test.broker.inspector.counts(of: queue.name).leased == 4)
        gate.open()
        try await run
        #expect(try await test.broker.inspector.counts(of: queue.name).completed == 12)
    }

    @Test func `idles on at most one broker call a second`() async throws {
        let worker = Worker(queue) { $0.handle(Count.self) { _, _ in } }
        async let run: Void = worker.run()
        try await until { test.clock.pendingTimers >= 4 }
        let before = test.broker.calls + test.broker.calls(of: .board)
        for _ in 0..<120 {
            let timers = test.clock.pendingTimers
            test.advance(by: .milliseconds(500))
            try await until { test.clock.pendingTimers >= min(timers, 4) }
        }
        // Beats and orders count, too.
        #expect(test.broker.calls + test.broker.calls(of: .board) - before <= 60)
        #expect(test.broker.calls(of: .board) >= 10)
        #expect(test.broker.calls(of: .reserve) >= 5)
        worker.stop()
        try await run
    }

    @Test func `refuses two handlers for one kind and none at all`() async throws {
        await #expect(throws: WorkerError.self) {
            try await Worker(queue) {
                $0.handle(Count.self) { _, _ in }
                $0.handle(Count.self) { _, _ in }
            }.run()
        }
        await #expect(throws: WorkerError.self) { try await Worker(queue) { _ in }.run() }
    }
}
