// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Synchronization
import Testing

/// What a consumer does for others while it is busy, idle, cancelled or told to wait.
@Suite("The consumer at its limits", .timeLimit(.minutes(1))) struct ConsumerLimitTests {
    let test = QueueTest()
    let queue: Queue

    init() { queue = test.queue("work") }

    /// Takes and acks so many; quick runs make the consumer lease ahead.
    private func work(_ consumer: Consumer, _ count: Int, apart: Duration = .zero) async throws {
        for _ in 0..<count {
            guard let delivery = try await consumer.reserve(Count.self) else { return }
            try await delivery.ack()
            test.advance(by: apart)
        }
    }

    @Test func `a busy consumer takes back what others lost`() async throws {
        try await queue.enqueue(contentsOf: (0..<600).map(Count.init))
        let dead = try await test.broker.reserve(ReserveRequest(1), from: queue.name).messages
        let consumer = Consumer(queue)
        try await work(consumer, 60)
        // Never empty-handed from here on.
        try await work(consumer, 400, apart: .milliseconds(100))
        let id = try #require(dead.first?.token.id)
        #expect(try await test.record(id, in: queue).entry.lost == 1)
        consumer.stop()
    }

    @Test func `what was leased ahead and is not asked for goes back after a lease`() async throws {
        try await queue.enqueue(contentsOf: (0..<200).map(Count.init))
        let consumer = Consumer(queue)
        try await work(consumer, 100)
        #expect(try await test.broker.inspector.counts(of: queue.name).leased > 0)
        for _ in 0..<6 { test.advance(by: .seconds(10)) }
        let counts = try await test.broker.inspector.counts(of: queue.name)
        #expect(counts.leased == 0 && counts.ready == 100 && counts.lost == 0)
        consumer.stop()
    }

    /// Takes one, tells which, and keeps it until the gate opens.
    private func take(_ consumer: Consumer, _ seen: Log<MessageID>, _ keep: Gate) async throws {
        guard let delivery = try await consumer.reserve(Count.self) else { return }
        seen.add(delivery.id)
        await keep.wait()
        try await delivery.ack()
    }

    @Test func `a suspect is handed out alone, also to several tasks`() async throws {
        let poison = try await queue.enqueue(Count(number: 13)).id
        for _ in 0..<2 {
            _ = try await test.broker.reserve(
                ReserveRequest(1, takesSuspects: true), from: queue.name)
            test.advance(by: .seconds(31))
            _ = try await test.broker.reclaim(64, in: queue.name)
        }
        let other = try await queue.enqueue(Count(number: 1)).id
        let reply = Gate()
        let keep = Gate()
        let seen = Log<MessageID>()
        test.broker.inject(.hold(reply), into: .reserve)
        let before = test.broker.calls(of: .reserve)
        let consumer = Consumer(queue)
        async let first: Void = take(consumer, seen, keep)
        await reply.arrivals(1)
        async let second: Void = take(consumer, seen, keep)
        for _ in 0..<1000 { await Task.yield() }
        reply.open()
        try await until { !seen.all.isEmpty }
        for _ in 0..<1000 { await Task.yield() }
        #expect(seen.all == [poison])
        #expect(test.broker.calls(of: .reserve) == before + 1)
        keep.open()
        try await first
        try await second
        #expect(seen.all == [poison, other])
    }

    @Test func `a forward gives up when its target stays full, and gives the message back`()
        async throws
    {
        let target = test.queue("elsewhere")
        var settings = QueueSettings()
        settings.maxMessages = 1
        try await test.broker.operator.apply(settings, to: target.name)
        try await target.enqueue(Count(number: 0))
        let id = try await queue.enqueue(Count(number: 1)).id
        let consumer = Consumer(queue)
        let isOver = Gate()
        async let pump: Void = until {
            test.advance(by: .milliseconds(100))
            return isOver.isOpen
        }
        await #expect(throws: BrokerError.self) {
            guard let delivery = try await consumer.reserve(Count.self) else { return }
            let began = test.clock.now()
            defer { isOver.open() }
            do {
                try await delivery.forward(to: "elsewhere")
            } catch {
                #expect(test.clock.now() - began < .seconds(60))
                throw error
            }
        }
        try await pump
        let record = try await test.record(id, in: queue)
        #expect(record.state == .ready && record.entry.attempt == 0)
    }

    @Test func `a cancelled task does not turn in circles around a store that is down`()
        async throws
    {
        try await queue.enqueue(Count(number: 1))
        let consumer = Consumer(queue)
        test.broker.inject(.fail(FaultyBroker.unavailable()), into: .settle, times: 5000)
        let holds = Gate()
        let task = Task {
            guard let delivery = try await consumer.reserve(Count.self) else { return }
            await holds.wait()
            try await delivery.ack()
        }
        await holds.arrivals(1)
        task.cancel()
        await #expect(throws: BrokerError.self) { try await task.value }
        #expect(test.broker.calls(of: .settle) < 10)
    }

    @Test func `a consumer's own maximum of attempts counts`() async throws {
        let id = try await queue.enqueue(Count(number: 1)).id
        var options = ConsumerOptions()
        options.retry = .never
        let consumer = Consumer(queue, options: options)
        do {
            let delivery = try await consumer.reserve(Count.self)
            #expect(delivery?.id == id)
        }
        #expect(try await test.record(id, in: queue).state == .dead)
    }
}
