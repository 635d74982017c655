// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitStreams
import GodwitTesting
import Testing

@Suite("Beats of a stream's worker", .timeLimit(.minutes(1))) struct BeatTests {
    @Test func `a worker says which keys it runs, until it stops`() async throws {
        let scene = Scene()
        try await scene.readings.append(Reading("a", 1))
        let gate = Gate()
        try await scene.work { _, _ in
            await gate.wait()
        } beside: { worker in
            await gate.arrivals(1)
            while try await scene.beat()?.busy != 1 {
                scene.clock.advance(by: .milliseconds(50))
                await Task.yield()
            }
            let beat = try #require(try await scene.beat())
            #expect(beat.queue == "readings" && beat.slots == 4 && beat.held == 1)
            #expect(beat.running.map(\.id) == ["a"])
            gate.open()
            while try await scene.beat()?.finished != 1 {
                scene.clock.advance(by: .milliseconds(50))
                await Task.yield()
            }
            worker.stop()
        }
        #expect(try await scene.broker.board.notes(in: .workers) == [])
    }

    @Test func `quiet takes no new key, and resume goes on`() async throws {
        let scene = Scene()
        try await scene.readings.append(contentsOf: [Reading("a", 1), Reading("b", 2)])
        let gate = Gate()
        let log = Log<String>()
        try await scene.work(concurrency: 1) { window, _ in
            await gate.wait()
            log.add(window.current.device)
        } beside: { worker in
            await gate.arrivals(1)
            try await scene.see("b", .leased)
            let number = try #require(try await scene.broker.board.notes(in: .workers).first).name
            func order(_ order: WorkerOrder) async throws {
                try await scene.broker.board.write(
                    [UInt8](order.rawValue.utf8), as: number, in: .orders, for: nil, if: .any)
            }
            try await order(.quiet)
            while try await scene.beat()?.isQuiet != true {
                scene.clock.advance(by: .milliseconds(50))
                await Task.yield()
            }
            // What is given back waits 2 ms for company.
            while try await scene.record("b")?.summary.phase != .ready {
                scene.clock.advance(by: .milliseconds(50))
                await Task.yield()
            }
            gate.open()
            try await scene.see("a", .idle)
            for _ in 0..<600 {
                scene.clock.advance(by: .milliseconds(50))
                await Task.yield()
            }
            #expect(log.entries == ["a"])
            try await order(.resume)
            while try await scene.record("b")?.summary.position != 1 {
                scene.clock.advance(by: .milliseconds(50))
                await Task.yield()
            }
            worker.stop()
        }
        #expect(log.entries == ["a", "b"])
    }
}

extension Scene {
    fileprivate func beat() async throws -> WorkerBeat? {
        try await broker.board.notes(in: .workers).first.flatMap { WorkerBeat($0) }
    }
}
