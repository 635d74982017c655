// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitStreams
import Synchronization

/// `godwit bench --mode stream`: rounds of points appended to every key and handled by a worker
/// that knows the last N points of each.
struct BenchStream: Sendable {
    let options: BenchQueue
    let store: OpenStore
    let broker: any StreamBroker
    let stream: KeyedStream<BenchPoint, BenchSum>

    init(_ options: BenchQueue, on store: OpenStore) throws {
        guard let broker = store.broker as? any StreamBroker else {
            throw Failure(.usage, "\(store.name) keeps no streams.")
        }
        self.options = options
        self.store = store
        self.broker = broker
        stream = KeyedStream(
            try QueueName("bench-\(UInt64.random(in: 0 ... .max))"),
            key: { BenchPoint.key($0.key) },
            window: options.window, points: BenchPoint.coding(options.pointBytes),
            states: BenchSum.coding, startingWith: { BenchSum() }, on: broker)
    }

    func measure() async throws -> StreamBenchReport {
        let perRound = options.keys * options.waiting
        // Why: a figure for windows of N is one for full windows.
        let warmUp = (options.window + options.waiting - 1) / options.waiting
        let rounds = max(1, options.jobs / perRound)
        let record = StreamRecord(keys: options.keys)
        var settings = StreamWorkerOptions()
        settings.batch = min(options.batch, StreamLimits.lanes)
        settings.pointsPerHold = min(options.waiting, StreamLimits.pointsPerLane)
        let worker = StreamWorker(stream, concurrency: options.concurrency, options: settings) {
            window, _ in
            window.state.add(window.current)
            record.handled(window.current, window.previous)
        }
        let empty = try await store.meter.read()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await worker.run() }
            var next = 0
            for _ in 0..<warmUp {
                try await append(next)
                next += options.waiting
                try await record.reach(next * options.keys)
            }
            let before = try await store.meter.read()
            let loaded = worker.hits
            var appending = 0.0
            let start = Stopwatch.now()
            for _ in 0..<rounds {
                let round = Stopwatch.now()
                try await append(next)
                appending += Stopwatch.seconds(since: round)
                next += options.waiting
                try await record.reach(next * options.keys)
            }
            let seconds = Stopwatch.seconds(since: start)
            // The last commits are on their way when the last point has been handled.
            worker.stop()
            try await group.waitForAll()
            let after = try await store.meter.read()
            return try await report(
                points: rounds * perRound, seconds, appending, before, after, empty,
                (
                    worker.hits.warm - loaded.warm, worker.hits.cold - loaded.cold,
                    worker.hits.bytesMoved - loaded.bytesMoved
                ), record)
        }
    }

    private func append(_ first: Int) async throws {
        let next = Counter(0)
        // Keys by keys, so that each has `waiting` points before a worker could take all of them.
        let step = max(1, options.batch / options.waiting)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<options.inFlight {
                group.addTask {
                    while true {
                        let start = next.take(step)
                        if start >= options.keys { return }
                        var points: [BenchPoint] = []
                        for key in start..<min(start + step, options.keys) {
                            for place in first..<first + options.waiting {
                                points.append(BenchPoint(key: key, place: place))
                            }
                        }
                        try await stream.append(contentsOf: points)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func report(
        points: Int, _ seconds: Double, _ appending: Double, _ before: StoreUsage,
        _ after: StoreUsage, _ empty: StoreUsage, _ hits: (warm: Int, cold: Int, bytes: Int),
        _ record: StreamRecord
    ) async throws -> StreamBenchReport {
        var report = StreamBenchReport(
            broker: store.name, points: points, keys: options.keys, window: options.window,
            waiting: options.waiting, pointBytes: options.pointBytes, batch: options.batch,
            concurrency: options.concurrency)
        report.pointsPerS = Double(points) / seconds
        report.appendPerS = Double(points) / appending
        if let then = before.processorSeconds, let now = after.processorSeconds {
            report.brokerCPUUsPerPoint = (now - then) * 1e6 / Double(points)
        }
        if let then = empty.bytes, let now = after.bytes {
            report.brokerBytesPerKey = Double(now - then) / Double(options.keys)
        }
        report.warmShare = Double(hits.warm) / Double(max(1, hits.warm + hits.cold))
        report.loadedBytesPerPoint = Double(hits.bytes) / Double(points)
        report.movedBytesPerPoint =
            report.loadedBytesPerPoint
            + Double(StoredPoint.size(ofBody: options.pointBytes, isLate: false))
        report.rssMB = Machine.peakMemory
        let counts = try await broker.streamInspector.counts(ofStream: stream.name)
        report.lost = counts.appended - counts.handled
        report.outOfOrder = record.outOfOrder
        report.shortWindows = record.shortWindows(of: options.window)
        return report
    }
}

/// What the bench appends: a number of a key, padded.
struct BenchPoint: Sendable {
    var key: Int
    var place: Int

    static func key(_ number: Int) -> String { "printer-\(number)" }

    static func coding(_ bytes: Int) -> StreamCoding<BenchPoint> {
        StreamCoding(name: "bench") { point in
            [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
                let raw = UnsafeMutableRawBufferPointer(buffer)
                raw.initializeMemory(as: UInt8.self, repeating: 0)
                raw.storeBytes(of: UInt64(point.key).bigEndian, as: UInt64.self)
                raw.storeBytes(of: UInt64(point.place).bigEndian, toByteOffset: 8, as: UInt64.self)
                count = bytes
            }
        } decode: { raw in
            BenchPoint(
                key: Int(UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self))),
                place: Int(
                    UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))))
        }
    }
}

