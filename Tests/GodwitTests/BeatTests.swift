// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// What a worker says of itself on the board, and the orders that it hears there.
@Suite("Beats and orders", .timeLimit(.minutes(1))) struct BeatTests {
    let test = QueueTest()
    let queue: Queue

    init() { queue = test.queue("work") }

    private func beat() async throws -> WorkerBeat? {
        try await test.broker.board.notes(in: .workers).first.flatMap { WorkerBeat($0) }
    }

    private func order(_ text: String, _ worker: Worker) async throws {
        try await test.broker.board.write(
            [UInt8](text.utf8), as: "\(worker.number)", in: .orders, for: nil, if: .any)
    }

    /// Moves the clock on in small steps until the condition holds.
    private func later(
        _ condition: @Sendable () async throws -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await until(
            {
                test.advance(by: .milliseconds(50))
                return try await condition()
            }, sourceLocation: sourceLocation)
    }

    @Test func `a worker says who it is and what it runs, until it stops`() async throws {
        let first = try await queue.enqueue(Count(number: 1)).id
        let gate = Gate()
        var options = WorkerOptions()
        options.version = "1.2"
        let worker = Worker(queue, concurrency: 40, options: options) {
            $0.handle(Count.self, timeout: .seconds(3600)) { job, context in
                if job.number == 1 { try await context.checkpoint([7]) }
                await gate.wait()
                if job.number == 2 { throw Verdict.reject("no") }
            }
        }
        let start = test.clock.now()
        async let run: Void = worker.run()
        await gate.arrivals(1)
        test.advance(by: .seconds(1))
        try await queue.enqueue(contentsOf: (2...40).map(Count.init))
        await gate.arrivals(40)
        try await later { try await self.beat()?.busy == 40 }
        let note = try #require(try await test.broker.board.notes(in: .workers).first)
        #expect(note.name == "\(worker.number)")
        #expect(note.expiresAt == note.writtenAt + .seconds(15))
        let beat = try #require(WorkerBeat(note))
        #expect(beat.number == worker.number && beat.name.contains(":"))
        #expect(beat.version == "1.2" && beat.queue == "work" && beat.kinds == ["count"])
        #expect(beat.slots == 40 && beat.held == 40 && beat.finished == 0 && !beat.isQuiet)
        #expect(beat.startedAt == start && beat.leaseMilliseconds == 30_000)
        #expect(beat.running.count == 32)
        let longest = try #require(beat.running.first)
        #expect(longest.id == "\(first)" && longest.kind == "count" && longest.attempt == 0)
        #expect(longest.since == start && longest.progressedAt == start)
        #expect(beat.running.dropFirst().allSatisfy { $0.progressedAt == nil })
        gate.open()
        try await later { try await self.beat()?.finished == 40 }
        let last = try #require(try await self.beat())
        #expect(last.failed == 1 && last.busy == 0 && last.held == 0 && last.running.isEmpty)
        worker.stop()
        try await run
        #expect(try await test.broker.board.notes(in: .workers) == [])
    }

    @Test func `a store that takes no beats hurts no worker`() async throws {
        try await queue.enqueue(contentsOf: (0..<50).map(Count.init))
        test.broker.inject(.fail(FaultyBroker.unavailable()), into: .board, times: 100_000)
        try await test.whileTimeGoesOn {
            try await Worker(queue) {
                $0.handle(Count.self) { _, _ in await test.clock.sleep(for: .seconds(2)) }
            }.run(until: .drained)
        }
        #expect(test.broker.calls(of: .board) > 2)
        #expect(try await test.broker.inspector.counts(of: queue.name).completed == 50)
    }

    @Test func `a worker without beats leaves the board alone`() async throws {
        var options = WorkerOptions()
        options.beat = nil
        try await queue.enqueue(Count(number: 1))
        try await Worker(queue, options: options) { $0.handle(Count.self) { _, _ in } }
            .run(until: .drained)
        #expect(test.broker.calls(of: .board) == 0)
    }

    @Test func `quiet gives back what was not begun and takes nothing; resume goes on`()
        async throws
    {
        try await queue.enqueue(contentsOf: (0..<4).map(Count.init))
        let gate = Gate()
        var options = WorkerOptions()
        options.prefetch = 3
        let worker = Worker(queue, concurrency: 1, options: options) {
            $0.handle(Count.self, timeout: .seconds(3600)) { _, _ in await gate.wait() }
        }
        async let run: Void = worker.run()
        let inspector = test.broker.inspector
        await gate.arrivals(1)
        try await until { try await inspector.counts(of: queue.name).leased == 4 }

        try await order("quiet", worker)
        try await later { try await inspector.counts(of: queue.name).leased == 1 }
        let counts = try await inspector.counts(of: queue.name)
        #expect(counts.ready == 3 && counts.completed == 0)
        try await until { try await test.broker.board.notes(in: .orders).isEmpty }
        try await later { try await self.beat()?.isQuiet == true }

        gate.open()
        try await until { try await inspector.counts(of: queue.name).completed == 1 }
        for _ in 0..<600 {
            test.advance(by: .milliseconds(50))
            await Task.yield()
        }
        #expect(try await inspector.counts(of: queue.name).ready == 3, "quiet, also when idle")
        #expect(try await self.beat()?.isQuiet == true)

        try await order("resume", worker)
        try await later { try await inspector.counts(of: queue.name).completed == 4 }
        try await later { try await self.beat()?.isQuiet == false }
        worker.stop()
        try await run
    }

    @Test func `an order to stop ends the worker, and an unknown one is taken away`()
        async throws
    {
        let worker = Worker(queue) { $0.handle(Count.self) { _, _ in } }
        try await order("dance", worker)
        try await test.whileTimeGoesOn {
            async let run: Void = worker.run()
            try await until { try await test.broker.board.notes(in: .orders).isEmpty }
            try await order("stop", worker)
            try await run
        }
        #expect(try await test.broker.board.notes(in: .orders) == [])
        #expect(try await test.broker.board.notes(in: .workers) == [])
    }
}
