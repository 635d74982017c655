// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit

/// What a verb takes that can work on many: a query, and the agreement to what it was shown to mean.
struct BulkOptions: ParsableArguments {
    @Option(name: .customLong("where"), help: "All that match: see `godwit help query`.")
    var condition: String?
    @Option(help: "The token that --dry-run printed for the same query, up to 5 minutes ago.")
    var token: String?
    @Option(help: ArgumentHelp("At most so many a second.", valueName: "n"))
    var perSecond: Int?

    func validate(_ words: [String], hasOther: Bool = false) throws {
        let targets = try Targets(words)
        // Why: nothing typed is more likely an empty variable of a script than a wish for everything.
        if let condition, let query = try? Query(condition), query.terms.isEmpty {
            throw ValidationError(
                """
                --where has no term in it, and would mean everything. Nothing was done. If you mean \
                all, say so: --where 'kind:*'.
                """)
        }
        let hasQuery = condition != nil || hasOther
        guard targets.ids.isEmpty == hasQuery else {
            throw ValidationError(
                hasQuery
                    ? "ids and a query exclude each other: give one of both."
                    : "give ids, or --where with a query: see `godwit help query`.")
        }
        if let perSecond, perSecond < 1 {
            throw ValidationError("--per-second is 1 or more, not \(perSecond).")
        }
        if token != nil, !hasQuery { throw ValidationError("--token goes with a query.") }
    }

    func search(_ queue: QueueName?, _ verb: Bulk.Verb, extra: String? = nil) throws -> Search {
        try Search(
            [condition, extra].compactMap { $0 }.joined(separator: " "), queue: queue,
            states: verb.states)
    }
}

/// One verb on all that match a query, bound to what was shown before.
struct Bulk: Sendable {
    struct Verb: Sendable {
        /// `dead redrive`
        let name: String
        let past: String
        /// Where a message must stand for it.
        let states: [MessageState]
    }

    /// The most that one call moves.
    static let most = 1_000_000
    private static let step = 64

    let verb: Verb
    let search: Search
    let options: BulkOptions
    let store: StoreOptions
    let open: OpenStore
    /// One as it was shown.
    struct Seen: Sendable {
        let id: MessageID
        let generation: UInt8
    }

    private var found: [(queue: QueueName, messages: [Seen])] = []
    /// What relative times count from, in all pages and looks.
    private var moment: Timestamp
    private var samples: [FoundMessage] = []
    private var scan = Scan(scanned: 0, isComplete: true)
    private(set) var row: BulkRow

    init(verb: Verb, search: Search, options: BulkOptions, store: StoreOptions, open: OpenStore) {
        self.verb = verb
        self.search = search
        self.options = options
        self.store = store
        self.open = open
        row = BulkRow(verb: verb.name, query: search.text)
        moment = open.now
    }

    /// Shows what it would be and asks; false when that was all, or the answer was no.
    mutating func agree(_ output: Output<BulkRow>) async throws -> Bool {
        var bound: BulkBound?
        if let token = options.token {
            bound = try BulkGrant.read(token, verb: verb.name, query: search.query, now: moment)
        }
        if let bound { moment = bound.at }
        try await collect(bound: bound)
        if let bound { try check(bound) }
        row.isDry = store.isDry
        if store.isDry {
            try grant()
            try output.one(row)
            Talk.say(
                "nothing was done; do it with the same command and --token \(row.token ?? "") instead of --dry-run"
            )
            return false
        }
        if options.token != nil { return true }
        for sample in row.samples { Talk.say("  " + sample.shown) }
        Talk.say("\(row.matched) message(s) match \(search.text.shown)")
        if row.matched == 0 { return true }
        if store.isSure { return true }
        guard Terminal.canAsk else {
            throw Failure(
                .usage,
                """
                \(verb.name) would move \(row.matched) message(s), and nobody is there to be asked. \
                Nothing was done. Look with --dry-run, then repeat with the --token it prints, or \
                add --yes.
                """)
        }
        guard Talk.ask("Let \(row.matched) be \(verb.past)? Type yes: ") == "yes" else {
            Talk.say("nothing was done")
            return false
        }
        return true
    }

