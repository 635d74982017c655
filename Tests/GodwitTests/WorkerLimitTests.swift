// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Synchronization
import Testing

/// What a worker does where something hangs, is full or will never work: it goes on with the rest.
@Suite("The worker at its limits", .timeLimit(.minutes(1))) struct WorkerLimitTests {
    let test = QueueTest()
    let queue: Queue

    init() { queue = test.queue("work") }

    /// A message whose lease was lost twice, alone in the queue.
    private func suspect() async throws -> MessageID {
        let id = try await queue.enqueue(Count(number: 13)).id
        for _ in 0..<2 {
            _ = try await test.broker.reserve(
                ReserveRequest(1, takesSuspects: true), from: queue.name)
            test.advance(by: .seconds(31))
            _ = try await test.broker.reclaim(64, in: queue.name)
        }
        return id
    }

    @Test func `a suspect whose lease is lost does not stop the worker`() async throws {
        let poison = try await suspect()
        let gate = Gate()
        let worker = Worker(queue, concurrency: 4) {
            $0.handle(Count.self) { job, _ in if job.number == 13 { await gate.wait() } }
        }
        async let run: Void = worker.run()
        await gate.arrivals(1)
        #expect(try await test.broker.operator.cancel([poison], in: queue.name) == [true])
        test.advance(by: .seconds(11))
        let next = try await queue.enqueue(Count(number: 1)).id
        try await until {
            test.advance(by: .milliseconds(20))
            return try await test.record(next, in: queue).state == .completed
        }
        worker.stop()
        try await run
    }

    @Test func `a suspect that hangs past its deadline is told and the other slots go on`()
        async throws
    {
        let poison = try await suspect()
        let begun = Gate()
        let isTold = Gate()
        let isHung = Mutex(true)
        let worker = Worker(queue, concurrency: 2) {
            $0.handle(Count.self) { job, context in
                guard job.number == 13 else { return }
                begun.open()
                while isHung.withLock({ $0 }) {
                    if context.isLeaseLost { isTold.open() }
                    await Task.yield()
                }
            }
        }
        async let run: Void = worker.run()
        await begun.wait()
        // Timeout 10 s, then one lease of 30 s.
        for _ in 0..<9 { test.advance(by: .seconds(5)) }
        try await until { isTold.isOpen }
        let next = try await queue.enqueue(Count(number: 1)).id
        try await until {
            test.advance(by: .milliseconds(20))
            return try await test.record(next, in: queue).state == .completed
        }
        isHung.withLock { $0 = false }
        worker.stop()
        try await run
        #expect(try await test.record(poison, in: queue).state != .completed)
    }

    /// A queue that holds its maximum of one.
    private func fullQueue() async throws -> (queue: Queue, holder: MessageID) {
        let target = test.queue("elsewhere")
        var settings = QueueSettings()
        settings.maxMessages = 1
        try await test.broker.operator.apply(settings, to: target.name)
        return (target, try await target.enqueue(Count(number: 0)).id)
    }

    @Test func `a forward waits for room at its target and keeps its lease`() async throws {
        let (target, holder) = try await fullQueue()
        let id = try await queue.enqueue(Count(number: 1)).id
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Count.self) { _, _ in throw Verdict.forward(to: "elsewhere") }
        }
        async let run: Void = worker.run()
        try await until { test.broker.calls(of: .settle) > 0 }
        for _ in 0..<200 {
            test.advance(by: .milliseconds(500))
            for _ in 0..<20 { await Task.yield() }
        }
        let record = try await test.record(id, in: queue)
        #expect(record.entry.lost == 0 && record.state == .leased)
        _ = try await test.broker.operator.cancel([holder], in: target.name)
        _ = try await test.broker.reserve(ReserveRequest(1), from: target.name)
        try await until {
            test.advance(by: .milliseconds(100))
            return try await test.record(id, in: queue).state == .forwarded
        }
        #expect(try await test.record(id, in: target).state == .ready)
        worker.stop()
        try await run
    }

    @Test func `a stop gives back what waits for room at its target`() async throws {
        _ = try await fullQueue()
        let id = try await queue.enqueue(Count(number: 1)).id
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Count.self) { _, _ in throw Verdict.forward(to: "elsewhere") }
        }
        async let run: Void = worker.run()
        try await until { test.broker.calls(of: .settle) > 0 }
        worker.stop()
        for _ in 0..<30 {
            test.advance(by: .milliseconds(500))
            for _ in 0..<20 { await Task.yield() }
        }
        try await run
        let record = try await test.record(id, in: queue)
        #expect(record.state == .ready && record.entry.attempt == 0 && record.entry.lost == 0)
    }

    @Test func `a verdict that is refused is the dead letter's reason, and spares its batch`()
        async throws
    {
        let ids = try await queue.enqueue(contentsOf: (0..<20).map(Count.init)).map(\.id)
        let own = queue.name
        let worker = Worker(queue) {
            $0.handle(Count.self) { job, _ in
                if job.number == 7 { throw Verdict.forward(to: own) }
            }
        }
        try await test.whileTimeGoesOn { try await worker.run(until: .drained) }
        #expect(try await test.broker.inspector.counts(of: queue.name).completed == 19)
        let record = try await test.record(ids[7], in: queue)
        #expect(record.state == .dead)
        #expect(record.reason?.contains("forward") == true)
    }

    @Test(arguments: [
        BrokerError.misconfigured(.test), .corrupt(.test), .invalid(.test),
    ])
    func `an error that no repetition mends ends the worker`(_ error: BrokerError) async throws {
        test.broker.inject(.fail(error), into: .reserve, times: 5)
        let worker = Worker(queue) { $0.handle(Count.self) { _, _ in } }
        await #expect(throws: error) {
            try await test.whileTimeGoesOn { try await worker.run(until: .drained) }
        }
    }

    @Test func `a lease of nothing is refused before anything runs`() async throws {
        var options = WorkerOptions()
        options.lease = .zero
        let worker = Worker(queue, options: options) { $0.handle(Count.self) { _, _ in } }
        await #expect(throws: BrokerError.self) {
            try await test.whileTimeGoesOn { try await worker.run(until: .drained) }
        }
        #expect(test.broker.calls == 0)
    }

    @Test func `jobs of one attempt flow through a worker that leases ahead`() async throws {
        try await queue.enqueue(contentsOf: (0..<12).map(Count.init), .maxAttempts(1))
        let gate = Gate()
        var options = WorkerOptions()
        options.prefetch = 2
        let worker = Worker(queue, concurrency: 2, options: options) {
            $0.handle(Count.self) { _, _ in await gate.wait() }
        }
        async let run: Void = worker.run()
        await gate.arrivals(2)
        // The store has something that fits into no slot now; nobody asks on before time goes on.
        let clock = test.clock
        try await until { test.broker.calls(of: .wait) >= 4 }
        for _ in 0..<1000 { await Task.yield() }
        let stopped = clock.now()
        gate.open()
        try await until {
            try await test.broker.inspector.counts(of: queue.name).completed == 12
        }
        #expect(clock.now() == stopped)
        worker.stop()
        try await run
    }

    @Test func `upkeep drops as many dead letters as are too many`() async throws {
        var settings = QueueSettings()
        settings.keepDead = 10
        try await test.broker.operator.apply(settings, to: queue.name)
        try await queue.enqueue(contentsOf: (0..<400).map(Count.init), .maxAttempts(1))
        while case let taken = try await test.broker.reserve(
            ReserveRequest(64), from: queue.name
        ).messages, !taken.isEmpty {
            _ = try await test.broker.settle(
                taken.map { Settlement($0.token, .reject("no")) }, in: queue.name)
        }
        let worker = Worker(queue) { $0.handle(Count.self) { _, _ in } }
        async let run: Void = worker.run()
        // Six rounds, of at most a sixth of a lease each.
        try await until {
            test.advance(by: .milliseconds(100))
            return test.broker.calls(of: .reclaim) >= 7
        }
        #expect(try await test.broker.inspector.counts(of: queue.name).dead == 10)
        worker.stop()
        try await run
    }

    @Test func `a handler's own maximum of attempts counts`() async throws {
        let id = try await queue.enqueue(
            kind: "plain", payload: [1], as: .bytes, .maxAttempts(20)
        ).id
        try await test.drain(queue, untilEmpty: true) {
            $0.handle(kind: "plain", retry: .never) { _, _ in throw Refusal() }
        }
        let record = try await test.record(id, in: queue)
        #expect(record.state == .dead && record.entry.attempt == 1)
    }

    @Test func `without a maximum of the handler's own the message's counts`() async throws {
        let typed = try await queue.enqueue(Count(number: 1), .maxAttempts(7)).id
        let plain = try await queue.enqueue(
            kind: "plain", payload: [1], as: .bytes, .maxAttempts(25)
        ).id
        try await test.drain(queue, untilEmpty: true) {
            $0.handle(Count.self) { _, _ in throw Refusal() }
            $0.handle(kind: "plain") { _, _ in throw Refusal() }
        }
        #expect(try await test.record(typed, in: queue).entry.attempt == 7)
        #expect(try await test.record(plain, in: queue).entry.attempt == 25)
    }
}

extension BrokerError.Problem {
    static let test = BrokerError.Problem(
        what: "reserve", location: "the test's broker", cause: "a fault was injected",
        advice: "This is a test.")
}
