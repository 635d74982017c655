// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

extension DeadCommands {
    struct Prune: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drop dead letters: those past their keeping time, or those that match.",
            discussion: """
                Without an option: what is past the queue's keeping time. --older-than cancels those \
                that died before that, --where or --group those that match, after they were counted \
                and shown: off a terminal with --yes or the --token of --dry-run. There is no way \
                back: `godwit dead export` keeps a copy.
                """)
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName?
        @Option(
            help: "End those that died longer ago than this: finished<-AGE.",
            transform: StoreOptions.duration
        )
        var olderThan: Duration?
        @Option(help: "An error group: a fingerprint of `godwit dead groups`.") var group: String?
        @OptionGroup var bulk: BulkOptions
        @OptionGroup var store: StoreOptions

        private var isBulk: Bool { bulk.condition != nil || group != nil || olderThan != nil }

        func validate() throws {
            guard queue != nil || isBulk else {
                throw ValidationError("name a queue, or give --where or --group.")
            }
            guard isBulk || bulk.token == nil else {
                throw ValidationError("--token goes with --older-than, --where or --group.")
            }
            try bulk.validate([], hasOther: true)
        }

        func run() async throws {
            if isBulk {
                return try await JobCommands.move(
                    .init(name: "dead prune", past: "cancelled", states: [.dead]),
                    queue.map { [$0.text] } ?? [], narrowed(), store
                ) { try await $0.operator.cancel($1, in: $2) }
            }
            guard let queue else { return }
            let output = try store.output(Pruned.self)
            try await store.withStore { open in
                try await open.requireQueue(queue)
                var row = Pruned(queue: queue.text, pruned: 0, cancelled: 0)
                if !store.isDry { row.pruned = try await open.prune(queue) }
                try output.one(row)
                if store.isDry {
                    return Talk.say(
                        "nothing was pruned: `godwit queue limits \(queue)` says what is kept")
                }
                await open.audit("dead prune", queue.text, affected: row.pruned)
            }
        }

        /// All options as one query, so that there is one way to count, show, ask and bind.
        private func narrowed() throws -> BulkOptions {
            var options = bulk
            options.condition = [
                try DeadCommands.condition(bulk.condition, group: group),
                olderThan.map { "finished<-\($0.wholeMilliseconds)ms" },
            ].compactMap { $0 }.joined(separator: " ")
            return options
        }
    }
}

struct Pruned: Row {
    static let schema = "godwit.prune/1"
    static let columns: [Column<Pruned>] = [
        .text("queue", "where") { $0.queue },
        .int("pruned", "dead letters past their keeping time that were dropped") { $0.pruned },
        .int("cancelled", "dead letters that were ended before") { $0.cancelled },
    ]
    let queue: String
    var pruned: Int
    var cancelled: Int
}