    /// Works through what was collected; `step` answers nil for one that moved, else why not.
    ///
    /// Long may lie between the preview and this: each step is read again right before it, and what
    /// does not match any more, stands in no state of the verb or has been redriven since is left
    /// alone and counted as refused. The look and the act are two steps, because no store moves on
    /// a condition of ours: a message that moves in the instant between them is still acted on where
    /// the verb allows it (a redrive and a promote look at the state themselves, a cancel ends a
    /// message wherever it stands).
    mutating func act(
        _ step: (QueueName, [MessageID]) async throws -> [String?]
    ) async throws {
        let start = ContinuousClock.now
        var begun = 0
        do {
            for (queue, messages) in found {
                var rest = messages[...]
                while !rest.isEmpty {
                    // Why small steps under a rate: it is kept within a tenth of a second.
                    let size = min(Self.step, options.perSecond.map { max(1, $0 / 10) } ?? .max)
                    let part = Array(rest.prefix(size))
                    rest = rest.dropFirst(part.count)
                    if let rate = options.perSecond {
                        try await Task.sleep(
                            until: start + .seconds(Double(begun) / Double(rate)),
                            clock: .continuous)
                    }
                    begun += part.count
                    let reasons = try await look(at: part, in: queue)
                    let ids = zip(part, reasons).filter { $1 == nil }.map(\.0.id)
                    for case let reason? in reasons { count(reason) }
                    if ids.isEmpty { continue }
                    for outcome in try await step(queue, ids) { count(outcome) }
                }
            }
        } catch {
            let failure = Failure(error)
            await note()
            throw Failure(
                failure.code,
                """
                \(failure.description) \(row.moved) of \(row.matched) were \(verb.past) before; up \
                to \(Self.step) more may be. The same command again takes the rest.
                """)
        }
        await note()
    }

    /// For each, why it is not what was shown any more; nil where it is.
    private func look(at part: [Seen], in queue: QueueName) async throws -> [String?] {
        let (inspector, verb, query, moment) = (
            open.broker.inspector, verb, search.query, moment
        )
        return try await withThrowingTaskGroup(of: (Int, String?).self) { group in
            for (index, seen) in part.enumerated() {
                group.addTask {
                    guard let record = try await inspector.message(seen.id, in: queue) else {
                        return (index, "gone")
                    }
                    if !verb.states.contains(record.state) {
                        return (index, "\(record.state.rawValue) now")
                    }
                    if record.entry.generation != seen.generation {
                        return (index, "redriven meanwhile")
                    }
                    return (
                        index,
                        query.matches(record, in: queue, now: moment)
                            ? nil : "does not match any more"
                    )
                }
            }
            var reasons = [String?](repeating: nil, count: part.count)
            for try await (index, reason) in group { reasons[index] = reason }
            return reasons
        }
    }

    private mutating func count(_ outcome: String?) {
        guard let outcome else {
            row.moved += 1
            return
        }
        row.refused += 1
        row.reasons[outcome, default: 0] += 1
    }

    private func note() async {
        await open.audit(
            verb.name, Set(found.map(\.queue.text)).sorted().joined(separator: ","), search.text,
            affected: row.moved)
    }

    /// Exit 1 when some stayed.
    func conclude() throws {
        Talk.say("see them again with `godwit job list --where 'id:…'` or `godwit audit list`")
        guard row.refused > 0 else { return }
        let why = row.reasons.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        throw Failure(
            .failed,
            """
            \(row.refused) of \(row.matched) message(s) were not \(verb.past): \
            \(why.joined(separator: ", ")). They stay where they were; \
            `godwit job list --where` shows them.
            """)
    }

