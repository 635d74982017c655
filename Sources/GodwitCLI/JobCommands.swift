// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

/// `godwit job …`
struct JobCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Look at one message; promote or cancel some by id.",
        subcommands: [Show.self, Promote.self, Cancel.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Everything the store knows of one message.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @Argument(help: "The message's id.", transform: StoreOptions.id) var id: MessageID
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await store.withStore { open in
                try store.output.one(MessageDetail(try await open.requireMessage(id, in: queue)))
            }
        }
    }

    struct Promote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let scheduled messages run now.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @Argument(help: "Ids of messages.", transform: StoreOptions.id) var ids: [MessageID]
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await store.withStore { open in
                try await move(ids, in: queue, of: open, as: "promoted", to: store.output) {
                    try await open.broker.operator.promote(ids, in: queue)
                }
            }
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End messages wherever they stand; the worker of a leased one is told.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @Argument(help: "Ids of messages.", transform: StoreOptions.id) var ids: [MessageID]
        @OptionGroup var store: StoreOptions

        func run() async throws {
            try await store.withStore { open in
                try await move(ids, in: queue, of: open, as: "cancelled", to: store.output) {
                    try await open.broker.operator.cancel(ids, in: queue)
                }
            }
        }
    }

    /// Prints what became of each id; fails when one was not moved, with the reason.
    private static func move(
        _ ids: [MessageID], in queue: QueueName, of open: OpenStore, as word: String,
        to output: Output, _ words: () async throws -> [Bool]
    ) async throws {
        try await open.requireQueue(queue)
        let moved = try await words()
        var rows: [MovedRow] = []
        var refused = 0
        for (id, isMoved) in zip(ids, moved) {
            if isMoved {
                rows.append(MovedRow(id: "\(id)", outcome: word))
                continue
            }
            refused += 1
            let record = try await open.broker.inspector.message(id, in: queue)
            rows.append(
                MovedRow(
                    id: "\(id)", outcome: record.map { "is \($0.state.rawValue)" } ?? "unknown"))
        }
        try output.list(rows)
        if refused > 0 {
            throw Failure(
                .noInput,
                """
                \(refused) of \(ids.count) message(s) of '\(queue)' were not \(word): the list says \
                where they stand. `promote` moves scheduled messages, `cancel` all that have not ended.
                """)
        }
    }
}

/// What became of one id.
struct MovedRow: Row {
    static let columns = ["id", "outcome"]
    let id: String
    let outcome: String
    var cells: [String] { [id, outcome] }
}
