// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import GodwitStreams
import Logging
import PrintFleet
import ServiceLifecycle
import UnixSignals

/// Takes readings in and forecasts: intake and worker in one process, any number of processes.
struct WorkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "work",
        abstract: "Takes readings, analyses each with its device's last ones, and reports.",
        discussion: """
            Readings are JSON lines from files, standard input (-), or files that appear in a folder \
            (--watch; each becomes NAME.done). Without input it only works. Ends when the input \
            is at its end and everything is handled; with --watch or --follow, at SIGTERM or Ctrl-C. \
            Start it again, or several times at once, on the same --broker: nothing is lost or \
            counted twice.

            Alerts are jobs on the queue print-fleet-alerts, events on print-fleet-events. Lines that \
            are no readings go to --rejects with their number and reason.
            """)

    @Argument(help: "Files of readings; - is standard input.") var inputs: [String] = []
    @Option(help: "memory:, sqlite:PATH, redis://… or redis+unix://…") var broker =
        "sqlite:print-fleet.db"
    @Option(help: "A folder to take .jsonl files from as they appear.") var watch: String?
    @Flag(help: "Go on working when the input is at its end.") var follow = false
    @Option(help: "Keys analysed at once.") var concurrency = 4
    @Option(help: "Readings of a device that are kept.") var window = 100
    @Option(help: "File for the lines that are no readings, appended to.") var rejects: String?
    @OptionGroup var rules: RuleOptions
    @OptionGroup var report: ReportOptions

    func validate() throws {
        guard concurrency >= 1, (2...StreamLimits.window).contains(window) else {
            throw ValidationError(
                "--concurrency is 1 or more, --window 2 to \(StreamLimits.window).")
        }
    }

    func run() async throws {
        let broker = try await Fleet.open(broker)
        do {
            try await work(on: broker)
            await broker.shutdown()
        } catch {
            await broker.shutdown()
            throw error
        }
    }

    private func work(on broker: any StreamBroker) async throws {
        let progress = FleetProgress()
        let stream = Fleet.readings(on: broker, window: window)
        let worker = FleetWorker.make(
            stream, rules: try rules.rules(), concurrency: concurrency, progress: progress)
        let rejects = try rejects.map { try Rejects(path: $0) }
        let sources = try sources()
        let endless = follow || watch != nil
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { progress.workerEnded() }
                try await ServiceGroup(
                    configuration: .init(
                        services: [
                            .init(
                                service: worker,
                                successTerminationBehavior: .gracefullyShutdownGroup)
                        ],
                        gracefulShutdownSignals: [.sigterm, .sigint], logger: .current)
                ).run()
            }
            // Why both: a signal is known before the worker has ended, its failure after.
            let isStopping = { @Sendable in worker.isStopping || progress.hasEnded }
            let intake = Intake(stream, rejects: rejects, progress: progress, until: isStopping)
            do {
                for source in sources where !isStopping() {
                    defer { source.end() }
                    _ = try await intake.take(source)
                }
                if let watch { try await WatchedFolder(watch).run(intake, until: isStopping) }
            } catch {
                worker.stop()
                throw error
            }
            if !endless { worker.stopWhenDrained() }
            try await group.waitForAll()
        }
        progress.finish(keepsRejects: rejects != nil)
        try await report.print(stream)
    }

    private func sources() throws -> [Source] {
        var names = inputs
        // Why: `generate | work` needs no argument, and a worker without input none either.
        if names.isEmpty, watch == nil, !follow, isatty(0) == 0 { names = ["-"] }
        return try names.map { try Source(name: $0) }
    }
}

/// The analysis as a stream's worker.
enum FleetWorker {
    static func make(
        _ stream: FleetStream, rules: AlertRules, concurrency: Int, progress: FleetProgress
    ) -> StreamWorker<PackedReading, DeviceState> {
        var analysis = Analysis()
        analysis.rules = rules
        return StreamWorker(stream, concurrency: concurrency) { [analysis] window, context in
            let current = try window.current.reading()
            let previous = window.previous.lazy.compactMap { try? $0.reading() }
            let findings = analysis.analyse(
                current: current, previous: previous, state: &window.state)
            for alert in findings.alerts {
                try context.enqueue(SupplyAlert(alert), to: Fleet.alerts)
            }
            for event in findings.events {
                try context.enqueue(FleetEvent(event), to: Fleet.events)
            }
            progress.handled(findings)
        }
    }
}
