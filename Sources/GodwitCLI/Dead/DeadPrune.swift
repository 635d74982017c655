// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

extension DeadCommands {
    struct Prune: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drop dead letters: those past their keeping time, or those that match.",
            discussion: """
                Without an option: what is past the queue's keeping time. --older-than also cancels \
                those that died before that; --where or --group those that match. There is no way \
                back: `godwit dead export` keeps a copy.
                """)
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName?
        @Option(
            help: "Also end those that died longer ago than this.", transform: StoreOptions.duration
        )
        var olderThan: Duration?
        @Option(help: "An error group: a fingerprint of `godwit dead groups`.") var group: String?
        @OptionGroup var bulk: BulkOptions
        @OptionGroup var store: StoreOptions

        private var isBulk: Bool { bulk.condition != nil || group != nil }

        func validate() throws {
            guard queue != nil || isBulk else {
                throw ValidationError("name a queue, or give --where or --group.")
            }
            if isBulk {
                guard olderThan == nil else {
                    throw ValidationError("write --older-than into the query: finished<-7d.")
                }
                try bulk.validate([], hasOther: true)
            }
        }

        func run() async throws {
            if isBulk {
                return try await JobCommands.move(
                    .init(name: "dead prune", past: "cancelled", states: [.dead]),
                    queue.map { [$0.text] } ?? [], grouped(), store
                ) { try await $0.operator.cancel($1, in: $2) }
            }
            guard let queue else { return }
            let output = try store.output(Pruned.self)
            try await store.withStore { open in
                try await open.requireQueue(queue)
                var row = Pruned(queue: queue.text, pruned: 0, cancelled: 0)
                if !store.isDry { row.pruned = try await open.prune(queue) }
                if let olderThan { row.cancelled = try await cancel(olderThan, of: queue, open) }
                try output.one(row)
                if store.isDry {
                    return Talk.say("\(row.cancelled) would be cancelled; nothing was done")
                }
                await open.audit(
                    "dead prune", queue.text, olderThan.map { "--older-than \($0.brief)" } ?? "",
                    affected: row.pruned + row.cancelled)
            }
        }

        private func grouped() throws -> BulkOptions {
            var options = bulk
            options.condition = try DeadCommands.condition(bulk.condition, group: group)
            return options
        }

        private func cancel(
            _ age: Duration, of queue: QueueName, _ open: OpenStore
        ) async throws -> Int {
            let broker = open.broker
            let before = broker.time.now() + broker.clockOffset + (.zero - age)
            var cursor: PageCursor?
            var cancelled = 0
            repeat {
                let page = try await broker.inspector.messages(
                    .dead, in: queue, after: cursor, limit: 64)
                let old = page.messages.filter { ($0.finishedAt ?? $0.entry.insertedAt) < before }
                    .map(\.id)
                if old.isEmpty { break }
                cancelled +=
                    store.isDry
                    ? old.count
                    : try await broker.operator.cancel(old, in: queue).count { $0 }
                cursor = page.next
            } while cursor != nil
            return cancelled
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
