// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

@Suite struct `The consumer` {
    let test = QueueTest()
    let queue: Queue

    init() { queue = test.queue("work") }

    @Test func `hands out in order and every way to settle does what it says`() async throws {
        let ids = try await queue.enqueue(contentsOf: (0..<5).map(Count.init)).map(\.id)
        let consumer = Consumer(queue)
        for number in 0..<5 {
            guard let delivery = try await consumer.reserve(Count.self) else {
                Issue.record("the queue gave nothing")
                return
            }
            #expect(delivery.message == Count(number: number))
            #expect(delivery.attempt == 1 && delivery.count == 1)
            switch number {
            case 0: try await delivery.ack()
            case 1: try await delivery.retry(after: .seconds(60), reason: "busy")
            case 2: try await delivery.reject("odd")
            case 3: try await delivery.forward(to: "elsewhere")
            default: try await delivery.release()
            }
        }
        let states: [MessageState] = [.completed, .scheduled, .dead, .forwarded, .ready]
        consumer.stop()
        for (id, state) in zip(ids, states) {
            #expect(try await test.record(id, in: queue).state == state)
        }
        #expect(try await test.record(ids[4], in: queue).entry.attempt == 0)
        #expect(try await test.record(ids[1], in: queue).entry.attempt == 1)
    }

    @Test func `a delivery that is dropped is a failed run`() async throws {
        let id = try await queue.enqueue(Count(number: 1)).id
        let consumer = Consumer(queue)
        do {
            let delivery = try await consumer.reserve(Count.self)
            #expect(delivery?.id == id)
        }
        let record = try await test.record(id, in: queue)
        #expect(record.state == .scheduled)
        #expect(record.entry.attempt == 1)
        #expect(record.reason == "dropped without being settled")
    }

    @Test func `waits for a message and is woken by it`() async throws {
        let consumer = Consumer(queue)
        async let number = nextNumber(from: consumer)
        try await until { test.broker.calls(of: .wait) == 1 }
        try await queue.enqueue(Count(number: 7))
        #expect(try await number == 7)
    }

    private func nextNumber(from consumer: Consumer) async throws -> Int? {
        guard let delivery = try await consumer.reserve(Count.self) else { return nil }
        let number = delivery.message.number
        try await delivery.ack()
        return number
    }

    private func givesNil(_ consumer: Consumer) async throws -> Bool {
        guard let delivery = try await consumer.reserve(Count.self) else { return true }
        try await delivery.ack()
        return false
    }

    @Test func `gives nil when it is stopped, when its task is cancelled, when the broker ends`()
        async throws
    {
        let consumer = Consumer(queue)
        async let stopped = givesNil(consumer)
        try await until { test.broker.calls(of: .wait) == 1 }
        consumer.stop()
        test.advance(by: .seconds(6))
        #expect(try await stopped)

        let other = Consumer(queue)
        let task = Task { try await givesNil(other) }
        try await until { test.broker.calls(of: .wait) == 2 }
        task.cancel()
        #expect(try await task.value)

        let third = Consumer(queue)
        async let ended = givesNil(third)
        try await until { test.broker.calls(of: .wait) == 3 }
        await test.broker.shutdown()
        #expect(try await ended)
    }

    @Test func `renews what it holds, and a settle after the lease is lost says so`() async throws {
        let id = try await queue.enqueue(Count(number: 1)).id
        let consumer = Consumer(queue)
        guard let delivery = try await consumer.reserve(Count.self) else { return }
        for _ in 0..<9 { test.advance(by: .seconds(10)) }
        try await test.broker.reclaim(64, in: queue.name)
        #expect(try await test.record(id, in: queue).state == .leased)
        _ = try await test.broker.operator.cancel([id], in: queue.name)
        do {
            try await delivery.ack()
            Issue.record("a settle on a lost lease was accepted")
        } catch {
            #expect(error is LeaseLost)
        }
        #expect(try await test.record(id, in: queue).state == .cancelled)
    }

    @Test func `a checkpoint reaches the next run`() async throws {
        try await queue.enqueue(Count(number: 1))
        let consumer = Consumer(queue)
        if let first = try await consumer.reserve(Count.self) {
            #expect(first.checkpoint == nil)
            try await first.checkpoint([1, 2, 3])
            try await first.release()
        }
        guard let second = try await consumer.reserve(Count.self) else { return }
        #expect(second.checkpoint == [1, 2, 3])
        #expect(second.count == 2)
        try await second.ack()
    }

    @Test func `an ack is sent again until the store answers`() async throws {
        let id = try await queue.enqueue(Count(number: 1)).id
        let consumer = Consumer(queue)
        guard let delivery = try await consumer.reserve(Count.self) else { return }
        test.broker.inject(.fail(FaultyBroker.unavailable()), into: .settle, times: 2)
        test.broker.inject(.loseReply, into: .settle)
        let clock = test.clock
        async let pump: Void = until {
            clock.advance(by: .milliseconds(50))
            return try await test.record(id, in: queue).state == .completed
                && test.broker.calls(of: .settle) == 4
        }
        try await delivery.ack()
        try await pump
    }

    @Test func `what is undecodable goes to the dead letters and the next one comes`() async throws
    {
        let bad = try await queue.enqueue(kind: "count", payload: [0xc1], as: .messagePack).id
        try await queue.enqueue(Count(number: 2))
        let consumer = Consumer(queue)
        guard let delivery = try await consumer.reserve(Count.self) else { return }
        #expect(delivery.message.number == 2)
        try await delivery.ack()
        #expect(try await test.record(bad, in: queue).state == .dead)
    }

    @Test func `leased ahead goes back when the consumer goes`() async throws {
        try await queue.enqueue(contentsOf: (0..<200).map(Count.init))
        do {
            let consumer = Consumer(queue)
            for _ in 0..<100 {
                guard let delivery = try await consumer.reserve(Count.self) else { return }
                try await delivery.ack()
            }
        }
        let counts = try await test.broker.inspector.counts(of: queue.name)
        #expect(counts.completed == 100)
        #expect(counts.leased == 0)
        #expect(counts.ready == 100)
        #expect(counts.released > 0)
    }
}
