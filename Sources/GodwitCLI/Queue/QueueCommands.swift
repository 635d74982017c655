// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

/// `godwit queue …`
struct QueueCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "Look at queues; pause, resume, limit and purge them.",
        subcommands: [
            List.self, Show.self, Pause.self, Resume.self, Limits.self, Targets.self,
            Purge.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "All queues with what stands where.")
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(QueueRow.self)
            let limit = store.limit()
            try await store.withStore { open in
                var rows: [QueueRow] = []
                let queues = try await open.broker.inspector.queues()
                for queue in queues.prefix(limit) {
                    rows.append(
                        QueueRow(
                            queue: queue.text,
                            counts: try await open.broker.inspector.counts(of: queue)))
                }
                try output.list(rows, of: queues.count)
                if queues.isEmpty {
                    Talk.say("\(open.name) has no queue yet: the first enqueue makes one")
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "One queue: what stands where, what went through, how it is kept.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(QueueDetail.self)
            try await store.withStore { open in
                try await open.requireQueue(queue)
                let inspector = open.broker.inspector
                try output.one(
                    QueueDetail(
                        queue: queue.text, counts: try await inspector.counts(of: queue),
                        settings: try await open.broker.operator.settings(of: queue),
                        kinds: try await inspector.kinds(of: queue)))
            }
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hand out nothing more; what runs goes on, producers are not stopped.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @OptionGroup var store: StoreOptions

        func run() async throws { try await QueueCommands.setPaused(true, queue, store) }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Hand out messages again.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @OptionGroup var store: StoreOptions

        func run() async throws { try await QueueCommands.setPaused(false, queue, store) }
    }

    private static func setPaused(
        _ pauses: Bool, _ queue: QueueName, _ store: StoreOptions
    ) async throws {
        let output = try store.output(QueueState.self)
        try await store.withStore { open in
            try await open.requireQueue(queue)
            if store.isDry {
                let counts = try await open.broker.inspector.counts(of: queue)
                try output.one(QueueState(queue: queue.text, isPaused: counts.isPaused))
                return Talk.say(
                    pauses
                        ? "would pause '\(queue)' with \(counts.ready) ready; nothing was changed"
                        : "would hand out \(counts.ready) ready of '\(queue)'; nothing was changed")
            }
            if pauses {
                try await open.broker.operator.pause(queue)
            } else {
                try await open.broker.operator.resume(queue)
            }
            await open.audit(pauses ? "queue pause" : "queue resume", queue.text, affected: 1)
            try output.one(QueueState(queue: queue.text, isPaused: pauses))
            Talk.say("undo: godwit queue \(pauses ? "resume" : "pause") \(queue)")
        }
    }

    struct Purge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Cancel all messages that are ready now.",
            discussion: """
                What is leased, scheduled or dead stays, and what comes later, by the store's \
                clock. Asks for the queue's name on a terminal; elsewhere give it with --confirm. \
                There is no way back: --dry-run says how many it would be.
                """)
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @Option(help: ArgumentHelp("The queue's name once more.", valueName: "queue"))
        var confirm: String?
        @OptionGroup var store: StoreOptions

        func validate() throws {
            if store.isDry || confirm == queue.text { return }
            if confirm == nil, Terminal.canAsk { return }
            throw ValidationError(
                """
                this cancels every ready message of '\(queue)' for good. Nothing was done; if you \
                mean it, add --confirm \(queue).
                """)
        }

        func run() async throws {
            let output = try store.output(Purged.self)
            try await store.withStore { open in
                try await open.requireQueue(queue)
                // Why first: what becomes ready behind this moment was not meant.
                let moment = open.now
                let ready = try await open.broker.inspector.counts(of: queue).ready
                if store.isDry {
                    try output.one(Purged(queue: queue.text, purged: 0, ready: ready))
                    return Talk.say("would cancel \(ready) ready message(s); nothing was done")
                }
                if confirm == nil {
                    let typed = Talk.ask(
                        "This cancels \(ready) ready message(s) of '\(queue)' for good. Type its name: "
                    )
                    guard typed == queue.text else {
                        throw Failure(.usage, "that is not '\(queue)'. Nothing was done.")
                    }
                }
                var purged = 0
                do {
                    try await Self.purge(queue, before: moment, most: ready, &purged, open)
                } catch {
                    await open.audit("queue purge", queue.text, affected: purged)
                    throw error
                }
                await open.audit("queue purge", queue.text, affected: purged)
                try output.one(Purged(queue: queue.text, purged: purged, ready: ready))
                Talk.say(
                    "their records stay for a while: godwit job list --where 'queue:\(queue) state:cancelled'"
                )
            }
        }

        /// Cancels, by id and in steps of 64, what has been ready since before `moment`; `purged` counts
        /// along, so that a failure half way leaves a true figure.
        ///
        /// Each step is looked at right before it is cancelled. The look and the act are two steps,
        /// because no store cancels on a condition: one that a worker reserves in the instant between
        /// them is cancelled while it is leased, and its worker is told. What arrives, is released or
        /// promoted after `moment` is never touched: its entry says so.
        private static func purge(
            _ queue: QueueName, before moment: Timestamp, most: Int, _ purged: inout Int,
            _ open: OpenStore
        ) async throws {
            let search = try Search(nil, queue: queue, state: .ready)
            var before = -1
            // Why again until nothing goes: what leaves a list while it is read may hide its neighbour.
            while before < purged, purged < most {
                before = purged
                var cursor: String?
                repeat {
                    let page = try await search.page(
                        on: open, after: cursor, limit: min(64, most - purged), now: moment)
                    let meant = page.found.map(\.record).filter {
                        $0.state == .ready && $0.entry.readyAt <= moment
                            && $0.entry.insertedAt <= moment
                    }
                    if !meant.isEmpty {
                        purged += try await open.broker.operator.cancel(meant.map(\.id), in: queue)
                            .count { $0 }
                    }
                    cursor = page.scan.next
                } while cursor != nil && purged < most
            }
        }
    }
}

struct QueueState: Row {
    static let schema = "godwit.queue.state/1"
    static let columns: [Column<QueueState>] = [
        .text("queue", "its name") { $0.queue },
        .text("state", "paused or running") { $0.isPaused ? "paused" : "running" },
        .flag("is_paused", "nothing is handed out", .detail) { $0.isPaused },
    ]
    let queue: String
    let isPaused: Bool
}

struct Purged: Row {
    static let schema = "godwit.purge/1"
    static let columns: [Column<Purged>] = [
        .text("queue", "its name") { $0.queue },
        .int("purged", "messages that were cancelled") { $0.purged },
        .int("ready", "messages that were ready when it began") { $0.ready },
    ]
    let queue: String
    let purged: Int
    let ready: Int
}
