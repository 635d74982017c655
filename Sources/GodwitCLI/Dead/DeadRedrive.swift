// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

extension DeadCommands {
    struct Redrive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Dead letters run again, with their attempts back at 0.",
            discussion: """
                By ids, by --group, by --where, or --all of a queue. A letter whose unique key a \
                live message has, stays, and is named. Look first with --dry-run: its --token binds \
                the redrive to what it showed.
                """)
        @Argument(help: ArgumentHelp("[QUEUE] ID…", valueName: "id")) var words: [String] = []
        @Flag(help: "All of the queue.") var all = false
        @Option(help: "An error group: a fingerprint of `godwit dead groups`.") var group: String?
        @OptionGroup var bulk: BulkOptions
        @OptionGroup var store: StoreOptions

        func validate() throws {
            let targets = try Targets(words)
            guard all || bulk.condition != nil || group != nil || !targets.ids.isEmpty else {
                throw ValidationError("give ids of dead letters, --group, --where or --all.")
            }
            guard !all || targets.queue != nil else {
                throw ValidationError("--all is all of one queue: name it.")
            }
            try bulk.validate(words, hasOther: all || group != nil)
        }

        func run() async throws {
            let targets = try Targets(words)
            if targets.ids.isEmpty { return try await redriveMany(targets.queue) }
            let output = try store.output(Redriven.self)
            try await store.withStore { open in
                if let queue = targets.queue { try await open.requireQueue(queue) }
                var tally = Redriven(queue: targets.queue?.text ?? "")
                for id in targets.ids {
                    guard let found = try await open.find(id, in: targets.queue) else {
                        tally.notDead += 1
                        continue
                    }
                    if tally.queue.isEmpty { tally.queue = found.queue.text }
                    if store.isDry {
                        if found.record.state != .dead { tally.notDead += 1 }
                        continue
                    }
                    tally.count(
                        id, try await open.broker.operator.redrive([id], in: found.queue).first)
                }
                if store.isDry {
                    try output.one(tally)
                    return Talk.say(
                        "would redrive \(targets.ids.count - tally.notDead); nothing was done")
                }
                await open.audit(
                    "dead redrive", tally.queue,
                    targets.ids.map(\.description).joined(separator: " "), affected: tally.redriven)
                try output.one(tally)
                try tally.conclude(targets.ids.count)
            }
        }

        private func redriveMany(_ queue: QueueName?) async throws {
            let preview = try store.output(BulkRow.self)
            let output = try store.isDry ? nil : store.output(Redriven.self)
            let verb = Bulk.Verb(name: "dead redrive", past: "redriven", states: [.dead])
            let search = try bulk.search(
                queue, verb, extra: DeadCommands.condition(nil, group: group))
            try await store.withStore { open in
                if let queue { try await open.requireQueue(queue) }
                var work = Bulk(verb: verb, search: search, options: bulk, store: store, open: open)
                guard try await work.agree(preview) else { return }
                var tally = Redriven(queue: queue?.text ?? "")
                try await work.act { queue, ids in
                    let outcomes = try await open.broker.operator.redrive(ids, in: queue)
                    for (id, outcome) in zip(ids, outcomes) { tally.count(id, outcome) }
                    return outcomes.map { outcome in
                        switch outcome {
                        case .redriven: nil
                        case .notDead: "not dead any more"
                        case .uniqueKeyTaken: "unique key taken"
                        }
                    }
                }
                // Those that were left out by the look before the act.
                tally.notDead = work.row.refused - tally.uniqueKeyTaken
                try output?.one(tally)
                // Why only these: one that is not dead any more was meant to come back, and has.
                if tally.uniqueKeyTaken > 0 { try tally.conclude(work.row.matched) }
                Talk.say(
                    "see them with `godwit job list --state ready`; back with `godwit job cancel ID`"
                )
            }
        }
    }
}

/// What a redrive did.
struct Redriven: Row {
    static let schema = "godwit.redrive/1"
    static let columns: [Column<Redriven>] = [
        .text("queue", "where") { $0.queue },
        .int("redriven", "dead letters that run again") { $0.redriven },
        .int("not_dead", "ids that are no dead letters") { $0.notDead },
        .int("unique_key_taken", "dead letters that stay: a live message has their key") {
            $0.uniqueKeyTaken
        },
        .list("taken", "of those, up to 100 with the live message", .detail) { row in
            row.taken.map {
                .object([("id", .text("\($0.0)")), ("by", .text("\($0.1)"))])
            }
        },
    ]
    var queue: String
    var redriven = 0
    var notDead = 0
    var uniqueKeyTaken = 0
    var taken: [(MessageID, MessageID)] = []

    init(queue: String) { self.queue = queue }

    mutating func count(_ id: MessageID, _ outcome: RedriveOutcome?) {
        switch outcome {
        case .redriven: redriven += 1
        case .notDead, nil: notDead += 1
        case .uniqueKeyTaken(let other):
            uniqueKeyTaken += 1
            if taken.count < 100 { taken.append((id, other)) }
        }
    }

    func conclude(_ asked: Int) throws {
        if uniqueKeyTaken > 0 {
            let named = taken.prefix(3).map { "\($0.0) (its key belongs to \($0.1))" }
            throw Failure(
                .failed,
                """
                \(uniqueKeyTaken) of \(asked) dead letter(s) stay, because a live message has their \
                unique key: \(named.joined(separator: ", ")). Redrive them when it has ended: \
                `godwit job wait ID`.
                """)
        }
        if notDead > 0 {
            throw Failure(
                .failed,
                """
                \(notDead) of \(asked) id(s) are no dead letters\
                \(queue.isEmpty ? "" : " of '\(queue)'"); `godwit dead list` shows those that are.
                """)
        }
        Talk.say("see them with `godwit job show ID`; back with `godwit job cancel ID`")
    }
}
