// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitRedis
import GodwitSQLite
import Logging
import ServiceLifecycle
import UnixSignals

/// A worker in a process of its own, for the crash tests to kill and to pause.
///
///     CrashWorker STORE QUEUE LEASE_MS GRACE_MS [DEFECT]
///     CrashWorker STORE STREAM LEASE_MS 0 stream
///
/// Says what it does as ``Report`` lines on stdout. SIGTERM ends it gracefully; end of file on stdin
/// ends it at once, so that it never outlives its test.
@main
struct CrashWorker {
    static func main() async throws {
        let words = CommandLine.arguments
        guard words.count >= 5, let lease = Int64(words[3]), let grace = Int64(words[4]) else {
            FileHandle.standardError.write(
                Data("usage: CrashWorker STORE QUEUE LEASE_MS GRACE_MS [DEFECT]\n".utf8))
            exit(64)
        }
        if ProcessInfo.processInfo.environment["GODWIT_CRASH_LOG"] == nil {
            // Why: late settles are what the test is about; each would be a warning.
            LoggingSystem.bootstrap { _ in SwiftLogNoOpLogHandler() }
        }
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while read(0, &byte, 1) != 0 {}
            _exit(3)
        }
        let store = words[1]
        let broker: any StreamBroker
        if store.hasPrefix("sqlite:") {
            broker = try await SQLiteBroker(path: String(store.dropFirst("sqlite:".count)))
        } else {
            broker = try await RedisBroker(store)
        }
        if words.count > 5, words[5] == "stream" {
            let stream = CrashStream.make(try QueueName(words[2]), on: broker)
            let worker = CrashStream.worker(stream, lease: .milliseconds(lease))
            Report.hello(0).write()
            try await ServiceGroup(
                services: [worker], gracefulShutdownSignals: [.sigterm],
                logger: Logger(label: "crash-worker")
            ).run()
            await broker.shutdown()
            return Report.bye.write()
        }
        let defect = words.count > 5 ? Defect(rawValue: words[5]) : nil
        let queue = Queue(
            try QueueName(words[2]), on: ReportingBroker(broker, defect: defect))
        var options = WorkerOptions()
        options.lease = .milliseconds(lease)
        options.grace = .milliseconds(grace)
        options.prefetch = 8
        options.batch = 8
        let worker = Worker(queue, concurrency: 4, options: options) { jobs in
            jobs.handle(Parcel.self) { try await Work.run($0.load, $1, defect) }
            jobs.handle(Letter.self) { try await Work.run($0.load, $1, defect) }
        }
        Report.hello(worker.number).write()
        try await ServiceGroup(
            services: [worker], gracefulShutdownSignals: [.sigterm],
            logger: Logger(label: "crash-worker")
        ).run()
        await broker.shutdown()
        Report.bye.write()
    }
}

/// What a handler does with a load.
enum Work {
    static func run(_ load: Load, _ context: JobContext, _ defect: Defect?) async throws {
        let run = Run(id: context.id, count: context.count)
        Report.start(run).write()
        if defect == .neverEnds, load.index % 1000 == 7 {
            while true { await SystemTime().sleep(for: .seconds(60)) }
        }
        // The work itself: waiting on a timer is what most handlers do, and leaves the processor to
        // the many processes of a test.
        await SystemTime().sleep(for: .milliseconds(load.milliseconds))
        if Task.isCancelled {
            Report.end(run, .cancelled).write()
            throw CancellationError()
        }
        // Why before the return: whatever the store is told, the test has heard of the end before.
        if context.attempt <= load.failures {
            Report.end(run, .failed).write()
            throw Mishap(attempt: context.attempt)
        }
        Report.end(run, .done).write()
    }
}

/// The failure a load asked for.
struct Mishap: Error, CustomStringConvertible {
    let attempt: Int
    var description: String { "mishap in attempt \(attempt)" }
}

/// What a worker is made to do wrong, so that the test of the test can see it found.
package enum Defect: String, Sendable {
    /// Acks what it reserves before it runs it.
    case earlyAck
    /// Some handlers never return, and their leases are renewed for ever.
    case neverEnds
    /// Never takes back what others lost.
    case neverReclaims
}
