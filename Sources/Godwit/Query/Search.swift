// SPDX-License-Identifier: Apache-2.0

/// What one call of a search may cost; the rest is for the next call.
public struct SearchBudget: Sendable, Hashable {
    /// The most messages of a page.
    public var messages: Int
    /// The most records that are looked at.
    public var records: Int
    /// How long it goes on before it looks at the next slice.
    public var time: Duration

    public static let maxRecords = 10_000
    public static let maxTime = Duration.milliseconds(50)

    /// At least one message and one record, at most ``maxRecords`` and ``maxTime``.
    public init(
        messages: Int = 50, records: Int = maxRecords, time: Duration = maxTime
    ) {
        self.messages = max(1, min(messages, 1000))
        self.records = max(1, min(records, Self.maxRecords))
        self.time = max(.zero, min(time, Self.maxTime))
    }
}

/// What a call of a search found, and how far it came.
public struct SearchPage: Sendable, Hashable {
    /// Without bodies.
    public var messages: [FoundMessage]
    /// How many records were looked at for this page.
    public var scanned: Int
    /// Where to go on; nil when everything was looked at.
    public var next: PageCursor?

    public init(messages: [FoundMessage], scanned: Int, next: PageCursor? = nil) {
        self.messages = messages
        self.scanned = scanned
        self.next = next
    }

    public var isComplete: Bool { next == nil }
}

/// One list of a queue, in which each message that stands there stands once.
package enum SearchWalk: String, Sendable, Hashable, CaseIterable {
    /// By deadline.
    case leased
    /// In the order of service.
    case ready
    /// By due.
    case scheduled
    /// Newest first.
    case dead
    /// Completed, cancelled and forwarded ones together, newest first.
    case ended

    package func holds(_ state: MessageState) -> Bool {
        self == .ended ? state.hasEnded : rawValue == state.rawValue
    }

    func isMeant(by plan: QueryPlan) -> Bool { plan.states.contains { holds($0) } }
}

/// A part of a walk that was looked at.
package struct SearchSlice: Sendable {
    /// Without bodies.
    package var found: [MessageRecord] = []
    package var scanned = 0
    /// Where the walk goes on, in the store's own form without slashes; nil when it is at its end.
    package var next: String?

    package init() {}
}

/// How much of a walk to look at in one step of the store.
package struct SearchStep: Sendable {
    package var walk: SearchWalk
    package var queue: QueueName
    /// Where the last slice of the walk ended; nil: at its beginning. What can't be read is nil.
    package var after: String?
    /// The most to look at, and the most to find.
    package var records: Int
    package var messages: Int
    /// The bytes of bodies after which it ends.
    package var bytes: Int
    package var plan: QueryPlan
    package var matcher: QueryMatcher

    package init(
        walk: SearchWalk, queue: QueueName, after: String?, records: Int, messages: Int, bytes: Int,
        plan: QueryPlan, matcher: QueryMatcher
    ) {
        self.walk = walk
        self.queue = queue
        self.after = after
        self.records = records
        self.messages = messages
        self.bytes = bytes
        self.plan = plan
        self.matcher = matcher
    }

    /// What can be refused before the whole record is read.
    package func mayMatch(_ record: MessageRecord) -> Bool {
        plan.upperID.map { record.id <= $0 } ?? true
            && matcher.matches(record, in: queue, at: .place)
    }

    package func matches(_ record: MessageRecord) -> Bool {
        plan.upperID.map { record.id <= $0 } ?? true && matcher.matches(record, in: queue)
    }
}

/// A store as a search sees it.
package protocol SearchSource: Inspector {
    func slice(_ step: SearchStep) async throws(BrokerError) -> SearchSlice
    func searchTime() -> Timestamp
    /// Which store, without credentials.
    var location: String { get }
    /// Bodies that one slice reads take about ``BrokerLimits/batchBytes``.
    var limits: BrokerLimits { get }
}

