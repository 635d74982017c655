// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import CoreMetrics
import Foundation
import Godwit
import GodwitMonitor

/// `godwit bench`: what this store does on this machine, by the product's normal path.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure a store: typed jobs, fenced, leased and tracked, no shortcut.",
        discussion: """
            lifecycle: producers and a worker at the same time, from the first enqueue to the last \
            job handled and settled. enqueue: producers only. drain: fills first, then times a \
            worker. single: one consumer whose every reserve and ack is awaited, then the wait of \
            one job at a time with an idle worker (p50_ms). work: fills first, then times a Work stream \
            over gRPC, and the wait of one job at a time with it idle. stream: keyed points, in rounds of \
            --waiting points for each of --keys keys, handled with the last --window at hand. \
            history: --jobs runs from an event log in memory into --history, then its questions. \
            --backlog N: how long a reserve takes \
            while N messages wait. The queue is the bench's own, with a random name.
            """,
        subcommands: [BenchQueue.self, BenchCodec.self], defaultSubcommand: BenchQueue.self)
}

struct BenchQueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "Measure the store (this is what plain `bench` does).")

    enum Mode: String, ExpressibleByArgument, CaseIterable {
        case lifecycle, enqueue, drain, single, work, stream, history
    }
    enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

    @Option(help: "How many jobs.") var jobs: Int = 100_000
    @Option(help: "Jobs per enqueue, and the most that a worker reserves at once.") var batch: Int =
        100
    @Option(help: "Bytes of a payload, about.") var payload: Int = 100
    @Option(help: "Handlers that run at once.") var concurrency: Int = 16
    @Option(help: "What to measure.") var mode: Mode = .lifecycle
    @Option(help: "Callers of single enqueue at once (enqueue mode); 0: batches.") var callers:
        Int = 0
    @Option(help: "Batches on their way at once.") var inFlight: Int = 4
    @Option(help: "Messages leased ahead of a free slot.") var prefetch: Int?
    @Option(help: "The record also at reserve.") var tracking: Switch = .on
    @Option(help: "Events for the history.") var events: Switch = .on
    @Option(help: "Count for a scraper on the way, as a process with /metrics does.")
    var metrics: Switch = .off
    @Option(help: "Time reserve while so many wait; nothing else is measured.") var backlog: Int?
    @Option(help: "Keys (stream mode).") var keys: Int = 10_000
    @Option(help: "Points that a handler sees (stream mode).") var window: Int = 100
    @Option(help: "Points that wait for each key (stream mode).") var waiting: Int = 16
    @Option(help: "Bytes of a point (stream mode).") var pointBytes: Int = 16
    @Flag(help: "Leave what was enqueued, for a look at the store.") var keep = false
    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard jobs >= 1, batch >= 1, concurrency >= 1, callers >= 0, inFlight >= 1 else {
            throw ValidationError(
                "--jobs, --batch, --concurrency and --in-flight are 1 or more, --callers 0 or more."
            )
        }
        guard (0...(BrokerLimits.hardMessageBytes - 100)).contains(payload) else {
            throw ValidationError("--payload is 0 to \(BrokerLimits.hardMessageBytes - 100) bytes.")
        }
        guard keys >= 1, (1...10_000).contains(window), waiting >= 1,
            (16...4096).contains(pointBytes)
        else {
            throw ValidationError(
                "--keys and --waiting are 1 or more, --window 1 to 10000, --point-bytes 16 to 4096."
            )
        }
        if let backlog, backlog < batch {
            throw ValidationError("--backlog is at least one batch.")
        }
    }

    func run() async throws {
        if mode == .history {
            let report = try await measureHistory()
            try store.output(HistoryBenchReport.self).one(report)
            if report.figures.counted != report.figures.runs { throw ExitCode(1) }
            return
        }
        if metrics == .on { MetricsSystem.bootstrap(OpenMetricsFactory()) }
        var options = store
        let own = ownFile()
        if let own { options.broker = "sqlite:\(own)/bench.db" }
        defer { if let own { try? FileManager.default.removeItem(atPath: own) } }
        if mode == .stream {
            let report = try await options.withStore { open in
                let report = try await BenchStream(self, on: open).measure()
                await open.meter.close()
                return report
            }
            try store.output(StreamBenchReport.self).one(report)
            if report.lost > 0 || report.outOfOrder > 0 || report.shortWindows > 0 {
                throw ExitCode(1)
            }
            return
        }
        let report = try await options.withStore { open in
            let run = try BenchRun(self, on: open)
            let report = try await run.measure()
            if own == nil, !keep { try await run.clean() }
            await open.meter.close()
            return report
        }
        try store.output(BenchReport.self).one(report)
        if report.lost > 0 || report.duplicates > 0 { throw ExitCode(1) }
    }

    /// Why: without a store named, the user's own queue is left alone.
    private func ownFile() -> String? {
        let isNamed =
            store.broker != nil
            || ProcessInfo.processInfo.environment["GODWIT_BROKER"]?.isEmpty == false
        guard !isNamed || store.broker == "sqlite:" else { return nil }
        return FileManager.default.temporaryDirectory
            .appendingPathComponent("godwit-bench-\(UUID().uuidString)").path
    }
}
