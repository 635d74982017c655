// SPDX-License-Identifier: Apache-2.0
import Godwit

extension BenchRun {
    /// One consumer by hand, then the wait of one job at a time with an idle worker.
    func measureSingle(_ report: inout BenchReport) async throws {
        let accepted = try await produce(0..<options.jobs)
        let before = try await store.meter.read()
        let record = BenchRecord(expecting: accepted)
        let start = Stopwatch.now()
        let consumer = Consumer(queue)
        while record.handledCount < accepted,
            let delivery = try await consumer.reserve(BenchJob.self)
        {
            record.handled(delivery.message)
            try await delivery.ack()
        }
        report.processPerS = Double(record.handledCount) / Stopwatch.seconds(since: start)
        let after = try await store.meter.read()
        if let then = before.processorSeconds, let now = after.processorSeconds {
            report.brokerCPUUsPerJob = (now - then) * 1e6 / Double(max(1, accepted))
        }
        report.lost = try await lost(record, accepted)
        report.duplicates = record.duplicates
        let waits = try await idleWaits()
        report.p50Ms = waits.milliseconds(at: 50)
        report.p99Ms = waits.milliseconds(at: 99)
    }

    /// Enqueue → handler start while the worker has nothing else to do.
    private func idleWaits() async throws -> Percentiles {
        let rounds = 500
        let record = BenchRecord(expecting: rounds)
        let started = Signal()
        let worker = Worker(queue, concurrency: options.concurrency) { jobs in
            jobs.handle(BenchJob.self) { job, _ in
                record.handled(job)
                started.fire()
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await worker.run() }
            for round in 0..<rounds {
                // Why: the worker is idle again only after it has settled and gone back to waiting.
                try await Task.sleep(for: .milliseconds(5))
                try await queue.enqueue(
                    BenchJob(index: round, sentAt: Stopwatch.now(), text: filler))
                await started.wait()
            }
            worker.stop()
            try await group.waitForAll()
        }
        return record.waits
    }
}