extension SearchSource {
    /// The most records of one step of the store, so that nobody waits long for it (I10).
    package static var sliceRecords: Int { 1000 }

    /// Goes through queues by name and through their walks, slice by slice, until the budget is used up.
    package func run(
        _ plan: QueryPlan, after cursor: PageCursor?, _ budget: SearchBudget
    ) async throws(BrokerError) -> SearchPage {
        let began = searchTime()
        // Why counted: a call that did nothing would never come to an end.
        var steps = 0
        var page = SearchPage(messages: [], scanned: 0)
        let matcher = QueryMatcher(plan.query, now: plan.now)
        let position = try self.position(of: cursor, in: plan)
        let queues = try await queues().filter {
            plan.queues.contains($0) && $0 >= position?.queue ?? $0
        }
        if let ids = plan.ids {
            return try await lookUp(ids, queues, plan, matcher, position, budget)
        }
        let walks = SearchWalk.allCases.filter { $0.isMeant(by: plan) }
        for queue in queues {
            var rest = walks[...]
            var after: String?
            if let position, position.queue == queue {
                rest = walks.drop { $0 != position.walk }
                after = position.inner
            }
            for walk in rest {
                repeat {
                    let isOverTime = searchTime() - began >= budget.time
                    if page.messages.count >= budget.messages || page.scanned >= budget.records
                        || (isOverTime && steps > 0)
                    {
                        page.next = SearchPosition(queue: queue, walk: walk, inner: after).cursor(
                            of: plan)
                        return page
                    }
                    let slice = try await slice(
                        SearchStep(
                            walk: walk, queue: queue, after: after,
                            records: min(Self.sliceRecords, budget.records - page.scanned),
                            messages: budget.messages - page.messages.count,
                            bytes: limits.batchBytes,
                            plan: plan, matcher: matcher))
                    steps += 1
                    page.scanned += slice.scanned
                    page.messages += slice.found.map { FoundMessage(queue: queue, record: $0) }
                    after = slice.next
                } while after != nil
            }
        }
        return page
    }

    private func position(
        of cursor: PageCursor?, in plan: QueryPlan
    ) throws(BrokerError) -> SearchPosition? {
        guard let cursor else { return nil }
        if let position = SearchPosition(cursor, of: plan) { return position }
        throw .invalid(
            BrokerError.Problem(
                what: "search for '\(plan.query.description.escapedForDisplay)'",
                location: location,
                cause: """
                    the cursor '\(cursor.text.prefix(200).description.escapedForDisplay)' is of another \
                    query, or was cut short
                    """,
                advice: """
                    Give the same query and the whole cursor of its last page, or no cursor to begin \
                    anew.
                    """))
    }

    /// A query that names ids looks at nothing else.
    private func lookUp(
        _ ids: [MessageID], _ queues: [QueueName], _ plan: QueryPlan, _ matcher: QueryMatcher,
        _ position: SearchPosition?, _ budget: SearchBudget
    ) async throws(BrokerError) -> SearchPage {
        let began = searchTime()
        // Why counted: a call that did nothing would never come to an end.
        var steps = 0
        var page = SearchPage(messages: [], scanned: 0)
        for queue in queues {
            let start = position?.queue == queue ? max(0, Int(position?.inner ?? "") ?? 0) : 0
            for index in ids.indices.dropFirst(start) {
                let isOverTime = searchTime() - began >= budget.time
                if page.messages.count >= budget.messages || page.scanned >= budget.records
                    || (isOverTime && steps > 0)
                {
                    page.next =
                        SearchPosition(queue: queue, walk: nil, inner: "\(index)").cursor(of: plan)
                    return page
                }
                steps += 1
                page.scanned += 1
                guard var record = try await message(ids[index], in: queue),
                    plan.upperID.map({ record.id <= $0 }) ?? true,
                    matcher.matches(record, in: queue)
                else { continue }
                record.body = nil
                page.messages.append(FoundMessage(queue: queue, record: record))
            }
        }
        return page
    }
}
