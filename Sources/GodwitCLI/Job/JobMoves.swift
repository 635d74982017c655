// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

extension JobCommands {
    struct Promote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let scheduled messages run now.",
            discussion: "By ids, or all that match --where.")
        @Argument(help: ArgumentHelp("[QUEUE] ID…", valueName: "id")) var words: [String] = []
        @OptionGroup var bulk: BulkOptions
        @OptionGroup var store: StoreOptions

        func validate() throws { try bulk.validate(words) }

        func run() async throws {
            try await JobCommands.move(
                .init(name: "job promote", past: "promoted", states: [.scheduled]), words, bulk,
                store
            ) { try await $0.operator.promote($1, in: $2) }
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End messages wherever they stand; the worker of a leased one is told.",
            discussion: "By ids, or all that match --where.")
        @Argument(help: ArgumentHelp("[QUEUE] ID…", valueName: "id")) var words: [String] = []
        @OptionGroup var bulk: BulkOptions
        @OptionGroup var store: StoreOptions

        func validate() throws { try bulk.validate(words) }

        func run() async throws {
            try await JobCommands.move(
                .init(
                    name: "job cancel", past: "cancelled",
                    states: [.ready, .scheduled, .leased, .dead]), words, bulk, store
            ) { try await $0.operator.cancel($1, in: $2) }
        }
    }

    /// A move by ids prints what became of each; one by a query, how many.
    static func move(
        _ verb: Bulk.Verb, _ words: [String], _ bulk: BulkOptions, _ store: StoreOptions,
        _ step: @escaping @Sendable (any Broker, [MessageID], QueueName) async throws -> [Bool]
    ) async throws {
        let targets = try Targets(words)
        if targets.ids.isEmpty {
            let output = try store.output(BulkRow.self)
            let search = try bulk.search(targets.queue, verb)
            return try await store.withStore { open in
                if let queue = targets.queue { try await open.requireQueue(queue) }
                var work = Bulk(verb: verb, search: search, options: bulk, store: store, open: open)
                guard try await work.agree(output) else { return }
                try await work.act { queue, ids in
                    try await step(open.broker, ids, queue).map { $0 ? nil : "not moved" }
                }
                try output.one(work.row)
                try work.conclude()
            }
        }
        let output = try store.output(MovedRow.self)
        try await store.withStore { open in
            if let queue = targets.queue { try await open.requireQueue(queue) }
            var rows: [MovedRow] = []
            var refused = 0
            for id in targets.ids {
                let found = try await open.find(id, in: targets.queue)
                var outcome = found.map { "is \($0.record.state.rawValue)" } ?? "unknown"
                if let found, store.isDry {
                    outcome =
                        verb.states.contains(found.record.state)
                        ? "would be \(verb.past)" : outcome
                } else if let found, verb.states.contains(found.record.state) {
                    // Found right before: see ``Bulk/act(_:)`` for what is left between the two.
                    if try await step(open.broker, [id], found.queue).first == true {
                        outcome = verb.past
                    }
                }
                if outcome != verb.past, !store.isDry { refused += 1 }
                rows.append(MovedRow(id: "\(id)", queue: found?.queue.text, outcome: outcome))
            }
            let moved = rows.count - refused
            if !store.isDry {
                await open.audit(
                    verb.name, rows.compactMap(\.queue).first ?? "",
                    targets.ids.map(\.description).joined(separator: " "), affected: moved)
            }
            try output.list(rows)
            if refused > 0 {
                throw Failure(
                    .failed,
                    """
                    \(refused) of \(rows.count) message(s) were not \(verb.past): the list says \
                    where they stand. `promote` moves scheduled messages, `cancel` all that have \
                    not ended; `godwit job show ID` shows one.
                    """)
            }
            if moved > 0, !store.isDry { Talk.say("see them with `godwit job show ID`") }
        }
    }
}
