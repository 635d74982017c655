// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitStreams
import GodwitTesting
import Testing

@Suite struct `A stream's handler` {
    @Test func `sees the current point, those before it oldest first, and the state`() async throws
    {
        let scene = Scene(window: 4)
        let log = Log<String>()
        try await scene.readings.append(contentsOf: (1...6).map { Reading("a", $0) })
        try await scene.work { window, context in
            window.state.count += 1
            window.state.sum += window.current.pages
            let previous = window.previous.map { "\($0.pages)" }.joined(separator: ",")
            log.add("\(previous)>\(window.current.pages)")
        }
        #expect(log.entries == [">1", "1>2", "1,2>3", "1,2,3>4", "2,3,4>5", "3,4,5>6"])
        #expect(try await scene.state("a") == Usage(count: 6, sum: 21))
        let record = try await scene.record("a")
        #expect(record?.memory.window.count == 3)
        #expect(record?.summary.phase == .idle)
    }

    @Test func `of a worker that does not remember the key sees the same`() async throws {
        let scene = Scene(window: 4)
        let log = Log<[Int]>()
        for page in 1...6 {
            try await scene.readings.append(Reading("a", page))
            try await scene.work { window, _ in
                window.state.sum += window.current.pages
                log.add(window.previous.map(\.pages) + [window.state.sum])
            }
        }
        #expect(
            log.entries == [
                [1], [1, 3], [1, 2, 6], [1, 2, 3, 10], [2, 3, 4, 15], [3, 4, 5, 21],
            ])
    }

    @Test func `runs one point of a key at a time and keys in parallel`() async throws {
        let scene = Scene()
        let gate = Gate()
        let running = Log<String>()
        for key in ["a", "b"] {
            try await scene.readings.append(contentsOf: [Reading(key, 1), Reading(key, 2)])
        }
        try await withThrowingTaskGroup { group in
            group.addTask {
                try await scene.work { window, _ in
                    running.add(window.current.device)
                    if window.current.pages == 1 { await gate.wait() }
                }
            }
            await gate.arrivals(2)
            #expect(Set(running.entries) == ["a", "b"] && running.entries.count == 2)
            gate.open()
            try await group.waitForAll()
        }
        #expect(running.entries.count == 4)
    }

    @Test func `that throws leaves no trace, and its key waits`() async throws {
        let scene = Scene()
        let log = Log<[Int]>()
        try await scene.readings.append(contentsOf: (1...4).map { Reading("a", $0) })
        try await scene.work { window, context in
            log.add([
                window.current.pages, context.attempt, window.state.count, window.previous.count,
            ])
            window.state.count += 1
            try context.enqueue(Alert(device: "a", pages: window.current.pages), to: .alerts)
            if window.current.pages == 3, context.attempt < 3 { throw Broken() }
        }
        #expect(
            log.entries == [
                [1, 1, 0, 0], [2, 1, 1, 1], [3, 1, 2, 2], [3, 2, 2, 2], [3, 3, 2, 2], [4, 1, 3, 3],
            ])
        #expect(try await scene.broker.counts(of: .alerts).enqueued == 4)
    }

    @Test func `that gives up sends the point to the dead letters, and the key goes on`()
        async throws
    {
        let scene = Scene()
        let log = Log<Int>()
        try await scene.readings.append(contentsOf: (1...3).map { Reading("a", $0) })
        try await scene.work { window, _ in
            if window.current.pages == 2 { throw Broken() }
            log.add(window.previous.count)
        }
        #expect(log.entries == [0, 1], "the window never sees what was given up")
        let page = try await scene.broker.messages(.dead, in: "readings", after: nil, limit: 9)
        let dead = try #require(page.messages.first)
        #expect(page.messages.count == 1)
        #expect(dead.reason == "broken")
        let counts = try await scene.broker.counts(ofStream: "readings")
        #expect(counts.dead == 1 && counts.handled == 2 && counts.pending == 0)
    }

    @Test func `that rejects gives up at once`() async throws {
        let scene = Scene()
        let runs = Log<Int>()
        try await scene.readings.append(contentsOf: [Reading("a", -1), Reading("a", 2)])
        try await scene.work { window, _ in
            runs.add(window.current.pages)
            if window.current.pages < 0 { throw Verdict.reject("pages < 0") }
        }
        #expect(runs.entries == [-1, 2])
        let page = try await scene.broker.messages(.dead, in: "readings", after: nil, limit: 9)
        #expect(page.messages.map(\.reason) == ["pages < 0"])
    }

    @Test func `blocks its key where the stream says so`() async throws {
        let scene = Scene()
        var options = StreamWorkerOptions.quick
        options.giveUp = .block
        try await scene.readings.append(contentsOf: [
            Reading("a", 1), Reading("a", 2), Reading("b", 3),
        ])
        let log = Log<Int>()
        try await scene.work(options) { window, _ in
            log.add(window.current.pages)
            if window.current.pages == 1 { throw Verdict.reject("look") }
        }
        #expect(log.entries.sorted() == [1, 3])
        #expect(try await scene.record("a")?.summary.phase == .blocked)
        #expect(try await scene.record("a")?.reason == "look")
        #expect(try await scene.broker.redriveLane("a", in: "readings"))
        try await scene.work(options) { window, _ in log.add(window.current.pages) }
        #expect(log.entries.sorted() == [1, 1, 2, 3])
    }

    @Test func `sends its messages once, however often the point runs`() async throws {
        let scene = Scene()
        try await scene.readings.append(Reading("a", 1))
        for _ in 0..<2 {
            try await scene.work { window, context in
                try context.enqueue(Alert(device: "a", pages: 1), to: .alerts)
                try context.enqueue(Alert(device: "a", pages: 2), to: .alerts)
            }
            #expect(try await scene.broker.replayLane("a", window: 10, in: "readings"))
        }
        let page = try await scene.broker.messages(.ready, in: .alerts, after: nil, limit: 9)
        #expect(page.messages.count == 2, "the replayed point made the same ids")
    }

    @Test func `gets a redriven dead point again, marked late`() async throws {
        let scene = Scene()
        try await scene.readings.append(contentsOf: (1...3).map { Reading("a", $0) })
        try await scene.work { window, _ in
            if window.current.pages == 2 { throw Verdict.reject("not now") }
        }
        let dead = try await scene.broker.messages(.dead, in: "readings", after: nil, limit: 9)
        let id = try #require(dead.messages.first?.id)
        #expect(try await scene.broker.redrive([id], in: "readings") == [.redriven])
        let log = Log<String>()
        try await withThrowingTaskGroup { group in
            let worker = StreamWorker(scene.readings) { window, context in
                log.add("\(window.current.pages) \(context.isLate)")
            }
            group.addTask { try await worker.run() }
            while log.entries.isEmpty { await Task.yield() }
            worker.stop()
            try await group.waitForAll()
        }
        #expect(log.entries == ["2 true"])
        #expect(try await scene.broker.counts(of: "readings").ready == 0)
    }

    @Test func `cannot be given what it can't read; the bytes are kept`() async throws {
        let scene = Scene()
        let junk = NewPoint(key: "a", id: PointID(scene.clock.now()), body: [0xC1, 7])
        _ = try await scene.broker.append([junk], to: "readings", options: AppendOptions())
        scene.clock.advance(by: .seconds(1))
        try await scene.readings.append(Reading("a", 2))
        let log = Log<Int>()
        try await scene.work { window, _ in log.add(window.current.pages) }
        #expect(log.entries == [2])
        let page = try await scene.broker.messages(.dead, in: "readings", after: nil, limit: 9)
        #expect(page.messages.first?.reason?.contains("can't be read") == true)
    }

    @Test func `whose state outgrows its bounds blocks the key and loses nothing`() async throws {
        let broker = MemoryBroker(time: VirtualClock())
        struct Big: StreamState { var text = "" }
        let stream = KeyedStream<Reading, Big>(
            "big", key: { $0.device }, window: 2, on: broker)
        try await stream.append(Reading("a", 1))
        try await StreamWorker(stream, options: .quick) { window, _ in
            window.state.text = String(repeating: "x", count: 70_000)
        }.run(until: .drained)
        let record = try #require(try await broker.lane("a", window: 2, in: "big"))
        #expect(record.summary.phase == .blocked)
        #expect(record.reason.contains("65536 are allowed"))
        #expect(record.pending.count == 1)
    }
}
