// SPDX-License-Identifier: Apache-2.0

/// Reads of a store, none of which scans: every page has a bound and a cursor.
public protocol Inspector: Sendable {
    /// All queues that were ever used on this store, by name.
    func queues() async throws(BrokerError) -> [QueueName]

    func counts(of queue: QueueName) async throws(BrokerError) -> QueueCounts

    /// One message by its id, with its body while it is kept; nil when it was never here or is gone.
    func message(_ id: MessageID, in queue: QueueName) async throws(BrokerError) -> MessageRecord?

    /// The kinds that were ever enqueued there, by name, with how many are ready and since when; at most
    /// 10,000. What stands in ``KindCount`` is exact up to 10,000 ready messages of a kind.
    func kinds(of queue: QueueName) async throws(BrokerError) -> [KindCount]

    /// One message by its id alone, wherever it is: a live one before one that ended or was forwarded.
    func find(_ id: MessageID) async throws(BrokerError) -> FoundMessage?

    /// A page of the messages in one state, without bodies: ready in the order of service, scheduled by due,
    /// leased by deadline, dead and finished from the oldest to the newest.
    func messages(
        _ state: MessageState, in queue: QueueName, after cursor: PageCursor?, limit: Int
    ) async throws(BrokerError) -> MessagePage

    /// Looks for the messages that a query means: a bounded part of them, and where to go on.
    ///
    /// - Order: queues by name; in each the leased by deadline, the ready in the order of service, the
    ///   scheduled by due, then the dead and then all that ended, newest first.
    /// - Bounded: at most ``SearchBudget/records`` records in slices, and about ``SearchBudget/time``; the page
    ///   says how many were looked at, and a page without messages may still have a next one (I10).
    /// - Repeated: with the cursor it goes on behind the last one looked at. While the store stands
    ///   still nothing is skipped or shown twice; what moves meanwhile may be missed or seen again.
    ///   A cursor of another query, or one that is not whole, throws ``BrokerError/invalid(_:)``.
    func search(
        _ plan: QueryPlan, after cursor: PageCursor?, budget: SearchBudget
    ) async throws(BrokerError) -> SearchPage

    /// Looks for states without an index row, index rows without a state, and counters that do not
    /// add up; sentences for the reader, none when all is well. Bounded by `limit` messages.
    func check(_ queue: QueueName, limit: Int) async throws(BrokerError) -> [String]
}

/// Where a message is. It is in exactly one state (I2).
public enum MessageState: String, Sendable, Hashable, Codable, CaseIterable {
    /// Moved on by a worker's reserve; by an operator's cancel or purge.
    case ready
    /// Moved on by promote when due; by an operator's promote or cancel.
    case scheduled
    /// Moved on by its holder's settle; by reclaim when the lease has run out.
    case leased
    /// Moved on by prune.
    case completed
    /// Moved on by an operator's redrive or cancel; by prune.
    case dead
    /// Moved on by prune.
    case cancelled
    /// Moved on by prune; lives on in another queue.
    case forwarded

    /// It has ended here for good: nothing but prune moves it.
    public var hasEnded: Bool { self == .completed || self == .cancelled || self == .forwarded }
}

/// How many messages stand where, and how many went through.
public struct QueueCounts: Sendable, Hashable, Codable {
    public var ready = 0
    public var scheduled = 0
    public var leased = 0
    public var dead = 0
    /// Of the ready ones, those that wait to run alone.
    public var suspects = 0
    public var isPaused = false
    // Since the queue was first used:
    public var enqueued = 0
    public var completed = 0
    public var retried = 0
    public var released = 0
    public var rejected = 0
    public var forwarded = 0
    public var cancelled = 0
    /// Leases that ran out.
    public var lost = 0
    public var redriven = 0
    public var pruned = 0

    public init() {}

    /// Nothing of it is left to do.
    public var isDrained: Bool { ready == 0 && scheduled == 0 && leased == 0 }
}

/// One kind in one queue.
public struct KindCount: Sendable, Hashable {
    /// The wire name.
    public var kind: String
    public var hash: UInt32
    public var ready: Int
    /// Since when the oldest of them waits, out of the first few in each of its lines.
    public var oldestReadyAt: Timestamp?

    public init(kind: String, hash: UInt32, ready: Int, oldestReadyAt: Timestamp? = nil) {
        self.kind = kind
        self.hash = hash
        self.ready = ready
        self.oldestReadyAt = oldestReadyAt
    }
}

extension KindCount {
    /// How many at the head of a line are asked since when they wait. Why more than the first: what was
    /// released or reclaimed stands before the others and waits since that moment only.
    package static let looks = 8

