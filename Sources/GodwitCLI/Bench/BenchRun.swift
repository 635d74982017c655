// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import Synchronization

/// One measurement on one store.
struct BenchRun: Sendable {
    let options: BenchQueue
    let store: OpenStore
    let queue: Queue
    let filler: String

    init(_ options: BenchQueue, on store: OpenStore) throws {
        self.options = options
        self.store = store
        queue = Queue(try QueueName("bench-\(UInt64.random(in: 0 ... .max))"), on: store.broker)
        filler = try BenchJob.filler(for: options.payload)
    }

    func measure() async throws -> BenchReport {
        try await prepare()
        var report = BenchReport(
            broker: store.name, mode: options.mode.rawValue, jobs: options.jobs,
            batch: options.batch,
            payload: options.payload, concurrency: options.concurrency, callers: options.callers,
            tracking: options.tracking == .on, events: options.events == .on,
            backlog: options.backlog)
        if let backlog = options.backlog {
            try await measureReserve(backlog, &report)
        } else {
            switch options.mode {
            case .enqueue: try await measureEnqueue(&report)
            case .drain: try await measureDrain(&report)
            case .lifecycle: try await measureLifecycle(&report)
            case .single: try await measureSingle(&report)
            case .work: try await measureWork(&report)
            case .stream, .history: break  // BenchStream, BenchHistory
            }
        }
        report.rssMB = Machine.peakMemory
        return report
    }

    /// Puts the queue's settings back to what a user has, but for what was asked to be off.
    private func prepare() async throws {
        let name = queue.name
        var settings = try await store.broker.operator.settings(of: name)
        settings.tracksLeases = options.tracking == .on
        settings.recordsEvents = options.events == .on
        settings.maxMessages = max(settings.maxMessages, 2 * (options.backlog ?? options.jobs))
        try await store.broker.operator.apply(settings, to: name)
    }

    /// Ends what is left of our own queue.
    func clean() async throws {
        let name = queue.name
        var settings = try await store.broker.operator.settings(of: name)
        settings.keepRecords = 0
        settings.keepMilliseconds = 0
        try await store.broker.operator.apply(settings, to: name)
        while try await store.broker.operator.purge(name, limit: 64) > 0 {}
        for _ in 0..<(options.jobs / 64 + 1) { try await store.broker.prune(64, in: name) }
    }

    // MARK: The modes

    private func measureEnqueue(_ report: inout BenchReport) async throws {
        let before = try await store.meter.read()
        let start = Stopwatch.now()
        let accepted = try await produce(0..<options.jobs)
        report.enqueuePerS = Double(accepted) / Stopwatch.seconds(since: start)
        try await meter(since: before, jobs: accepted, isWaiting: true, &report)
        let counts = try await store.broker.inspector.counts(of: queue.name)
        report.lost = accepted - counts.ready
    }

    private func measureDrain(_ report: inout BenchReport) async throws {
        let empty = try await store.meter.read()
        let filling = Stopwatch.now()
        let accepted = try await produce(0..<options.jobs)
        report.enqueuePerS = Double(accepted) / Stopwatch.seconds(since: filling)
        try await meter(since: empty, jobs: accepted, isWaiting: true, &report)
        let before = try await store.meter.read()
        let record = BenchRecord(expecting: accepted)
        let start = Stopwatch.now()
        try await work(record)
        report.processPerS = Double(record.handledCount) / Stopwatch.seconds(since: start)
        try await meter(since: before, jobs: accepted, isWaiting: false, &report)
        try await finish(record, accepted, &report)
    }