/// A state of 16 bytes.
struct BenchSum: Sendable {
    var count: UInt64 = 0
    var sum: UInt64 = 0

    mutating func add(_ point: BenchPoint) {
        count += 1
        sum &+= UInt64(point.place)
    }

    static var coding: StreamCoding<BenchSum> {
        StreamCoding(name: "bench") { state in
            withUnsafeBytes(of: (state.count.bigEndian, state.sum.bigEndian)) { [UInt8]($0) }
        } decode: { raw in
            BenchSum(
                count: UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self)),
                sum: UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }
}

/// Which points were handled, and whether in their order and with their window.
final class StreamRecord: Sendable {
    private struct State {
        var last: [Int]
        var windows: [Int]
        var handled = 0
        var outOfOrder = 0
        var target = Int.max
    }

    private let state: Mutex<State>
    private let reached = Signal()

    init(keys: Int) {
        state = Mutex(
            State(
                last: Array(repeating: -1, count: keys), windows: Array(repeating: 0, count: keys)))
    }

    func handled(_ point: BenchPoint, _ previous: PreviousPoints<BenchPoint>) {
        let isThere = state.withLock { state -> Bool in
            if point.place != state.last[point.key] + 1 { state.outOfOrder += 1 }
            if let before = previous.last, before.place != point.place - 1 { state.outOfOrder += 1 }
            state.last[point.key] = point.place
            state.windows[point.key] = previous.count
            state.handled += 1
            return state.handled >= state.target
        }
        if isThere { reached.fire() }
    }

    /// Returns when so many points were handled.
    func reach(_ count: Int) async throws {
        while true {
            let isThere = state.withLock { state in
                state.target = count
                return state.handled >= count
            }
            if isThere { return }
            await reached.wait()
            try Task.checkCancellation()
        }
    }

    var outOfOrder: Int { state.withLock { $0.outOfOrder } }

    /// Keys whose last point did not see a full window.
    func shortWindows(of window: Int) -> Int {
        state.withLock { state in state.windows.count { $0 != window - 1 } }
    }
}

/// What a stream bench found; nil where the store does not tell.
struct StreamBenchReport: Row {
    var broker: String
    var mode = "stream"
    var points: Int
    var keys: Int
    var window: Int
    var waiting: Int
    var pointBytes: Int
    var batch: Int
    var concurrency: Int
    /// Append, reserve, handle and commit, one after the other in rounds.
    var pointsPerS = 0.0
    var appendPerS = 0.0
    var brokerCPUUsPerPoint: Double?
    var brokerBytesPerKey: Double?
    /// Holds whose window and state the worker remembered.
    var warmShare = 0.0
    /// Bytes of windows and states that the store sent, and with the points themselves.
    var loadedBytesPerPoint = 0.0
    var movedBytesPerPoint = 0.0
    var rssMB = 0.0
    var lost = 0
    var outOfOrder = 0
    var shortWindows = 0
    var machine = Machine.line

    static let schema = "godwit.bench.stream/1"
    static let columns: [Column<StreamBenchReport>] = [
        .text("broker", "the store") { $0.broker },
        .text("mode", "what was measured") { $0.mode },
        .int("points", "points") { $0.points },
        .number("points_per_s", "appended, handled and committed a second") {
            $0.pointsPerS.rounded(to: 1)
        },
        .number("append_per_s", "appended a second") { $0.appendPerS.rounded(to: 1) },
        .number("broker_cpu_us_per_point", "the store's processor time") { $0.brokerCPUUsPerPoint },
        .number("broker_bytes_per_key", "the store's memory or file") { $0.brokerBytesPerKey },
        .number("warm_share", "holds whose window the worker remembered") { $0.warmShare },
        .number("loaded_bytes_per_point", "windows and states that the store sent") {
            $0.loadedBytesPerPoint
        },
        .number("moved_bytes_per_point", "with the points themselves") { $0.movedBytesPerPoint },
        .number("rss_mb", "the most memory of this process") { $0.rssMB },
        .int("lost", "points that were not handled") { $0.lost },
        .int("out_of_order", "points that came too early") { $0.outOfOrder },
        .int("short_windows", "handlers that saw too few points") { $0.shortWindows },
        .int("keys", "keys") { $0.keys },
        .int("window", "points that a handler sees") { $0.window },
        .int("waiting", "points for each key") { $0.waiting },
        .int("point_bytes", "bytes of a point") { $0.pointBytes },
        .int("batch", "points per call") { $0.batch },
        .int("concurrency", "handlers at once") { $0.concurrency },
        .text("machine", "where") { $0.machine },
    ]
}