    package mutating func note(_ readyAt: Timestamp) {
        oldestReadyAt = min(oldestReadyAt ?? readyAt, readyAt)
    }
}

extension MessageState {
    /// The verdict that a state says by itself; nil where it is kept elsewhere.
    package var verdict: Event.Move? {
        switch self {
        case .completed: .ack
        case .cancelled: .cancel
        case .forwarded: .forward
        case .ready, .scheduled, .leased, .dead: nil
        }
    }

    /// Which of two records of one id tells more: a live one, then one that ended, then where it was
    /// forwarded.
    package var rank: Int {
        switch self {
        case .ready, .scheduled, .leased: 0
        case .dead: 1
        case .completed, .cancelled: 2
        case .forwarded: 3
        }
    }
}

extension FoundMessage {
    /// Live before ended; of two alike the later one, then by name of the queue.
    package func goesBefore(_ other: FoundMessage) -> Bool {
        let (mine, theirs) = (record.state.rank, other.record.state.rank)
        if mine != theirs { return mine < theirs }
        if record.entry.epoch != other.record.entry.epoch {
            return record.entry.epoch > other.record.entry.epoch
        }
        return queue < other.queue
    }
}

/// A message and where it was found.
public struct FoundMessage: Sendable, Hashable {
    public var queue: QueueName
    public var record: MessageRecord

    public init(queue: QueueName, record: MessageRecord) {
        self.queue = queue
        self.record = record
    }
}

/// What a store knows of one message.
public struct MessageRecord: Sendable, Hashable {
    /// One run that failed or was lost.
    public struct Attempt: Sendable, Hashable {
        public var at: Timestamp
        public var worker: UInt32
        public var count: Int
        public var verdict: String
        public var reason: String

        public init(at: Timestamp, worker: UInt32, count: Int, verdict: String, reason: String) {
            self.at = at
            self.worker = worker
            self.count = count
            self.verdict = verdict
            self.reason = reason
        }
    }

    public var state: MessageState
    /// As it stands now: `attempt`, `lost`, `generation`, `epoch`, times.
    public var entry: Entry
    /// The wire name where the store knows it.
    public var kind: String?
    /// Reserves up to now, the current one included (I6).
    public var count: Int
    public var executedAt: Timestamp?
    /// When it came into a state in which nothing runs it: completed, dead, cancelled, forwarded.
    public var finishedAt: Timestamp?
    public var dueAt: Timestamp?
    public var leaseDeadline: Timestamp?
    /// Who holds or last held the lease.
    public var worker: UInt32?
    public var uniqueKey: String?
    /// The reason of the last settle that gave one.
    public var reason: String?
    /// How the last run ended, or what ended the message; nil before the first end of a run and while
    /// one is under way. A redrive begins anew.
    public var verdict: Event.Move?
    public var checkpoint: [UInt8]?
    /// The last 10 runs that failed or were lost, oldest first; kept with a dead letter.
    public var attempts: [Attempt]
    public var body: [UInt8]?

    public init(
        state: MessageState, entry: Entry, kind: String? = nil, count: Int,
        executedAt: Timestamp? = nil, finishedAt: Timestamp? = nil, dueAt: Timestamp? = nil,
        leaseDeadline: Timestamp? = nil, worker: UInt32? = nil, uniqueKey: String? = nil,
        reason: String? = nil, verdict: Event.Move? = nil, checkpoint: [UInt8]? = nil,
        attempts: [Attempt] = [],
        body: [UInt8]? = nil
    ) {
        self.state = state
        self.entry = entry
        self.kind = kind
        self.count = count
        self.executedAt = executedAt
        self.finishedAt = finishedAt
        self.dueAt = dueAt
        self.leaseDeadline = leaseDeadline
        self.worker = worker
        self.uniqueKey = uniqueKey
        self.reason = reason
        self.verdict = verdict
        self.checkpoint = checkpoint
        self.attempts = attempts
        self.body = body
    }

    public var id: MessageID { entry.id }

    /// What its last failure has in common with others; nil when nothing of it failed.
    public var fingerprint: Fingerprint? {
        guard let reason, !reason.isEmpty, !state.hasEnded else { return nil }
        return Fingerprint(kind: kind ?? "", reason: reason)
    }
}

/// Where the next page begins; opaque, and only good for the call that gave it.
public struct PageCursor: Sendable, Hashable {
    public let text: String

    public init(_ text: String) { self.text = text }
}

/// A bounded part of a list.
public struct MessagePage: Sendable, Hashable {
    public var messages: [MessageRecord]
    /// Nil when this is the last page.
    public var next: PageCursor?

    public init(messages: [MessageRecord], next: PageCursor? = nil) {
        self.messages = messages
        self.next = next
    }
}
