// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@Suite struct `The worker under faults` {
    let test = QueueTest()
    let queue: Queue

    init() { queue = test.queue("work") }

    @Test func `renews its leases while a handler runs`() async throws {
        let id = try await queue.enqueue(Count(number: 1)).id
        let gate = Gate()
        let worker = Worker(queue) {
            $0.handle(Count.self, timeout: .seconds(3600)) { _, _ in await gate.wait() }
        }
        async let run: Void = worker.run(until: .drained)
        await gate.arrivals(1)
        for beat in 1...12 {
            test.advance(by: .seconds(10))
            try await until { test.broker.calls(of: .renew) >= beat }
            try await test.broker.reclaim(64, in: queue.name)
            #expect(try await test.record(id, in: queue).state == .leased)
        }
        gate.open()
        try await run
        let record = try await test.record(id, in: queue)
        #expect(record.state == .completed)
        #expect(record.count == 1)
    }

    @Test func `renews while handlers fill every thread`() async throws {
        let real = FaultyBroker(MemoryBroker())
        let queue = Queue("hogs", on: real)
        try await queue.enqueue(contentsOf: (0..<32).map(Count.init))
        var options = WorkerOptions()
        options.lease = .milliseconds(600)
        let worker = Worker(queue, concurrency: 32, options: options) {
            $0.handle(Count.self) { _, _ in
                // Never suspends: only a keeper off the pool can renew meanwhile.
                let limit = ContinuousClock.now + .seconds(30)
                while real.calls(of: .renew) < 4, ContinuousClock.now < limit {}
            }
        }
        try await worker.run(until: .drained)
        #expect(real.calls(of: .renew) >= 4)
        #expect(try await real.inspector.counts(of: "hogs").lost == 0)
    }

    @Test func `a timeout cancels the handler and counts as a failure`() async throws {
        let id = try await queue.enqueue(Count(number: 1)).id
        let gate = Gate()
        let worker = Worker(queue) {
            $0.handle(Count.self) { _, _ in
                await gate.wait()
                try Task.checkCancellation()
            }
        }
        async let run: Void = worker.run()
        await gate.arrivals(1)
        test.advance(by: .seconds(11))
        try await until { try await test.record(id, in: queue).state == .scheduled }
        let record = try await test.record(id, in: queue)
        #expect(record.reason?.hasPrefix("timeout") == true)
        #expect(record.entry.attempt == 1)
        worker.stop()
        try await run
    }

    @Test func `a handler that ignores its deadline loses the lease`() async throws {
        let id = try await queue.enqueue(Count(number: 1)).id
        let isHung = Mutex(true)
        let begun = Gate()
        let worker = Worker(queue, concurrency: 1) {
            $0.handle(Count.self) { _, _ in
                if begun.isOpen { return }
                begun.open()
                while isHung.withLock({ $0 }) { await Task.yield() }
            }
        }
        async let run: Void = worker.run()
        await begun.wait()
        // Timeout 10 s, then one lease of 30 s; after that nothing renews it.
        for _ in 0..<30 { test.advance(by: .seconds(5)) }
        try await test.broker.reclaim(64, in: queue.name)
        let record = try await test.record(id, in: queue)
        #expect(record.entry.lost == 1)
        #expect(record.state == .ready)
        isHung.withLock { $0 = false }
        try await until { try await test.record(id, in: queue).state == .completed }
        worker.stop()
        try await run
        #expect(try await test.record(id, in: queue).count == 2)
    }

    @Test func `a lost lease cancels its handler and drops what it returns`() async throws {
        let id = try await queue.enqueue(Count(number: 1)).id
        let gate = Gate()
        let told = Log<Bool>()
        let worker = Worker(queue) {
            $0.handle(Count.self, timeout: .seconds(3600)) { _, context in
                await gate.wait()
                told.add(context.isLeaseLost)
            }
        }
        async let run: Void = worker.run()
        await gate.arrivals(1)
        #expect(try await test.broker.operator.cancel([id], in: queue.name) == [true])
        test.advance(by: .seconds(11))
        try await until { told.all == [true] }
        worker.stop()
        try await run
        #expect(try await test.record(id, in: queue).state == .cancelled)
    }

    @Test func `stopping releases what was not begun at once and what runs after the grace`()
        async throws
    {
        let ids = try await queue.enqueue(contentsOf: (0..<6).map(Count.init)).map(\.id)
        let gate = Gate()
        var options = WorkerOptions()
        options.prefetch = 4
        let worker = Worker(queue, concurrency: 2, options: options) {
            $0.handle(Count.self) { _, _ in
                await gate.wait()
                try Task.checkCancellation()
            }
        }
        async let run: Void = worker.run()
        await gate.arrivals(2)
        try await until { try await test.broker.inspector.counts(of: queue.name).leased == 6 }
        worker.stop()
        try await until { try await test.broker.inspector.counts(of: queue.name).ready == 4 }
        #expect(try await test.broker.inspector.counts(of: queue.name).leased == 2)
        test.advance(by: .seconds(10))
        try await run
        let counts = try await test.broker.inspector.counts(of: queue.name)
        #expect(counts.ready == 6)
        #expect(counts.released == 6)
        for id in ids {
            let record = try await test.record(id, in: queue)
            #expect(record.entry.attempt == 0)
            #expect(record.count == 1)
        }
        let page = try await test.broker.inspector.messages(
            .ready, in: queue.name, after: nil, limit: 10)
        #expect(page.messages.map(\.id) == ids)
    }

    @Test func `a graceful shutdown of its service group drains it`() async throws {
        try await queue.enqueue(Count(number: 1))
        let gate = Gate()
        let worker = Worker(queue) { $0.handle(Count.self) { _, _ in await gate.wait() } }
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: worker)], logger: .init(label: "test")))
        async let run: Void = group.run()
        await gate.arrivals(1)
        await group.triggerGracefulShutdown()
        gate.open()
        try await run
        #expect(try await test.broker.inspector.counts(of: queue.name).completed == 1)
    }

    @Test(arguments: [FaultyBroker.Fault.fail(FaultyBroker.unavailable()), .loseReply])
    func `a settle that fails is sent again and counts once`(_ fault: FaultyBroker.Fault)
        async throws
    {
        let ids = try await queue.enqueue(contentsOf: (0..<20).map(Count.init)).map(\.id)
        test.broker.inject(fault, into: .settle, times: 3)
        let worker = Worker(queue) { $0.handle(Count.self) { _, _ in } }
        try await test.whileTimeGoesOn { try await worker.run(until: .drained) }
        #expect(try await test.broker.inspector.counts(of: queue.name).completed == 20)
        for id in ids { #expect(try await test.record(id, in: queue).count == 1) }
    }

    @Test func `a suspect runs alone`() async throws {
        let poison = try await queue.enqueue(Count(number: 13)).id
        for _ in 0..<2 {
            _ = try await test.broker.reserve(
                ReserveRequest(1, takesSuspects: true), from: queue.name)
            test.advance(by: .seconds(31))
            try await test.broker.reclaim(64, in: queue.name)
        }
        #expect(try await test.record(poison, in: queue).entry.lost == 2)
        try await queue.enqueue(contentsOf: (0..<40).map(Count.init))
        let running = Mutex((now: 0, beside: 0))
        let worker = Worker(queue, concurrency: 8) {
            $0.handle(Count.self) { job, context in
                running.withLock { $0.now += 1 }
                if context.id == poison {
                    for _ in 0..<100 { await Task.yield() }
                    running.withLock { $0.beside = $0.now - 1 }
                }
                running.withLock { $0.now -= 1 }
            }
        }
        try await test.whileTimeGoesOn { try await worker.run(until: .drained) }
        #expect(running.withLock { $0.beside } == 0)
        #expect(try await test.record(poison, in: queue).state == .completed)
    }
}
