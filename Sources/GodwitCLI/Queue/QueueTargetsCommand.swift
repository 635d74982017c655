// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit
import GodwitMonitor

extension QueueCommands {
    struct Targets: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Show what is expected of a queue, or change it: where advice begins to speak.",
            discussion: """
                Without an option it shows. `godwit doctor` and the alerts measure against it; no \
                message is treated otherwise because of it.
                """)
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @Option(help: "A mean wait above this is long.", transform: StoreOptions.duration)
        var wait: Duration?
        @Option(
            name: .customLong("run"), help: "A p95 run above this is long.",
            transform: StoreOptions.duration)
        var longRun: Duration?
        @Option(
            help: "A run is cancelled after this; tells when it comes near.",
            transform: StoreOptions.duration)
        var runTimeout: Duration?
        @Option(
            help: "A run without a checkpoint for so long is stuck.",
            transform: StoreOptions.duration)
        var progressTimeout: Duration?
        @Option(
            help: "What is there now should be done so long from now.",
            transform: StoreOptions.duration)
        var deadline: Duration?
        @Option(help: "A share of failures above this is spoken of, such as 0.05.")
        var errorShare: Double?
        @OptionGroup var store: StoreOptions

        func validate() throws {
            if let errorShare, !(0...1).contains(errorShare) {
                throw ValidationError("--error-share is from 0 to 1, not \(errorShare).")
            }
            for (name, time) in [
                ("--wait", wait), ("--run", longRun), ("--run-timeout", runTimeout),
                ("--progress-timeout", progressTimeout), ("--deadline", deadline),
            ] {
                if let time, time <= .zero { throw ValidationError("\(name) is above 0s.") }
            }
        }

        func run() async throws {
            let output = try store.output(TargetsRow.self)
            try await store.withStore { open in
                try await open.requireQueue(queue)
                let old = try await QueueTargets.read(of: queue, from: open.broker.board)
                let new = changed(old, at: open.broker.time.now() + open.broker.clockOffset)
                if new == old || store.isDry {
                    try output.one(TargetsRow(queue: queue.text, targets: new))
                    if new != old {
                        Talk.say("this is what would be expected; nothing was changed")
                    }
                    return
                }
                try await new.write(of: queue, to: open.broker.board)
                await open.audit("queue targets", queue.text, affected: 1)
                try output.one(TargetsRow(queue: queue.text, targets: new))
                Talk.say("godwit doctor measures against it from now on")
            }
        }

        private func changed(_ old: QueueTargets, at now: Timestamp) -> QueueTargets {
            var new = old
            if let wait { new.wait = wait.inSeconds }
            if let longRun { new.run = longRun.inSeconds }
            if let runTimeout { new.timeout = runTimeout.inSeconds }
            if let progressTimeout { new.progressTimeout = progressTimeout.inSeconds }
            if let deadline { new.deadlineAt = now + deadline }
            if let errorShare { new.errorShare = errorShare }
            return new
        }
    }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(milliseconds) / 1000 }
}

struct TargetsRow: Row {
    static let schema = "godwit.queue.targets/1"
    static let columns: [Column<TargetsRow>] = [
        .text("queue", "its name") { $0.queue },
        .span("wait_ms", "a mean wait above this is long") { .seconds($0.targets.wait) },
        .span("run_ms", "a p95 run above this is long") { .seconds($0.targets.run) },
        .span("timeout_ms", "a run is cancelled after this") {
            $0.targets.timeout.map { .seconds($0) }
        },
        .span("progress_timeout_ms", "a run without a checkpoint for so long is stuck") {
            $0.targets.progressTimeout.map { .seconds($0) }
        },
        .time("deadline_at", "what is there should be done by then") { $0.targets.deadlineAt },
        .number("error_share", "a share of failures above this is spoken of") {
            $0.targets.errorShare
        },
    ]
    let queue: String
    let targets: QueueTargets
}