    private func measureLifecycle(_ report: inout BenchReport) async throws {
        let before = try await store.meter.read()
        let record = BenchRecord(expecting: options.jobs)
        let start = Stopwatch.now()
        var enqueued = start
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await work(record) }
            _ = try await produce(0..<options.jobs)
            enqueued = Stopwatch.now()
            try await group.waitForAll()
        }
        report.lifecyclePerS = Double(record.handledCount) / Stopwatch.seconds(since: start)
        report.enqueuePerS = Double(options.jobs) / (Double(enqueued - start) / 1e9)
        try await meter(since: before, jobs: options.jobs, isWaiting: false, &report)
        try await finish(record, options.jobs, &report)
    }

    /// What the store says counts as much as what the handlers saw: a message is lost unless it was
    /// handled and is completed there.
    func lost(_ record: BenchRecord, _ accepted: Int) async throws -> Int {
        let counts = try await store.broker.inspector.counts(of: queue.name)
        let missing = max(accepted - record.handledCount, accepted - counts.completed)
        return missing == 0 ? counts.leased + counts.dead : missing
    }

    private func finish(
        _ record: BenchRecord, _ accepted: Int, _ report: inout BenchReport
    ) async throws {
        report.lost = try await lost(record, accepted)
        report.duplicates = record.duplicates
        report.p50Ms = record.waits.milliseconds(at: 50)
        report.p99Ms = record.waits.milliseconds(at: 99)
    }

    /// Times `reserve` of one batch while `backlog` messages wait; each round puts back what it took.
    private func measureReserve(_ backlog: Int, _ report: inout BenchReport) async throws {
        _ = try await produce(0..<backlog)
        var times = Percentiles()
        for round in 0..<300 {
            let request = ReserveRequest(options.batch)
            let start = Stopwatch.now()
            let reservation = try await store.broker.reserve(request, from: queue.name)
            let time = Stopwatch.now() &- start
            // The first rounds warm caches and connections.
            if round >= 50 { times.record(time) }
            _ = try await store.broker.settle(
                reservation.messages.map { Settlement($0.token, .ack) }, in: queue.name)
            _ = try await produce(0..<reservation.messages.count)
        }
        report.jobs = backlog
        report.reserveUsPerCall = times.microseconds(at: 50)
    }

    // MARK: Producers and worker

    private func job(_ index: Int) -> BenchJob {
        BenchJob(index: index, sentAt: Stopwatch.now(), text: filler)
    }

    /// Enqueues jobs of these numbers, and returns how many were accepted.
    func produce(_ numbers: Range<Int>) async throws -> Int {
        let isSingle = options.callers > 0
        let step = isSingle ? 1 : options.batch
        let next = Counter(numbers.lowerBound)
        return try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<(isSingle ? options.callers : options.inFlight) {
                group.addTask {
                    var accepted = 0
                    while true {
                        let start = next.take(step)
                        guard start < numbers.upperBound else { return accepted }
                        if isSingle {
                            if try await queue.enqueue(job(start)).isNew { accepted += 1 }
                        } else {
                            let end = min(start + step, numbers.upperBound)
                            accepted += try await queue.enqueue(
                                contentsOf: (start..<end).map(job)
                            ).count { $0.isNew }
                        }
                    }
                }
            }
            return try await group.reduce(0, +)
        }
    }

    /// Runs a worker until all are handled, or nothing has happened for a minute.
    func work(_ record: BenchRecord) async throws {
        var settings = WorkerOptions()
        settings.batch = options.batch
        settings.prefetch = options.prefetch
        let worker = Worker(queue, concurrency: options.concurrency, options: settings) { jobs in
            jobs.handle(BenchJob.self) { job, _ in record.handled(job) }
        }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await worker.run()
                return true
            }
            group.addTask {
                await record.finished.wait()
                return false
            }
            group.addTask {
                var last = -1
                while !Task.isCancelled, record.handledCount != last {
                    last = record.handledCount
                    try await Task.sleep(for: .seconds(60))
                }
                return false
            }
            _ = try await group.next()
            worker.stop()
            while let isWorker = try await group.next() {
                if isWorker { break }
            }
            group.cancelAll()
        }
    }

    private func meter(
        since before: StoreUsage, jobs: Int, isWaiting: Bool, _ report: inout BenchReport
    ) async throws {
        let after = try await store.meter.read()
        if let then = before.processorSeconds, let now = after.processorSeconds {
            report.brokerCPUUsPerJob = (now - then) * 1e6 / Double(max(1, jobs))
        }
        if isWaiting, let then = before.bytes, let now = after.bytes {
            report.brokerBytesPerJob = Double(now - then) / Double(max(1, jobs))
        }
    }
}

/// Hands out numbers to several tasks.
final class Counter: Sendable {
    private let next: Atomic<Int>

    init(_ start: Int) { next = Atomic(start) }

    func take(_ count: Int) -> Int { next.add(count, ordering: .relaxed).oldValue }
}
