// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitStreams
import GodwitTesting
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct `A stream's worker in trouble` {
    /// A scene whose key `a` has two handled points that no worker remembers.
    private func scene(_ keys: [String] = ["a"]) async throws -> Scene {
        let scene = Scene()
        for key in keys {
            try await scene.readings.append(contentsOf: [Reading(key, 1), Reading(key, 2)])
        }
        try await scene.work { window, _ in window.state.count += 1 }
        scene.clock.advance(by: .seconds(1))
        return scene
    }

    @Test func `never begins anew where a state could not be read once`() async throws {
        let scene = try await scene()
        let isBroken = Mutex(true)
        let whole: StreamCoding<Usage> = .messagePack
        let states = StreamCoding<Usage>(name: "msgpack") {
            try whole.encode($0)
        } decode: { bytes in
            let fails = isBroken.withLock { isBroken -> Bool in
                defer { isBroken = false }
                return isBroken
            }
            if fails { throw Broken() }
            return try whole.decode(bytes)
        }
        let readings = Readings(
            "readings", key: \.device, window: 4, points: .messagePack, states: states,
            startingWith: { Usage() }, on: scene.faults)
        try await readings.append(Reading("a", 3))
        let log = Log<[Int]>()
        try await StreamWorker(readings, options: .quick) { window, _ in
            log.add([window.previous.count, window.state.count])
            window.state.count += 1
        }.run(until: .drained)
        #expect(log.entries == [[2, 2]])
        #expect(try await scene.state("a")?.count == 3)
        #expect(try await scene.record("a")?.memory.window.count == 3)
    }

    @Test func `never begins anew where a state was too large once`() async throws {
        struct Text: StreamState { var text = "" }
        let broker = MemoryBroker(time: VirtualClock())
        let stream = KeyedStream<Reading, Text>("big", key: \.device, window: 4, on: broker)
        try await stream.append(contentsOf: (1...3).map { Reading("a", $0) })
        let log = Log<String>()
        try await StreamWorker(stream, options: .quick) { window, _ in
            log.add("\(window.previous.count) \(window.state.text)")
            let isLarge = log.entries.count == 3
            window.state.text = String(repeating: "x", count: isLarge ? 70_000 : 1)
        }.run(until: .drained)
        // Why twice: points that are committed with one that fails run again, alone.
        #expect(log.entries == ["0 ", "1 x", "2 x", "0 ", "1 x", "2 x"])
    }

    @Test func `goes on with the others where a window can't be loaded`() async throws {
        let scene = try await scene(["bad", "good"])
        scene.faults.inject {
            $0.memories = { $0.contains("bad") ? .corrupt(FaultStreams.problem) : nil }
        }
        try await scene.readings.append(contentsOf: [Reading("bad", 3), Reading("good", 3)])
        let log = Log<[Int]>()
        try await scene.work { window, _ in log.add([window.previous.count, window.state.count]) }
        #expect(log.entries == [[2, 2]])
        let bad = try #require(try await scene.record("bad"))
        #expect(bad.summary.phase == .blocked)
        #expect(bad.reason.contains("a fault was injected"))
        #expect(bad.memory.window.count == 2)
    }

    @Test func `waits before it loads again`() async throws {
        let scene = try await scene()
        scene.faults.inject { $0.memories = { _ in .unavailable(FaultStreams.problem) } }
        try await scene.readings.append(Reading("a", 3))
        let log = Log<Int>()
        try await scene.work { window, _ in
            log.add(window.state.count)
        } beside: { worker in
            while scene.faults.calls(of: "memories") < 1 { await Task.yield() }
            for _ in 0..<1000 { await Task.yield() }
            #expect(scene.faults.calls(of: "memories") == 1, "the clock stands still")
            scene.faults.inject { $0.memories = { _ in nil } }
            while log.entries.isEmpty {
                scene.clock.advance(by: .milliseconds(10))
                await Task.yield()
            }
            worker.stop()
        }
        #expect(log.entries == [2])
    }

    @Test func `gives up the point whose commit is refused, alone`() async throws {
        let scene = Scene()
        scene.faults.inject {
            $0.settle = { settlements in
                let isBad = settlements.contains { $0.token.key == "bad" && $0.handled > 0 }
                return isBad ? .invalid(FaultStreams.problem) : nil
            }
        }
        try await scene.readings.append(
            contentsOf: (1...5).map { Reading("good\($0)", $0) } + [Reading("bad", 1)])
        try await scene.work { _, _ in }
        let counts = try await scene.faults.streamInspector.counts(ofStream: "readings")
        #expect(counts.handled == 5 && counts.dead == 1 && counts.pending == 0)
        let page = try await scene.broker.messages(.dead, in: "readings", after: nil, limit: 9)
        #expect(page.messages.first?.reason?.contains("a fault was injected") == true)
    }

    @Test func `blocks the key whose commit is refused where the stream says so`() async throws {
        let scene = Scene()
        scene.faults.inject {
            $0.settle = { $0.contains { $0.handled > 0 } ? .invalid(FaultStreams.problem) : nil }
        }
        var options = StreamWorkerOptions.quick
        options.giveUp = .block
        try await scene.readings.append(contentsOf: [Reading("a", 1), Reading("a", 2)])
        try await scene.work(options) { _, _ in }
        let record = try #require(try await scene.record("a"))
        #expect(record.summary.phase == .blocked && record.pending.count == 2)
        #expect(record.reason.contains("a fault was injected"))
    }

    @Test func `hears of a message that no store takes before the commit`() async throws {
        let scene = Scene()
        try await scene.readings.append(Reading("a", 1))
        let log = Log<Bool>()
        try await scene.work { _, context in
            do {
                try context.enqueue(Alert(device: "a", pages: 1), to: .alerts, .unique(by: ""))
            } catch EnqueueError.broker(.invalid, _) {
                log.add(true)
            }
        }
        #expect(log.entries == [true])
    }

    @Test func `takes keys while a suspect waits for someone with nothing in hand`() async throws {
        let scene = Scene()
        try await scene.readings.append(Reading("suspect", 1))
        for _ in 0..<2 {
            _ = try await scene.broker.reserveLanes(
                LaneRequest(1, takesSuspects: true), from: "readings")
            scene.clock.advance(by: .seconds(31))
            #expect(try await scene.broker.reclaimLanes(64, in: "readings") == 1)
        }
        try await scene.readings.append(Reading("slow", 1))
        let gate = Gate()
        let log = Log<String>()
        try await scene.work { window, _ in
            log.add(window.current.device)
            if window.current.device == "slow" { await gate.wait() }
        } beside: { worker in
            await gate.arrivals(1)
            try await scene.readings.append(Reading("quick", 1))
            while !log.entries.contains("quick") { await Task.yield() }
            #expect(!log.entries.contains("suspect"))
            gate.open()
            while !log.entries.contains("suspect") { await Task.yield() }
            worker.stop()
        }
    }

    @Test func `tells a handler that held its key for too long`() async throws {
        let scene = Scene()
        var options = StreamWorkerOptions.quick
        options.maxHold = .seconds(60)
        try await scene.readings.append(contentsOf: [Reading("a", 1), Reading("a", 2)])
        let gate = Gate()
        let contexts = Log<PointContext>()
        let begunTooLate = Log<Bool>()
        try await scene.work(options) { _, context in
            begunTooLate.add(context.isLeaseLost)
            contexts.add(context)
            await gate.wait()
        } beside: { worker in
            await gate.arrivals(1)
            scene.clock.advance(by: .seconds(50))
            #expect(contexts.entries[0].isLeaseLost == false)
            scene.clock.advance(by: .seconds(60))
            #expect(contexts.entries[0].isLeaseLost)
            gate.open()
            while try await scene.record("a")?.summary.position != 2 {
                scene.clock.advance(by: .seconds(1))
                await Task.yield()
            }
            worker.stop()
        }
        #expect(!begunTooLate.entries.contains(true), "no point begins once the lease is lost")
        #expect(begunTooLate.entries.count >= 3)
    }

    @Test func `hands a key back and rests before it takes it again`() async throws {
        let scene = Scene()
        try await scene.readings.append(Reading("a", 1))
        let log = Log<Int>()
        try await scene.work { _, context in
            log.add(context.attempt)
            if log.entries.count < 3 { throw Verdict.release }
        } beside: { worker in
            while log.entries.isEmpty { await Task.yield() }
            for _ in 0..<1000 { await Task.yield() }
            #expect(log.entries.count == 1, "the clock stands still")
            while log.entries.count < 3 {
                scene.clock.advance(by: .milliseconds(100))
                await Task.yield()
            }
            worker.stop()
        }
        #expect(log.entries == [1, 1, 1], "no attempt is used")
    }

    @Test func `drops all keys that were idle for too long in one round`() async throws {
        let scene = Scene()
        try await scene.readings.append(contentsOf: (1...200).map { Reading("k\($0)", $0) })
        try await scene.work { _, _ in }
        scene.clock.advance(by: .seconds(91 * 24 * 3600))
        try await scene.work { _, _ in
        } beside: { worker in
            while try await scene.broker.streamInspector.droppedKeys(of: "readings").count < 200 {
                await Task.yield()
            }
            worker.stop()
        }
    }

    @Test func `rejects a redriven point of another stream`() async throws {
        let scene = Scene()
        let stray = StrayPoint(
            stream: "others", key: "a", id: PointID(scene.clock.now()), coding: "msgpack",
            body: [1])
        _ = try await scene.broker.enqueue(
            [stray.message(MessageID(high: 0x7000, low: 1 << 63))], to: "readings")
        let log = Log<Int>()
        try await scene.work { window, _ in
            log.add(window.current.pages)
        } beside: { worker in
            while try await scene.broker.counts(of: "readings").dead == 0,
                try await scene.record("a") == nil
            { await Task.yield() }
            worker.stop()
        }
        let page = try await scene.broker.messages(.dead, in: "readings", after: nil, limit: 9)
        #expect(page.messages.first?.reason?.contains("'others'") == true)
        #expect(try await scene.record("a") == nil)
    }

    @Test func `goes on after odd answers, and ends when they do not`() async throws {
        let scene = Scene()
        try await scene.readings.append(Reading("a", 1))
        let odd = Mutex(3)
        scene.faults.inject {
            $0.reserve = {
                let isOdd = odd.withLock { left in
                    defer { left -= 1 }
                    return left > 0
                }
                return isOdd ? .corrupt(FaultStreams.problem) : nil
            }
        }
        let log = Log<Int>()
        try await scene.work { window, _ in
            log.add(window.current.pages)
        } beside: { worker in
            while log.entries.isEmpty {
                scene.clock.advance(by: .milliseconds(10))
                await Task.yield()
            }
            worker.stop()
        }
        scene.faults.inject { $0.reserve = { .misconfigured(FaultStreams.problem) } }
        await #expect(throws: BrokerError.self) {
            try await scene.work { _, _ in }
        }
    }
}
