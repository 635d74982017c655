// SPDX-License-Identifier: Apache-2.0

/// A query made ready for many messages: relative times resolved, words folded.
///
/// Stores learn what is needed of a message step by step, so a term has a stage, and what fails at
/// an early one is read no further.
package struct QueryMatcher: Sendable {
    /// What must be known of a message to judge a term.
    package enum Stage: Int, Sendable, Comparable {
        /// Queue, state, entry, kind, and the time by which its state is sorted (due, deadline).
        case place
        /// All of the record but the body.
        case record
        case body

        package static func < (left: Stage, right: Stage) -> Bool { left.rawValue < right.rawValue }
    }

    struct Item: Sendable {
        var term: Query.Term
        var stage: Stage
        /// The texts of the term, folded.
        var needles: [[UInt8]] = []
        var moments: [Interval<Int64>] = []
    }

    package let now: Timestamp
    /// The last stage that any term needs.
    package let stage: Stage
    let items: [Item]

    package init(_ query: Query, now: Timestamp) {
        self.now = now
        // Cheap ones first, so that a message fails as early as it can.
        items = query.terms.map { Self.item($0, now) }.sorted { $0.stage < $1.stage }
        stage = items.last?.stage ?? .place
    }

    private static func item(_ term: Query.Term, _ now: Timestamp) -> Item {
        var item = Item(term: term, stage: .place)
        switch term.test {
        case .word(let word):
            item.stage = .body
            item.needles = [Self.folded(word)]
        case .error(let texts):
            item.stage = .record
            item.needles = texts.map(Self.folded)
        case .argument: item.stage = .body
        case .text(let field, _), .number(let field, _), .duration(let field, _):
            item.stage = stage(of: field)
        case .time(let field, let spans):
            item.stage = stage(of: field)
            item.moments = spans.map { $0.map { $0.resolved(at: now) } }
        case .has(let presences):
            for case .field(let field) in presences {
                item.stage = max(item.stage, stage(of: field))
            }
            if presences.contains(where: { if case .argument = $0 { true } else { false } }) {
                item.stage = .body
            }
        }
        return item
    }

    private static func stage(of field: QueryField) -> Stage {
        switch field {
        case .id, .queue, .kind, .state, .attempt, .lost, .generation, .age, .inserted, .due: .place
        case .worker, .unique, .verdict, .fingerprint, .error, .count, .progress, .wait, .run,
            .executed, .finished:
            .record
        case .key, .tag, .trace, .size: .body
        }
    }

    /// Whether all terms that can be judged at this stage hold; a body that is not there has no fields.
    package func matches(
        _ record: MessageRecord, in queue: QueueName, at stage: Stage = .body
    ) -> Bool {
        var body = LazyBody(record.body)
        for item in items where item.stage <= stage {
            if holds(item, record, queue, &body) == item.term.isNegated { return false }
        }
        return true
    }

    static func folded(_ text: String) -> [UInt8] { Array(text.lowercased().utf8) }
}

extension Query {
    /// Whether the message is meant; `now` is what ages and relative times count from.
    ///
    /// Of a message without a body (one that has ended, or was read without) `key`, `tag`, `trace`,
    /// `size` and `args` are missing.
    public func matches(_ record: MessageRecord, in queue: QueueName, now: Timestamp) -> Bool {
        QueryMatcher(self, now: now).matches(record, in: queue)
    }

    public func matches(_ message: FoundMessage, now: Timestamp) -> Bool {
        matches(message.record, in: message.queue, now: now)
    }
}

/// A body, opened when the first term asks.
struct LazyBody {
    private let bytes: [UInt8]?
    private var opened: Envelope??

    init(_ bytes: [UInt8]?) { self.bytes = bytes }

    var size: Int? { bytes?.count }

    /// Nil for what is no envelope: its fields are missing.
    mutating func envelope() -> Envelope? {
        if let opened { return opened }
        let envelope = bytes.flatMap { try? Envelope($0) }
        opened = .some(envelope)
        return envelope
    }

    mutating func arguments() -> Arguments? {
        envelope().map { Arguments($0.payload, $0.contentType) }
    }
}
