// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC

extension BenchRun {
    /// Fills, times a Work stream until all is handled and settled, then the wait of one job at a time
    /// with the stream idle.
    func measureWork(_ report: inout BenchReport) async throws {
        guard let broker = store.broker as? RemoteBroker else {
            throw Failure(
                .usage,
                "--mode work measures a stream over gRPC: name a server as --broker "
                    + "grpc://HOST:PORT, not \(store.name)")
        }
        let filling = Stopwatch.now()
        let accepted = try await produce(0..<options.jobs)
        report.enqueuePerS = Double(accepted) / Stopwatch.seconds(since: filling)
        let record = BenchRecord(expecting: accepted)
        let start = Stopwatch.now()
        try await stream(on: broker, record) {
            await firstOf({ await record.finished.wait() }, { await self.stalled(record) })
        }
        report.processPerS = Double(record.handledCount) / Stopwatch.seconds(since: start)
        report.lost = try await lost(record, accepted)
        report.duplicates = record.duplicates
        let waits = try await idleStreamWaits(on: broker)
        report.p50Ms = waits.milliseconds(at: 50)
        report.p99Ms = waits.milliseconds(at: 99)
    }

    /// Runs a stream while `body` runs, and until what it had in hand is settled.
    private func stream(
        on broker: RemoteBroker, _ record: BenchRecord, started: Signal? = nil,
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        var settings = WorkStream.Options()
        settings.prefetch = options.prefetch ?? 4 * options.batch
        let work = WorkStream(
            broker, queue: queue.name, kinds: [try Kind(BenchJob.name)],
            concurrency: options.concurrency, options: settings)
        let codec = MessagePackCodec()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await work.run { message in
                    let job = try? Envelope.reading(message.body) { view throws(EnvelopeError) in
                        try? codec.decode(BenchJob.self, from: view.payload)
                    }
                    guard let job else { return .reject("not a job of the bench") }
                    record.handled(job)
                    started?.fire()
                    return .ack
                }
            }
            group.addTask {
                try await body()
                work.stop()
            }
            try await group.waitForAll()
        }
    }

    /// Returns when nothing was handled for a minute.
    private func stalled(_ record: BenchRecord) async {
        var last = -1
        while !Task.isCancelled, record.handledCount != last {
            last = record.handledCount
            try? await Task.sleep(for: .seconds(60))
        }
    }

    private func firstOf(
        _ one: @escaping @Sendable () async -> Void, _ other: @escaping @Sendable () async -> Void
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await one() }
            group.addTask { await other() }
            await group.next()
            group.cancelAll()
        }
    }

    private func idleStreamWaits(on broker: RemoteBroker) async throws -> Percentiles {
        let rounds = 500
        let record = BenchRecord(expecting: rounds)
        let started = Signal()
        try await stream(on: broker, record, started: started) {
            for round in 0..<rounds {
                // Why: the stream is idle again only after it has settled.
                try await Task.sleep(for: .milliseconds(5))
                try await queue.enqueue(
                    BenchJob(index: round, sentAt: Stopwatch.now(), text: filler))
                await started.wait()
            }
        }
        return record.waits
    }
}
