// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit
import GodwitMonitor

/// `godwit dead …`
struct DeadCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "Look at dead letters; give them a second life, export or drop them.",
        discussion: "`groups` is where to begin: what fails, how often, since when.",
        subcommands: [
            List.self, Groups.self, Show.self, Redrive.self, Export.self, Prune.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Dead letters that match.")
        @Argument(help: "The queue; all of them when left out.", transform: StoreOptions.queue)
        var queue: QueueName?
        @Option(name: .customLong("where"), help: "Which ones: see `godwit help query`.")
        var condition: String?
        @Option(help: "Only this error group: a fingerprint of `godwit dead groups`.")
        var group: String?
        @Option(help: ArgumentHelp("Go on behind this page.", valueName: "next")) var after: String?
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(JobRow.self)
            let limit = store.limit()
            let search = try Search(
                DeadCommands.condition(condition, group: group), queue: queue, state: .dead)
            try await store.withStore { open in
                if let queue { try await open.requireQueue(queue) }
                let page = try await search.page(
                    on: open, after: after, limit: limit, now: open.now)
                try output.list(page.found.map(JobRow.init), page.scan)
            }
        }
    }

    struct Groups: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "What dead letters have in common: count, first and last seen, reason, samples.",
            discussion: """
                By fingerprint: the kind and the reason without numbers, ids and quoted text. Give \
                one to `dead redrive --group` or `dead list --group`.
                """)
        @Argument(help: "The queue; all of them when left out.", transform: StoreOptions.queue)
        var queue: QueueName?
        @Option(help: "How many dead letters are looked at.") var scan: Int = 100_000
        @OptionGroup var store: StoreOptions

        func validate() throws {
            guard (1...1_000_000).contains(scan) else {
                throw ValidationError("--scan is 1 to 1000000, not \(scan).")
            }
        }

        func run() async throws {
            let output = try store.output(GroupRow.self)
            let limit = store.limit()
            let search = try Search(nil, queue: queue, state: .dead)
            try await store.withStore { open in
                if let queue { try await open.requireQueue(queue) }
                var groups: [String: GroupRow] = [:]
                var looked = 0
                let now = open.now
                var cursor: String?
                repeat {
                    let page = try await search.page(
                        on: open, after: cursor, limit: min(1000, scan - looked), now: now)
                    looked += page.found.count
                    for found in page.found {
                        let fingerprint = found.record.fingerprint ?? ""
                        groups["\(found.queue)/\(fingerprint)", default: GroupRow(found)].add(found)
                    }
                    cursor = page.scan.next
                } while cursor != nil && looked < scan
                let rows = groups.values.sorted {
                    ($0.count, $1.fingerprint) > ($1.count, $0.fingerprint)
                }
                try output.list(
                    Array(rows.prefix(limit)),
                    Scan(
                        scanned: looked, isComplete: cursor == nil && rows.count <= limit, next: nil
                    ))
                if rows.count > limit {
                    Talk.say("\(rows.count - limit) more group(s): raise --limit to see them")
                }
                if let first = rows.first, !first.fingerprint.isEmpty {
                    Talk.say(
                        "next: godwit dead redrive \(first.queue) --group \(first.fingerprint) --dry-run"
                    )
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "One dead letter with its reason, its runs and its bytes.")
        @Argument(help: ArgumentHelp("[QUEUE] ID", valueName: "id")) var words: [String]
        @OptionGroup var store: StoreOptions

        func validate() throws {
            guard try Targets(words).ids.count == 1 else {
                throw ValidationError("give one id, and before it a queue if you like.")
            }
        }

        func run() async throws {
            let targets = try Targets(words)
            let output = try store.output(MessageDetail.self)
            try await store.withStore { open in
                let found = try await open.requireMessage(targets.ids[0], in: targets.queue)
                guard found.record.state == .dead else {
                    throw Failure(
                        .noInput,
                        """
                        message \(found.record.id) of '\(found.queue)' is \
                        \(found.record.state.rawValue), not dead; `godwit job show \
                        \(found.record.id)` shows it.
                        """)
                }
                try output.one(MessageDetail(found))
                Talk.say("a second life: godwit dead redrive \(found.record.id)")
            }
        }
    }

    /// A query with a group in it.
    static func condition(_ condition: String?, group: String?) throws -> String? {
        guard let group else { return condition }
        guard !group.isEmpty, group.utf8.count <= 32,
            group.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x61...0x66).contains($0 | 0x20)
            })
        else {
            throw Failure(
                .data,
                "--group: '\(group.prefix(40))' is no fingerprint: sixteen hex digits, as `godwit dead groups` prints them."
            )
        }
        return [condition, "fingerprint:\(group)"].compactMap { $0 }.joined(separator: " ")
    }
}

/// Failures that have their fingerprint in common.
struct GroupRow: Row {
    static let schema = "godwit.group/1"
    static let columns: [Column<GroupRow>] = [
        .text("fingerprint", "for --group and `fingerprint:`") { $0.fingerprint },
        .text("queue", "where") { $0.queue },
        .text("kind", "of which kind") { $0.kind },
        .int("count", "how many") { $0.count },
        .time("first_at", "the first of them") { $0.firstAt },
        .time("last_at", "the last of them") { $0.lastAt },
        .text("reason", "what one of them says") { $0.reason },
        .list("samples", "three ids", .detail) { $0.samples.map(Value.text) },
    ]
    let fingerprint: String
    let queue: String
    let kind: String?
    var count = 0
    var firstAt: Timestamp
    var lastAt: Timestamp
    let reason: String?
    var samples: [String] = []

    init(_ found: FoundMessage) {
        fingerprint = found.record.fingerprint ?? ""
        queue = found.queue.text
        kind = found.record.kind
        reason = found.record.reason
        firstAt = found.record.finishedAt ?? found.record.entry.insertedAt
        lastAt = firstAt
    }

    init(_ group: ErrorGroup) {
        fingerprint = group.fingerprint
        queue = group.queue
        kind = group.kind
        count = group.count
        firstAt = group.firstAt
        lastAt = group.lastAt
        reason = group.reason
        samples = group.samples
    }

    mutating func add(_ found: FoundMessage) {
        let at = found.record.finishedAt ?? found.record.entry.insertedAt
        count += 1
        firstAt = min(firstAt, at)
        lastAt = max(lastAt, at)
        if samples.count < 3 { samples.append("\(found.record.id)") }
    }
}
