// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitStreams
import GodwitTesting
import Testing

struct Meter: Codable, Sendable {
    let device: String
    let pages: Int
}

struct Usage: StreamState {
    var total = 0
}

private struct UsageJump: Job {
    let device: String
    let pages: Int
}

private struct Reading: Codable, Sendable {
    let device: String
    let time: Timestamp
}

@Suite struct `Keyed streams` {
    @Test func `a handler sees the window, keeps a state and sends messages with the commit`()
        async throws
    {
        let broker = MemoryBroker(time: VirtualClock())
        let meters = KeyedStream(
            "meters", of: Meter.self, key: \.device, window: 100, state: Usage.self, on: broker)
        try await meters.append(Meter(device: "printer-7", pages: 12))
        for pages in Array(repeating: 10, count: 12) + [500] {
            try await meters.append(Meter(device: "printer-7", pages: pages))
        }
        let worker = StreamWorker(meters, concurrency: 8) { window, context in
            window.state.total += window.current.pages
            let usual = window.previous.map(\.pages).max() ?? 0
            if window.previous.count > 10, window.current.pages > 10 * usual {
                try context.enqueue(
                    UsageJump(device: context.key, pages: window.current.pages), to: "alerts")
            }
        }
        try await worker.run(until: .drained)
        #expect(try await broker.inspector.counts(of: "alerts").ready == 1)
    }

    @Test func `a key that gave up waits for an operator`() async throws {
        let broker = MemoryBroker(time: VirtualClock())
        let meters = KeyedStream(
            "meters", of: Meter.self, key: \.device, window: 100, state: Usage.self, on: broker)
        try await meters.append(Meter(device: "printer-7", pages: -1))
        var options = StreamWorkerOptions()
        options.retry = .exponential(maxAttempts: 5)
        options.giveUp = .block
        let worker = StreamWorker(meters, options: options) { _, _ in throw Verdict.reject("why") }
        try await worker.run(until: .drained)
        let lane = try await broker.streamInspector.lane("printer-7", window: 9, in: "meters")
        #expect(lane?.summary.phase == .blocked)
    }

    @Test func `a late point is a message of another queue`() async throws {
        let clock = VirtualClock()
        let broker = MemoryBroker(time: clock)
        var readings = KeyedStream(
            "readings", of: Reading.self, key: \.device, window: 100, state: Usage.self,
            time: \.time, on: broker)
        readings.late = .divert(to: "late-readings")
        try await readings.append(Reading(device: "a", time: clock.now()))
        let older = Reading(device: "a", time: clock.now() + .seconds(-60))
        #expect(try await readings.append(older) == .diverted)
        #expect(try await readings.append(Reading(device: "a", time: clock.now())) == .duplicate)
        #expect(try await broker.inspector.counts(of: "late-readings").ready == 1)
    }
}
