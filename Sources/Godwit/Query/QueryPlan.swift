// SPDX-License-Identifier: Apache-2.0

/// A query with all that a store can narrow its search by, derived from its terms.
///
/// The rest is judged message by message, so a plan never leaves out what the query means; it only
/// says where not to look. It holds the `now` of relative times: pages of one search share a plan.
public struct QueryPlan: Sendable, Hashable {
    public let query: Query
    /// What ages and relative times count from.
    public let now: Timestamp
    /// Messages with a greater id are left out: what arrived after a preview.
    public var upperID: MessageID?

    package private(set) var queues: Names
    /// Never empty lists of what a field may be; nil where any will do.
    package let states: Set<MessageState>
    package let ids: [MessageID]?
    package let kinds: [String]?
    package let due: ClosedRange<Int64>
    package let finished: ClosedRange<Int64>

    /// Which queues to look in.
    package struct Names: Sendable, Hashable {
        /// The patterns of each term: one of each must fit.
        var groups: [[Query.TextPattern]] = []
        /// Of these only, whatever the query says; nil: of all.
        var allowed: Set<QueueName>?

        package func contains(_ queue: QueueName) -> Bool {
            if let allowed, !allowed.contains(queue) { return false }
            return groups.allSatisfy { $0.contains { $0.fits(queue.text) } }
        }
    }

    public init(_ query: Query, now: Timestamp, upperID: MessageID? = nil) {
        self.query = query
        self.now = now
        self.upperID = upperID
        var queues = Names()
        var states = Set(MessageState.allCases)
        var ids: Set<String>?
        var kinds: Set<String>?
        var due = Int64.min...Int64.max
        var finished = due
        for term in query.terms {
            switch term.test {
            case .text(.queue, let patterns) where !term.isNegated: queues.groups.append(patterns)
            case .text(.state, let patterns):
                states = states.filter { state in
                    patterns.contains { $0.fits(state.rawValue) } != term.isNegated
                }
            case .text(.id, let patterns) where !term.isNegated:
                ids = Self.narrowed(ids, to: patterns)
            case .text(.kind, let patterns) where !term.isNegated:
                kinds = Self.narrowed(kinds, to: patterns)
            case .time(.due, let spans) where !term.isNegated:
                states.formIntersection([.scheduled])
                due = Self.narrowed(due, to: spans, now)
            case .time(.finished, let spans) where !term.isNegated:
                states.formIntersection(Self.over)
                finished = Self.narrowed(finished, to: spans, now)
            default: break
            }
        }
        self.queues = queues
        self.states = states
        self.ids = ids.map { $0.compactMap { MessageID($0) }.sorted() }
        self.kinds = kinds.map { $0.sorted() }
        self.due = due
        self.finished = finished
    }

    /// The same query, looked for in no other queues than these. Cursors stay good.
    package func limited(to queues: Set<QueueName>) -> QueryPlan {
        var plan = self
        plan.queues.allowed = queues
        return plan
    }

    private static let over: Set<MessageState> = [.dead, .completed, .cancelled, .forwarded]

    /// Prefixes narrow nothing; several terms must all hold.
    private static func narrowed(
        _ names: Set<String>?, to patterns: [Query.TextPattern]
    ) -> Set<String>? {
        var exact: Set<String> = []
        for pattern in patterns {
            guard case .exact(let name) = pattern else { return names }
            exact.insert(name)
        }
        return names.map { $0.intersection(exact) } ?? exact
    }

    /// From the least to the greatest of what the spans cover.
    private static func narrowed(
        _ range: ClosedRange<Int64>, to spans: [Interval<Query.Moment>], _ now: Timestamp
    ) -> ClosedRange<Int64> {
        var low = Int64.max
        var high = Int64.min
        for span in spans {
            switch span.map({ $0.resolved(at: now) }) {
            case .exact(let bound):
                low = min(low, bound)
                high = max(high, bound)
            case .range(let first, let last):
                low = min(low, first)
                high = max(high, last)
            case .over(let bound), .least(let bound):
                low = min(low, bound)
                high = .max
            case .under(let bound), .most(let bound):
                low = .min
                high = max(high, bound)
            }
        }
        low = max(low, range.lowerBound)
        high = min(high, range.upperBound)
        // Nothing is in both: a range that holds one moment, and the terms refuse that one.
        return low <= high ? low...high : low...low
    }
}
