// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitStreams
import GodwitTesting
import Synchronization

/// A meter reading of a printer.
struct Reading: Codable, Sendable, Equatable {
    var device: String
    var pages: Int
    var time = Timestamp(milliseconds: 0)

    init(_ device: String, _ pages: Int) {
        self.device = device
        self.pages = pages
        time = VirtualClock().now() + .seconds(pages)
    }
}

struct Usage: StreamState, Equatable {
    var count = 0
    var sum = 0
}

struct Alert: Job, Equatable {
    var device: String
    var pages: Int
}

extension QueueName {
    static let alerts: QueueName = "alerts"
    static let lates: QueueName = "lates"
}

typealias Readings = KeyedStream<Reading, Usage>

/// A stream on a memory broker whose clock stands still until the test moves it.
struct Scene {
    let clock = VirtualClock()
    let broker: MemoryBroker
    let faults: FaultStreams
    var readings: Readings

    init(window: Int = 4, byTime: Bool = false) {
        broker = MemoryBroker(time: clock)
        faults = FaultStreams(broker)
        let ownTime: @Sendable (Reading) -> Timestamp = { reading in reading.time }
        readings = KeyedStream(
            "readings", of: Reading.self, key: \.device, window: window, state: Usage.self,
            time: byTime ? ownTime : nil, on: faults)
    }

    func work(
        _ options: StreamWorkerOptions = .quick, concurrency: Int = 4,
        _ handler: @escaping StreamWorker<Reading, Usage>.Handler
    ) async throws {
        let worker = StreamWorker(
            readings, concurrency: concurrency, options: options, handler: handler)
        try await worker.run(until: .drained)
    }

    /// Runs a worker beside `body`, which is to stop it or to see it end.
    func work(
        _ options: StreamWorkerOptions = .quick, concurrency: Int = 4,
        _ handler: @escaping StreamWorker<Reading, Usage>.Handler,
        beside body: @escaping @Sendable (StreamWorker<Reading, Usage>) async throws -> Void
    ) async throws {
        let worker = StreamWorker(
            readings, concurrency: concurrency, options: options, handler: handler)
        try await withThrowingTaskGroup { group in
            group.addTask { try await worker.run() }
            try await body(worker)
            try await group.waitForAll()
        }
    }

    /// Waits until the key is where it should be.
    func see(_ key: String, _ phase: LanePhase) async throws {
        while try await record(key)?.summary.phase != phase { await Task.yield() }
    }

    func record(_ key: String) async throws -> LaneRecord? {
        try await broker.streamInspector.lane(key, window: 100, in: "readings")
    }

    func state(_ key: String) async throws -> Usage? {
        guard let bytes = try await record(key)?.memory.state, !bytes.isEmpty else { return nil }
        let coding: StreamCoding<Usage> = .messagePack
        return try bytes.withUnsafeBytes { try coding.decode($0) }
    }
}

extension StreamWorkerOptions {
    /// Failed points run again at once, up to three times: the clock need not move.
    static var quick: StreamWorkerOptions {
        var options = StreamWorkerOptions()
        options.retry = .constant(.zero, maxAttempts: 3)
        return options
    }
}

/// What handlers saw, in the order they saw it.
final class Log<Entry: Sendable>: Sendable {
    private let state = Mutex<[Entry]>([])

    var entries: [Entry] { state.withLock { $0 } }

    func add(_ entry: Entry) { state.withLock { $0.append(entry) } }
}

struct Broken: Error, CustomStringConvertible {
    var description: String { "broken" }
}
