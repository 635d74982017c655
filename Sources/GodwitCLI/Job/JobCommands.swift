// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser
public import Godwit
import GodwitMonitor

/// `godwit job …`
struct JobCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Look for messages; follow, promote, cancel or edit them.",
        discussion:
            "An id is enough by itself; a queue's name before it makes the look-up cheaper.",
        subcommands: [
            List.self, Show.self, Tail.self, Wait.self, Promote.self, Cancel.self, Edit.self,
            Prune.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Messages that match, with what was scanned for them.",
            discussion: """
                Without --where or --state: what is ready, scheduled and leased. See `godwit help \
                query`. --after takes the `next` of the page before, with the same query.
                """)
        @Argument(help: "The queue; all of them when left out.", transform: StoreOptions.queue)
        var queue: QueueName?
        @Option(name: .customLong("where"), help: "Which ones: see `godwit help query`.")
        var condition: String?
        @Option(
            help: ArgumentHelp(
                "One state: \(MessageState.allCases.map(\.rawValue).joined(separator: ", ")).",
                valueName: "state"))
        var state: MessageState?
        @Option(help: ArgumentHelp("Go on behind this page.", valueName: "next")) var after: String?
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(JobRow.self)
            let limit = store.limit()
            let search = try Search(condition, queue: queue, state: state)
            try await store.withStore { open in
                if let queue { try await open.requireQueue(queue) }
                let page = try await search.page(
                    on: open, after: after, limit: limit, now: open.now)
                try output.list(page.found.map(JobRow.init), page.scan)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Everything that is known of one message, its payload and its runs.",
            discussion: "Asks the history where the store has forgotten it.")
        @Argument(help: ArgumentHelp("[QUEUE] ID", valueName: "id")) var words: [String]
        @OptionGroup var store: StoreOptions

        func validate() throws { _ = try target() }

        private func target() throws -> Targets {
            let targets = try Targets(words)
            guard targets.ids.count == 1 else {
                throw ValidationError("give one id, and before it a queue if you like.")
            }
            return targets
        }

        func run() async throws {
            let targets = try target()
            let output = try store.output(MessageDetail.self)
            try await store.withStore { open in
                let id = targets.ids[0]
                if let found = try await open.find(id, in: targets.queue) {
                    return try output.one(MessageDetail(found))
                }
                if let runs = try await open.pastRuns(of: id), !runs.isEmpty {
                    Talk.say("the store has forgotten it; its runs from \(open.history.name):")
                    return try store.output(RunLine.self).list(runs.map(RunLine.init))
                }
                _ = try await open.requireMessage(id, in: targets.queue)
            }
        }
    }

    struct Prune: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Drop finished records and dead letters that are past the queue's keeping time.",
            discussion: "Workers do it by themselves; `godwit queue limits` says what is kept.")
        @Argument(help: "The queue.", transform: StoreOptions.queue) var queue: QueueName
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(Pruned.self)
            try await store.withStore { open in
                try await open.requireQueue(queue)
                var row = Pruned(queue: queue.text, pruned: 0, cancelled: 0)
                if !store.isDry {
                    row.pruned = try await open.prune(queue)
                    await open.audit("job prune", queue.text, affected: row.pruned)
                } else {
                    Talk.say("nothing was pruned: `godwit queue limits \(queue)` says what is kept")
                }
                try output.one(row)
            }
        }
    }
}

extension MessageState: ExpressibleByArgument {}

extension OpenStore {
    /// Until nothing is past its time; returns how many dead letters went.
    func prune(_ queue: QueueName) async throws -> Int {
        var pruned = 0
        var last = 0
        // Why a bound: a defect in a store must not hold a person up for ever.
        for _ in 0..<100_000 {
            last = try await broker.prune(64, in: queue)
            pruned += last
            if last == 0 { break }
        }
        return pruned
    }

    /// What the history knows of a message; nil where there is none to ask.
    func pastRuns(of id: MessageID) async throws -> [RunRow]? {
        guard history.isThere else { return nil }
        do {
            return try await history.store().runs(of: id)
        } catch {
            Talk.say("the history can't be asked: \("\(error)".shown)")
            return nil
        }
    }
}
