// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

/// `godwit dead …`
struct DeadCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "Look at dead letters; give them a second life or drop them.",
        subcommands: [List.self, Show.self, Redrive.self, Prune.self])

    /// How many one page and one step take.
    fileprivate static let step = 64

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Dead letters, oldest first.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @Option(help: "How many at most.") var limit: Int = 50
        @OptionGroup var store: StoreOptions

        func validate() throws { try DeadCommands.checkLimit(limit) }

        func run() async throws {
            try await store.withStore { open in
                try await open.requireQueue(queue)
                var rows: [MessageRow] = []
                var cursor: PageCursor?
                repeat {
                    let page = try await open.broker.inspector.messages(
                        .dead, in: queue, after: cursor,
                        limit: min(DeadCommands.step, limit - rows.count))
                    rows += page.messages.map(MessageRow.init)
                    cursor = page.next
                } while cursor != nil && rows.count < limit
                try store.output.list(rows)
                if cursor != nil { Talk.say("there are more: raise --limit to see them") }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "One dead letter with its reason, its runs and its bytes.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @Argument(help: "The message's id.", transform: StoreOptions.id) var id: MessageID
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await store.withStore { open in
                let record = try await open.requireMessage(id, in: queue)
                guard record.state == .dead else {
                    throw Failure(
                        .noInput,
                        """
                        message \(id) of '\(queue)' is \(record.state.rawValue), not dead; \
                        `godwit job show \(queue) \(id)` shows it.
                        """)
                }
                try store.output.one(MessageDetail(record))
            }
        }
    }

    struct Redrive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Dead letters run again, with their attempts back at 0.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @Argument(help: "Ids of dead letters.", transform: StoreOptions.id) var ids: [MessageID] =
            []
        @Flag(help: "All of them, oldest first.") var all = false
        @Option(help: "With --all: how many at most.") var limit: Int = 1_000_000
        @OptionGroup var store: StoreOptions

        func validate() throws {
            try DeadCommands.checkLimit(limit)
            guard all == ids.isEmpty else {
                throw ValidationError("give ids of dead letters, or --all: one of both.")
            }
        }

        func run() async throws {
            try await store.withStore { open in
                try await open.requireQueue(queue)
                var tally = Redriven(queue: queue.text)
                if all {
                    try await redriveAll(open, &tally)
                } else {
                    tally.count(try await open.broker.operator.redrive(ids, in: queue))
                }
                try store.output.one(tally)
                if tally.notDead > 0, !all {
                    throw Failure(
                        .noInput,
                        """
                        \(tally.notDead) of \(ids.count) id(s) are not dead letters of '\(queue)'; \
                        `godwit dead list \(queue)` shows those that are.
                        """)
                }
                if tally.uniqueKeyTaken > 0 {
                    throw Failure(
                        .temporary,
                        """
                        \(tally.uniqueKeyTaken) dead letter(s) of '\(queue)' stay: a live message has \
                        their unique key. Redrive them when it has ended.
                        """)
                }
            }
        }

        private func redriveAll(_ open: OpenStore, _ tally: inout Redriven) async throws {
            var cursor: PageCursor?
            var taken = 0
            repeat {
                let page = try await open.broker.inspector.messages(
                    .dead, in: queue, after: cursor, limit: min(DeadCommands.step, limit - taken))
                if page.messages.isEmpty { break }
                taken += page.messages.count
                cursor = page.next
                tally.count(
                    try await open.broker.operator.redrive(page.messages.map(\.id), in: queue))
            } while cursor != nil && taken < limit
        }
    }

    struct Prune: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drop dead letters that are past the queue's keeping time.",
            discussion:
                "With --older-than, those that died before that are cancelled too, whatever is kept."
        )
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @Option(
            help: "Also end those that died longer ago than this.", transform: StoreOptions.duration
        )
        var olderThan: Duration?
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await store.withStore { open in
                try await open.requireQueue(queue)
                var row = Pruned(queue: queue.text, pruned: 0, cancelled: 0)
                var last = 0
                repeat {
                    last = try await open.broker.prune(DeadCommands.step, in: queue)
                    row.pruned += last
                } while last > 0
                if let olderThan { row.cancelled = try await cancel(olderThan, open) }
                try store.output.one(row)
            }
        }

        private func cancel(_ age: Duration, _ open: OpenStore) async throws -> Int {
            let broker = open.broker
            let before = broker.time.now() + broker.clockOffset + (.zero - age)
            var cursor: PageCursor?
            var cancelled = 0
            repeat {
                let page = try await broker.inspector.messages(
                    .dead, in: queue, after: cursor, limit: DeadCommands.step)
                let old = page.messages.filter { ($0.finishedAt ?? $0.entry.insertedAt) < before }
                    .map(\.id)
                if old.isEmpty { break }
                cancelled += try await broker.operator.cancel(old, in: queue).filter { $0 }.count
                cursor = page.next
            } while cursor != nil
            return cancelled
        }
    }

    fileprivate static func checkLimit(_ limit: Int) throws {
        guard limit >= 1 else { throw ValidationError("--limit is 1 or more, not \(limit).") }
    }
}

/// What a redrive did.
struct Redriven: Row {
    static let columns = ["queue", "redriven", "not dead", "unique key taken"]
    let queue: String
    var redriven = 0
    var notDead = 0
    var uniqueKeyTaken = 0

    init(queue: String) { self.queue = queue }

    var cells: [String] { [queue, "\(redriven)", "\(notDead)", "\(uniqueKeyTaken)"] }

    mutating func count(_ outcomes: [RedriveOutcome]) {
        for outcome in outcomes {
            switch outcome {
            case .redriven: redriven += 1
            case .notDead: notDead += 1
            case .uniqueKeyTaken: uniqueKeyTaken += 1
            }
        }
    }
}

struct Pruned: Row {
    static let columns = ["queue", "pruned", "cancelled"]
    let queue: String
    var pruned: Int
    var cancelled: Int
    var cells: [String] { [queue, "\(pruned)", "\(cancelled)"] }
}