    private mutating func collect(bound: BulkBound?) async throws {
        var limit = min(store.limit ?? Self.most, Self.most)
        // A preview that was cut showed these first ones and no other.
        if let bound, bound.digest != nil { limit = min(limit, bound.matched) }
        var byQueue: [QueueName: [Seen]] = [:]
        // Why: what moves on while it is read may be seen again.
        var known: [QueueName: Set<MessageID>] = [:]
        var cursor: String?
        repeat {
            let page = try await search.page(
                on: open, after: cursor, limit: min(1000, limit - row.matched), now: moment,
                upTo: bound?.upper)
            scan.scanned += page.scan.scanned
            for found in page.found {
                // What came later was not previewed: by its id, or by when it came to stand there.
                if let bound, !bound.covers(found) { continue }
                let id = found.record.id
                guard known[found.queue, default: []].insert(id).inserted else { continue }
                byQueue[found.queue, default: []].append(
                    Seen(id: id, generation: found.record.entry.generation))
                row.upper = max(row.upper ?? id, id)
                if samples.count < 3 { samples.append(found) }
                row.matched += 1
            }
            cursor = page.scan.next
        } while cursor != nil && row.matched < limit
        scan.isComplete = cursor == nil
        row.scan = scan
        row.samples = samples.map {
            "\($0.record.id) \($0.record.kind ?? "?") \(String(($0.record.reason ?? "").prefix(120)))"
        }
        found = byQueue.sorted { $0.key.text < $1.key.text }.map { ($0.key, $0.value) }
    }

    /// Refuses to reach further than what was shown.
    private func check(_ bound: BulkBound) throws {
        if row.matched > bound.matched {
            throw Failure(
                .data,
                """
                --token: at least \(row.matched) message(s) match now, and the preview showed \
                \(bound.matched): some came to match since. Nothing was done; look again with \
                --dry-run, which prints a new token.
                """)
        }
        if let digest = bound.digest, digest != BulkGrant.digest(of: found) {
            throw Failure(
                .data,
                """
                --token: the preview was cut by --limit, and the \(bound.matched) message(s) it \
                showed are not the first ones any more. Nothing was done; look again with --dry-run, \
                which prints a new token.
                """)
        }
    }

    private mutating func grant() throws {
        guard let upper = row.upper else { return }
        let bound = BulkBound(
            upper: upper, at: moment, matched: row.matched,
            digest: scan.isComplete ? nil : BulkGrant.digest(of: found))
        row.token = try BulkGrant.make(bound, verb: verb.name, query: search.query)
        row.expiresAt = moment + BulkGrant.life
    }
}

/// How far a bulk verb may reach: to the ids, the moment and the number of its preview.
struct BulkBound: Sendable, Hashable {
    var upper: MessageID
    var at: Timestamp
    var matched: Int
    /// Which ones they were, where --limit cut the preview: by id alone others would be meant too.
    var digest: String?

    func covers(_ found: FoundMessage) -> Bool {
        guard found.record.id <= upper else { return false }
        let since = found.record.finishedAt ?? found.record.entry.insertedAt
        return since <= at
    }
}

struct BulkRow: Row {
    static let schema = "godwit.bulk/1"
    static let columns: [Column<BulkRow>] = [
        .text("verb", "what was asked for") { $0.verb },
        .text("query", "for which messages, in the canonical form") { $0.query },
        .flag("dry_run", "nothing was done") { $0.isDry },
        .int("matched", "messages that match and are bound by the token") { $0.matched },
        .int("moved", "of them, those that were moved") { $0.moved },
        .int("refused", "of them, those that stayed") { $0.refused },
        .object("reasons", "why they stayed, with how many") { row in
            row.reasons.sorted { $0.key < $1.key }.map { ($0.key, .int($0.value)) }
        },
        .list("samples", "three of them") { $0.samples.map(Value.text) },
        .int("scanned", "records that were looked at") { $0.scan.scanned },
        .flag("complete", "all were looked at, up to --limit") { $0.scan.isComplete },
        .text("token", "binds a later call to this preview") { $0.token },
        .time("expires_at", "until when the token is good") { $0.expiresAt },
    ]
    let verb: String
    let query: String
    var isDry = false
    var matched = 0
    var moved = 0
    var refused = 0
    var reasons: [String: Int] = [:]
    var samples: [String] = []
    var scan = Scan(scanned: 0, isComplete: true)
    var upper: MessageID?
    var token: String?
    var expiresAt: Timestamp?

    init(verb: String, query: String) {
        self.verb = verb
        self.query = query
    }
}
