// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

/// `godwit queue …`
struct QueueCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "Look at queues; pause, resume and purge them.",
        subcommands: [List.self, Show.self, Pause.self, Resume.self, Purge.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "All queues with what stands where.")
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await store.withStore { open in
                var rows: [QueueRow] = []
                for queue in try await open.broker.inspector.queues() {
                    rows.append(
                        QueueRow(
                            queue: queue.text,
                            counts: try await open.broker.inspector.counts(of: queue)))
                }
                try store.output.list(rows)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "One queue: what stands where, what went through, how it is kept.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await store.withStore { open in
                try await open.requireQueue(queue)
                try store.output.one(
                    QueueDetail(
                        queue: queue.text,
                        counts: try await open.broker.inspector.counts(of: queue),
                        settings: try await open.broker.operator.settings(of: queue)))
            }
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hand out nothing more; what runs goes on, producers are not stopped.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await store.withStore { open in
                try await open.requireQueue(queue)
                try await open.broker.operator.pause(queue)
                try store.output.one(QueueState(queue: queue.text, isPaused: true))
            }
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Hand out messages again.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await store.withStore { open in
                try await open.requireQueue(queue)
                try await open.broker.operator.resume(queue)
                try store.output.one(QueueState(queue: queue.text, isPaused: false))
            }
        }
    }

    struct Purge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Cancel all ready messages.",
            discussion:
                "What is leased, scheduled or dead stays. Confirm by --yes with the queue's name.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @Option(help: "The queue's name once more.") var yes: String?
        @OptionGroup var store: StoreOptions

        func validate() throws {
            guard yes == queue.text else {
                throw ValidationError(
                    """
                    this cancels every ready message of '\(queue)' for good. Nothing was done; if you \
                    mean it, add --yes \(queue).
                    """)
            }
        }

        func run() async throws {
            try await store.withStore { open in
                try await open.requireQueue(queue)
                var purged = 0
                var last = 0
                repeat {
                    last = try await open.broker.operator.purge(queue, limit: 64)
                    purged += last
                } while last > 0
                try store.output.one(Purged(queue: queue.text, purged: purged))
            }
        }
    }
}

/// A line of `queue list`.
struct QueueRow: Row {
    static let columns = [
        "queue", "ready", "scheduled", "leased", "dead", "completed", "state",
    ]
    let queue: String
    let counts: QueueCounts

    var cells: [String] {
        [queue]
            + [counts.ready, counts.scheduled, counts.leased, counts.dead, counts.completed].map(
                String.init)
            + [counts.isPaused ? "paused" : "running"]
    }

    func encode(to encoder: any Encoder) throws {
        try counts.encode(to: encoder)
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(queue, forKey: .queue)
    }

    private enum Keys: String, CodingKey { case queue }
}

struct QueueDetail: Row {
    let queue: String
    let counts: QueueCounts
    let settings: QueueSettings

    static let columns = [
        "queue", "state", "ready", "scheduled", "leased", "dead", "suspects", "enqueued",
        "completed",
        "retried", "released", "rejected", "forwarded", "cancelled", "lost leases", "redriven",
        "pruned",
        "keeps finished", "keeps dead", "holds at most", "leases at once", "tracks leases",
        "records events",
    ]

    var cells: [String] {
        [queue, counts.isPaused ? "paused" : "running"]
            + [
                counts.ready, counts.scheduled, counts.leased, counts.dead, counts.suspects,
                counts.enqueued, counts.completed, counts.retried, counts.released, counts.rejected,
                counts.forwarded, counts.cancelled, counts.lost, counts.redriven, counts.pruned,
            ].map(String.init)
            + [
                "\(settings.keepRecords) for \(Duration.milliseconds(settings.keepMilliseconds).brief)",
                "\(settings.keepDead) for \(Duration.milliseconds(settings.keepDeadMilliseconds).brief)",
                "\(settings.maxMessages)", settings.maxLeased.map(String.init) ?? "no limit",
                settings.tracksLeases ? "yes" : "no", settings.recordsEvents ? "yes" : "no",
            ]
    }
}

struct QueueState: Row {
    static let columns = ["queue", "state"]
    let queue: String
    let isPaused: Bool
    var cells: [String] { [queue, isPaused ? "paused" : "running"] }
}

struct Purged: Row {
    static let columns = ["queue", "purged"]
    let queue: String
    let purged: Int
    var cells: [String] { [queue, "\(purged)"] }
}
