// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

/// `godwit worker …`
struct WorkerCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Who works, on what, since when; quiet or stop a worker.",
        discussion: """
            Workers say every few seconds that they live; one that is not listed has not for a \
            while. `godwit work` starts one.
            """,
        subcommands: [List.self, Show.self, Quiet.self, Resume.self, Stop.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "All live workers with their slots.")
        @Argument(help: "Only of this queue.", transform: StoreOptions.queue)
        var queue: QueueName?
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(WorkerRow.self)
            let limit = store.limit()
            try await store.withStore { open in
                let rows = try await open.workers()
                    .filter { queue == nil || $0.beat.queue == queue?.text }
                try output.list(Array(rows.prefix(limit)), of: rows.count)
                if rows.isEmpty {
                    Talk.say(
                        "nobody works here: `godwit work QUEUE --exec COMMAND` starts a worker")
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "One worker: its slots, kinds and what runs, the longest first.")
        @Argument(help: "Its number, or its name.") var worker: String
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(WorkerDetail.self)
            try await store.withStore { open in
                try output.one(WorkerDetail(row: try await open.requireWorker(worker)))
            }
        }
    }

    struct Quiet: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take nothing new; what runs goes on, and the worker stays.")
        @Argument(help: "Numbers or names of workers.") var workers: [String]
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await WorkerCommands.order(.quiet, workers, store, "undo: godwit worker resume")
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a worker that was quieted take messages again.")
        @Argument(help: "Numbers or names of workers.") var workers: [String]
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await WorkerCommands.order(.resume, workers, store, "undo: godwit worker quiet")
        }
    }

    struct Stop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a worker like a graceful shutdown; something else must start it again.")
        @Argument(help: "Numbers or names of workers.") var workers: [String]
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await WorkerCommands.order(
                .stop, workers, store, "it is gone when `godwit worker list` has it no more:")
        }
    }

    /// How long an order stands: longer than the slowest beat.
    private static let standing = Duration.seconds(300)

    private static func order(
        _ order: WorkerOrder, _ names: [String], _ store: StoreOptions, _ after: String
    ) async throws {
        let output = try store.output(OrderRow.self)
        guard !names.isEmpty else {
            throw Failure(.usage, "name a worker: see `godwit worker list`.")
        }
        try await store.withStore { open in
            var workers: [WorkerRow] = []
            for name in names { workers.append(try await open.requireWorker(name)) }
            for worker in workers where !store.isDry {
                try await open.broker.board.write(
                    Array(order.rawValue.utf8), as: "\(worker.beat.number)", in: .orders,
                    for: standing, if: .any)
                await open.audit(
                    "worker \(order.rawValue)", worker.beat.queue, worker.beat.name, affected: 1)
            }
            try output.list(
                workers.map { OrderRow(worker: $0, order: order.rawValue, isGiven: !store.isDry) })
            let numbers = workers.map { "\($0.beat.number)" }.joined(separator: " ")
            Talk.say(
                store.isDry
                    ? "nothing was ordered"
                    : "it obeys at its next beat, within seconds; \(after) \(numbers)")
        }
    }
}

extension OpenStore {
    func workers() async throws -> [WorkerRow] {
        try await broker.board.notes(in: .workers).compactMap { note in
            guard let beat = WorkerBeat(note) else {
                Talk.say(
                    "the note of worker '\(note.name.shown)' can't be read: another version wrote it"
                )
                return nil
            }
            return WorkerRow(beat: beat, seenAt: note.writtenAt)
        }.sorted { ($0.beat.queue, $0.beat.number) < ($1.beat.queue, $1.beat.number) }
    }

    func requireWorker(_ name: String) async throws -> WorkerRow {
        let all = try await workers()
        let matching = all.filter { "\($0.beat.number)" == name || $0.beat.name == name }
        if matching.count == 1 { return matching[0] }
        throw Failure(
            .noInput,
            matching.isEmpty
                ? """
                no live worker of \(self.name) has the number or name '\(name.prefix(80))': it may \
                have ended. `godwit worker list` shows \(all.count).
                """
                : "\(matching.count) workers have the name '\(name.prefix(80))': give the number of one, as `godwit worker list` shows it."
        )
    }
}

struct WorkerRow: Row {
    static let schema = "godwit.worker/1"
    static let columns: [Column<WorkerRow>] = [
        .text("worker", "its number, for every verb") { "\($0.beat.number)" },
        .text("name", "host and process") { $0.beat.name },
        .text("queue", "what it works on") { $0.beat.queue },
        .text("state", "quiet or running") { $0.beat.isQuiet ? "quiet" : "running" },
        .int("slots", "how many it runs at once") { $0.beat.slots },
        .int("busy", "how many run now") { $0.beat.busy },
        .int("held", "messages it holds, waiting or running", .detail) { $0.beat.held },
        .int("finished", "runs that ended since it started") { $0.beat.finished },
        .int("failed", "of them, those that failed") { $0.beat.failed },
        .text("version", "of the program", .detail) {
            $0.beat.version.isEmpty ? nil : $0.beat.version
        },
        .span("lease_ms", "how long a message is its own", .detail) {
            .milliseconds($0.beat.leaseMilliseconds)
        },
        .time("started_at", "since when it works", .detail) { $0.beat.startedAt },
        .time("seen_at", "its last beat") { $0.seenAt },
    ]
    let beat: WorkerBeat
    let seenAt: Timestamp
}

struct WorkerDetail: Row {
    static let schema = "godwit.worker.detail/1"
    static let columns: [Column<WorkerDetail>] =
        WorkerRow.columns.map { column in
            Column<WorkerDetail>(
                name: column.name, type: column.type, about: column.about, place: .list
            ) {
                column.value($0.row)
            }
        } + [
            .list("kinds", "what it can run; empty: everything") {
                ($0.row.beat.kinds ?? []).map(Value.text)
            },
            .list("running", "what runs, the longest first") {
                $0.row.beat.running.map { run in
                    .object([
                        ("id", .text(run.id)), ("kind", .text(run.kind)),
                        ("since", .time(run.since)), ("attempt", .int(run.attempt)),
                        ("progressed_at", .optional(run.progressedAt)),
                    ])
                }
            },
        ]
    let row: WorkerRow
}

struct OrderRow: Row {
    static let schema = "godwit.order/1"
    static let columns: [Column<OrderRow>] = [
        .text("worker", "its number") { "\($0.worker.beat.number)" },
        .text("name", "host and process") { $0.worker.beat.name },
        .text("queue", "what it works on") { $0.worker.beat.queue },
        .text("order", "quiet, resume or stop") { $0.order },
        .flag("given", "false in a dry run") { $0.isGiven },
    ]
    let worker: WorkerRow
    let order: String
    let isGiven: Bool
}
