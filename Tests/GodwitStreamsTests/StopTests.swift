// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitStreams
import GodwitTesting
import Testing

@Suite(.timeLimit(.minutes(1))) struct `A stopped worker of a stream` {
    @Test func `gives back the keys whose windows are being loaded`() async throws {
        let scene = Scene()
        try await scene.readings.append(Reading("a", 1))
        try await scene.work { _, _ in }
        scene.clock.advance(by: .seconds(1))
        try await scene.readings.append(Reading("a", 2))
        let gate = Gate()
        scene.faults.inject {
            $0.memories = { _ in
                await gate.wait()
                return nil
            }
        }
        let log = Log<Int>()
        try await scene.work { window, _ in
            log.add(window.current.pages)
        } beside: { worker in
            await gate.arrivals(1)
            worker.stop()
            for _ in 0..<1000 { await Task.yield() }
            gate.open()
        }
        #expect(log.entries.isEmpty)
        let record = try await scene.record("a")
        #expect(record?.summary.phase == .ready && record?.summary.lost == 0)
    }

    @Test func `gives back at once what it has not begun`() async throws {
        let scene = Scene()
        try await scene.readings.append(contentsOf: [Reading("a", 1), Reading("b", 2)])
        let gate = Gate()
        try await scene.work(concurrency: 1) { _, _ in
            await gate.wait()
        } beside: { worker in
            await gate.arrivals(1)
            try await scene.see("b", .leased)
            worker.stop()
            try await scene.see("b", .ready)
            #expect(try await scene.record("a")?.summary.phase == .leased)
            gate.open()
        }
        #expect(try await scene.record("a")?.summary.position == 1)
    }

    @Test func `gives back what waits for room at a target`() async throws {
        let scene = Scene()
        scene.faults.inject { $0.isBusy = { $0.handled > 0 } }
        try await scene.readings.append(Reading("a", 1))
        try await scene.work { _, context in
            try context.enqueue(Alert(device: "a", pages: 1), to: .alerts)
        } beside: { worker in
            while scene.faults.settlements.isEmpty { await Task.yield() }
            worker.stop()
        }
        let record = try await scene.record("a")
        #expect(record?.summary.phase == .ready && record?.pending.count == 1)
        #expect(record?.summary.attempt == 0)
    }

    @Test func `returns when its grace is over and the store is away`() async throws {
        let scene = Scene()
        scene.faults.inject { $0.settle = { _ in .unavailable(FaultStreams.problem) } }
        try await scene.readings.append(Reading("a", 1))
        try await scene.work { _, _ in
        } beside: { worker in
            while scene.faults.settlements.isEmpty { await Task.yield() }
            worker.stop()
            scene.clock.advance(by: .seconds(12))
        }
        #expect(try await scene.record("a")?.summary.phase == .leased)
    }

    @Test func `returns when its grace is over and a handler hangs`() async throws {
        let scene = Scene()
        try await scene.readings.append(Reading("a", 1))
        let begun = Gate()
        begun.open()
        let end = Signal()
        try await scene.work { _, _ in
            await begun.wait()
            await end.waitUntilFired()
        } beside: { worker in
            await begun.arrivals(1)
            worker.stop()
            scene.clock.advance(by: .seconds(12))
        }
        #expect(try await scene.record("a")?.summary.phase == .leased, "its lease runs out")
        end.fire()
    }

    @Test func `cancels handlers when its grace is over, and uses no attempt`() async throws {
        let scene = Scene()
        try await scene.readings.append(Reading("a", 1))
        let gate = Gate()
        try await scene.work { _, _ in
            await gate.wait()
            try Task.checkCancellation()
        } beside: { worker in
            await gate.arrivals(1)
            worker.stop()
            scene.clock.advance(by: .seconds(10))
        }
        let record = try await scene.record("a")
        #expect(record?.summary.phase == .ready)
        #expect(record?.summary.attempt == 0 && record?.summary.lost == 0)
    }

    @Test func `whose task is cancelled gives back what runs with no attempt used`() async throws {
        let scene = Scene()
        try await scene.readings.append(Reading("a", 1))
        let gate = Gate()
        let worker = StreamWorker(scene.readings, options: .quick) { _, _ in
            await gate.wait()
            try Task.checkCancellation()
        }
        try await withThrowingTaskGroup { group in
            group.addTask { try await worker.run() }
            await gate.arrivals(1)
            group.cancelAll()
            try await group.waitForAll()
        }
        let record = try await scene.record("a")
        #expect(record?.summary.phase == .ready && record?.summary.attempt == 0)
    }
}
