// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

extension QueueCommands {
    /// `godwit queue limits QUEUE [--max-messages N …]`
    struct Limits: AsyncParsableCommand {
        enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

        static let configuration = CommandConfiguration(
            abstract: "Show how a queue is kept, or change it for all processes.",
            discussion: "Without an option it shows. A change prints the command that undoes it.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @Option(help: "How many messages it holds at most, live and dead.") var maxMessages: Int?
        @Option(help: "How many leases it gives out at once; none: without a limit.")
        var maxLeased: String?
        @Option(help: "How long finished records stay.", transform: StoreOptions.duration)
        var keep: Duration?
        @Option(help: "How many finished records stay at most.") var keepRecords: Int?
        @Option(help: "How long dead letters stay.", transform: StoreOptions.duration)
        var keepDeadFor: Duration?
        @Option(help: "How many dead letters stay at most.") var keepDead: Int?
        @Option(help: "The record is written at reserve too.") var tracking: Switch?
        @Option(help: "An event for the history with each settle.") var events: Switch?
        @OptionGroup var store: StoreOptions

        func validate() throws {
            for (name, value) in [
                ("--max-messages", maxMessages), ("--keep-records", keepRecords),
                ("--keep-dead", keepDead),
            ] {
                if let value, !(0...1_000_000_000).contains(value) {
                    throw ValidationError("\(name) is 0 to 1000000000, not \(value).")
                }
            }
            if let maxLeased, maxLeased != "none" {
                guard let count = Int(maxLeased), (1...1_000_000).contains(count) else {
                    throw ValidationError(
                        "--max-leased is 1 to 1000000, or none, not '\(maxLeased.prefix(40).shown)'."
                    )
                }
            }
        }

        func run() async throws {
            let output = try store.output(LimitsRow.self)
            try await store.withStore { open in
                try await open.requireQueue(queue)
                let old = try await open.broker.operator.settings(of: queue)
                let new = changed(old)
                if new == old {
                    return try output.one(LimitsRow(queue: queue.text, settings: old))
                }
                if store.isDry {
                    try output.one(LimitsRow(queue: queue.text, settings: new))
                    return Talk.say("this is how it would be kept; nothing was changed")
                }
                try await open.broker.operator.apply(new, to: queue)
                await open.audit("queue limits", queue.text, Self.line(queue, new), affected: 1)
                try output.one(LimitsRow(queue: queue.text, settings: new))
                Talk.say("undo: \(Self.line(queue, old))")
            }
        }

        private func changed(_ old: QueueSettings) -> QueueSettings {
            var new = old
            if let maxMessages { new.maxMessages = maxMessages }
            if let maxLeased { new.maxLeased = Int(maxLeased) }
            if let keep { new.keepMilliseconds = keep.wholeMilliseconds }
            if let keepRecords { new.keepRecords = keepRecords }
            if let keepDeadFor { new.keepDeadMilliseconds = keepDeadFor.wholeMilliseconds }
            if let keepDead { new.keepDead = keepDead }
            if let tracking { new.tracksLeases = tracking == .on }
            if let events { new.recordsEvents = events == .on }
            return new
        }

        private static func line(_ queue: QueueName, _ settings: QueueSettings) -> String {
            """
            godwit queue limits \(queue) --max-messages \(settings.maxMessages) --max-leased \
            \(settings.maxLeased.map(String.init) ?? "none") --keep \(settings.keepMilliseconds)ms \
            --keep-records \(settings.keepRecords) --keep-dead-for \(settings.keepDeadMilliseconds)ms \
            --keep-dead \(settings.keepDead) --tracking \(settings.tracksLeases ? "on" : "off") \
            --events \(settings.recordsEvents ? "on" : "off")
            """
        }
    }
}

struct LimitsRow: Row {
    static let schema = "godwit.queue.limits/1"
    static let columns: [Column<LimitsRow>] = [
        .text("queue", "its name") { $0.queue },
        .int("max_messages", "holds at most, live and dead") { $0.settings.maxMessages },
        .int("max_leased", "leases at once; null: without a limit") { $0.settings.maxLeased },
        .span("keep_ms", "how long finished records stay") {
            .milliseconds($0.settings.keepMilliseconds)
        },
        .int("keep_records", "finished records at most") { $0.settings.keepRecords },
        .span("keep_dead_ms", "how long dead letters stay") {
            .milliseconds($0.settings.keepDeadMilliseconds)
        },
        .int("keep_dead", "dead letters at most") { $0.settings.keepDead },
        .flag("tracks_leases", "the record is written at reserve too") { $0.settings.tracksLeases },
        .flag("records_events", "an event for the history with each settle") {
            $0.settings.recordsEvents
        },
    ]
    let queue: String
    let settings: QueueSettings
}
