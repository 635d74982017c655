// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser
public import Godwit
import GodwitMonitor

/// Which part of the history is meant.
struct RangeOptions: ParsableArguments {
    @Option(help: "From then on: a moment in ISO 8601, or so long ago, like 1h or 7d.")
    var since: String = "1h"
    @Option(help: "Up to then; now when left out.") var until: String?
    @Option(help: "Only this queue.", transform: StoreOptions.queue) var queue: QueueName?
    @Option(help: "Only this kind.", transform: StoreOptions.kind) var kind: Kind?

    func validate() throws {
        _ = try Self.moment(since, now: .here)
        if let until { _ = try Self.moment(until, now: .here) }
    }

    func range(now: Timestamp) throws -> HistoryRange {
        // Why a second more: what ends in this very moment is meant too.
        let to = try until.map { try Self.moment($0, now: now) } ?? now + .seconds(1)
        let from = try Self.moment(since, now: now)
        guard from < to else {
            throw Failure(
                .usage,
                "--since \(from.text) is not before --until \(to.text): there is nothing between.")
        }
        return HistoryRange(from: from, to: to, queue: queue?.text, kind: kind?.name)
    }

    private static func moment(_ text: String, now: Timestamp) throws -> Timestamp {
        if let age = Duration(typed: text.hasPrefix("-") ? String(text.dropFirst()) : text) {
            return now + (.zero - age)
        }
        return try Enqueue.moment(text)
    }
}

/// `godwit history …`
struct HistoryCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "What ran, how long, how often it failed: from the history database.",
        discussion: """
            --history names it, else GODWIT_HISTORY, the context, or history.db beside the broker's \
            SQLite file. An archiver fills it; it is a few seconds late.
            """,
        subcommands: [Runs.self, Stats.self, Slowest.self, Groups.self, Rate.self])

    struct Runs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Runs, newest first.")
        @OptionGroup var range: RangeOptions
        @Option(help: "All runs of this message, oldest first.", transform: StoreOptions.id)
        var id: MessageID?
        @Option(help: "Only with this end; may be repeated.") var verdict: [Event.Move] = []
        @Option(help: "Only this error group.") var fingerprint: String?
        @Option(help: "Only of this worker, by its number.") var worker: UInt32?
        @Option(help: "Only where the reason holds this text.") var reason: String?
        @Option(help: ArgumentHelp("Go on behind this page.", valueName: "next")) var after: String?
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(RunLine.self)
            let limit = store.limit()
            try await store.withStore { open in
                let history = try await open.history.store()
                if let id {
                    let runs = try await history.runs(of: id)
                    return try output.list(runs.prefix(limit).map(RunLine.init))
                }
                let page = try await history.runs(
                    RunQuery(
                        range.range(now: open.now), verdicts: verdict.isEmpty ? nil : verdict,
                        fingerprint: fingerprint, worker: worker, reason: reason, limit: limit,
                        after: after.map(PageCursor.init)))
                try output.list(
                    page.runs.map(RunLine.init),
                    Scan(
                        scanned: page.runs.count, isComplete: page.next == nil,
                        next: page.next?.text))
            }
        }
    }

    struct Stats: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "By queue and kind: runs, failures, wait and run times.",
            discussion: "Percentiles are within 1 %. Long ranges are answered from panes.")
        @OptionGroup var range: RangeOptions
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(StatsRow.self)
            let limit = store.limit(1000)
            try await store.withStore { open in
                let stats = try await open.history.store().stats(range.range(now: open.now))
                try output.list(stats.prefix(limit).map { StatsRow(stats: $0) })
            }
        }
    }

    struct Slowest: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "The runs that took longest.")
        @OptionGroup var range: RangeOptions
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(RunLine.self)
            let limit = store.limit(20)
            try await store.withStore { open in
                let runs = try await open.history.store().slowest(
                    range.range(now: open.now), limit: limit)
                try output.list(runs.map(RunLine.init))
            }
        }
    }

    struct Groups: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Failures by what they have in common, the most frequent first.")
        @OptionGroup var range: RangeOptions
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(GroupRow.self)
            let limit = store.limit()
            try await store.withStore { open in
                let groups = try await open.history.store().groups(
                    range.range(now: open.now), limit: limit)
                try output.list(groups.map { GroupRow($0) })
            }
        }
    }

    struct Rate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Runs and failures by step of time, oldest first.")
        @OptionGroup var range: RangeOptions
        @Option(help: "The length of a step.", transform: StoreOptions.duration)
        var step: Duration = .seconds(60)
        @OptionGroup var store: StoreOptions

        func validate() throws {
            guard step >= .seconds(1) else { throw ValidationError("--step is at least 1s.") }
        }

        func run() async throws {
            let output = try store.output(RateRow.self)
            let limit = store.limit(10_000)
            try await store.withStore { open in
                let rates = try await open.history.store().rate(
                    range.range(now: open.now), step: step)
                try output.list(rates.prefix(limit).map { RateRow(rate: $0) })
            }
        }
    }
}

/// `godwit audit …`
struct AuditCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Who changed what, and with which query.",
        discussion: "Written by every verb that changes something, where there is a history.",
        subcommands: [List.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Writes of people, newest first.")
        @OptionGroup var range: RangeOptions
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(AuditRow.self)
            let limit = store.limit()
            try await store.withStore { open in
                let entries = try await open.history.store().audits(
                    range.range(now: open.now), limit: limit)
                try output.list(entries.map { AuditRow(entry: $0) })
            }
        }
    }
}

extension Event.Move: ExpressibleByArgument {}

extension OpenStore {
    /// By the store's clock.
    var now: Timestamp { broker.time.now() + broker.clockOffset }
}
