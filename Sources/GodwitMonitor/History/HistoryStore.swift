// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// Where runs are kept after the queue has forgotten them: one row per run, panes of minutes and hours.
///
/// Every word may be repeated: rows are told apart by (id, generation, run).
public protocol HistoryStore: Sendable {
    /// How many rows a call takes best.
    var batchRows: Int { get }

    /// Keeps rows and samples; returns only when they are safe. At most 100,000 rows a call.
    ///
    /// - Crash halfway: some rows may be there; the same call again adds the others and no second copy.
    func add(_ rows: [RunRow], _ samples: [QueueSample]) async throws(HistoryError)

    /// Runs of a time range that match, newest first, a page at a time.
    func runs(_ query: RunQuery) async throws(HistoryError) -> RunPage

    /// What happened by queue and kind in a range, from panes where the range is long.
    func stats(_ range: HistoryRange) async throws(HistoryError) -> [RunStats]

    /// The slowest runs of a range.
    func slowest(_ range: HistoryRange, limit: Int) async throws(HistoryError) -> [RunRow]

    /// Failures of a range by fingerprint, the most frequent first.
    func groups(_ range: HistoryRange, limit: Int) async throws(HistoryError) -> [ErrorGroup]

    /// Runs and failures by step of time, oldest first; at most 10,000 steps.
    func rate(_ range: HistoryRange, step: Duration) async throws(HistoryError) -> [RunRate]

    /// How queues stood, minute by minute, oldest first.
    func samples(_ range: HistoryRange) async throws(HistoryError) -> [QueueSample]

    /// Everything the history knows of one message, oldest first.
    func runs(of id: MessageID) async throws(HistoryError) -> [RunRow]

    /// Drops what is past its time, a bounded amount; true when something may be left.
    func prune(_ keep: HistoryRetention, now: Timestamp) async throws(HistoryError) -> Bool

    /// Notes who did what; kept 400 days.
    func audit(_ entry: AuditEntry) async throws(HistoryError)

    func audits(_ range: HistoryRange, limit: Int) async throws(HistoryError) -> [AuditEntry]

    func shutdown() async
}

extension HistoryStore {
    public var batchRows: Int { 10_000 }
}

/// A span of time and, if wanted, one queue and one kind in it.
public struct HistoryRange: Sendable, Hashable {
    public var from: Timestamp
    /// Up to, not with.
    public var to: Timestamp
    public var queue: String?
    public var kind: String?

    public init(from: Timestamp, to: Timestamp, queue: String? = nil, kind: String? = nil) {
        self.from = from
        self.to = to
        self.queue = queue
        self.kind = kind
    }
}

/// How long what is kept.
public struct HistoryRetention: Sendable, Hashable {
    public var runs: Duration = .seconds(7 * 86_400)
    public var minutes: Duration = .seconds(35 * 86_400)
    public var hours: Duration = .seconds(400 * 86_400)

    public init() {}
}

/// Which runs are wanted.
public struct RunQuery: Sendable, Hashable {
    public var range: HistoryRange
    public var verdicts: [Event.Move]?
    public var fingerprint: String?
    public var worker: UInt32?
    /// A part of the reason, without regard to case.
    public var reason: String?
    public var limit: Int
    public var after: PageCursor?

    public init(
        _ range: HistoryRange, verdicts: [Event.Move]? = nil, fingerprint: String? = nil,
        worker: UInt32? = nil, reason: String? = nil, limit: Int = 50, after: PageCursor? = nil
    ) {
        self.range = range
        self.verdicts = verdicts
        self.fingerprint = fingerprint
        self.worker = worker
        self.reason = reason
        self.limit = limit
        self.after = after
    }
}

public struct RunPage: Sendable, Hashable {
    public var runs: [RunRow]
    public var next: PageCursor?

    public init(runs: [RunRow], next: PageCursor? = nil) {
        self.runs = runs
        self.next = next
    }
}

/// What became of the runs of one kind in one queue.
public struct RunStats: Sendable, Hashable, Codable {
    public var queue: String
    public var kind: String
    public var runs: Int
    /// How many ended with which verdict, by the verdict's name.
    public var verdicts: [String: Int]
    public var failures: Int
    public var wait: Spread
    public var run: Spread

    public init(
        queue: String, kind: String, runs: Int, verdicts: [String: Int], failures: Int,
        wait: Spread, run: Spread
    ) {
        self.queue = queue
        self.kind = kind
        self.runs = runs
        self.verdicts = verdicts
        self.failures = failures
        self.wait = wait
        self.run = run
    }
}

/// How durations are spread, in milliseconds; percentiles within 1 % of the exact ones.
public struct Spread: Sendable, Hashable, Codable {
    public var count: Int
    public var mean: Double
    public var p50: Double
    public var p95: Double
    public var p99: Double
    public var max: Double

    public init(
        count: Int = 0, mean: Double = 0, p50: Double = 0, p95: Double = 0, p99: Double = 0,
        max: Double = 0
    ) {
        self.count = count
        self.mean = mean
        self.p50 = p50
        self.p95 = p95
        self.p99 = p99
        self.max = max
    }
}

/// Failures that have their fingerprint in common.
public struct ErrorGroup: Sendable, Hashable, Codable {
    public var fingerprint: String
    public var queue: String
    public var kind: String
    public var count: Int
    public var firstAt: Timestamp
    public var lastAt: Timestamp
    /// The reason of one of them.
    public var reason: String
    /// Up to three ids.
    public var samples: [String]

    public init(
        fingerprint: String, queue: String, kind: String, count: Int, firstAt: Timestamp,
        lastAt: Timestamp, reason: String, samples: [String]
    ) {
        self.fingerprint = fingerprint
        self.queue = queue
        self.kind = kind
        self.count = count
        self.firstAt = firstAt
        self.lastAt = lastAt
        self.reason = reason
        self.samples = samples
    }
}

/// What ended in one step of time.
public struct RunRate: Sendable, Hashable, Codable {
    public var at: Timestamp
    public var runs: Int
    public var failures: Int

    public init(at: Timestamp, runs: Int, failures: Int) {
        self.at = at
        self.runs = runs
        self.failures = failures
    }
}

/// How one queue stood at one minute.
public struct QueueSample: Sendable, Hashable, Codable {
    public var queue: String
    /// The beginning of the minute: with the queue, the key.
    public var at: Timestamp
    public var ready: Int
    public var scheduled: Int
    public var leased: Int
    public var dead: Int
    /// Ever accepted and ever ended, since the queue was first used: rates are differences.
    public var enqueued: Int
    public var ended: Int
    /// How long the oldest ready message had waited, in milliseconds.
    public var oldestReadyMilliseconds: Int64
    /// Slots of live workers, and how many of them were busy.
    public var slots: Int
    public var busySlots: Int

    public init(
        queue: String, at: Timestamp, ready: Int, scheduled: Int, leased: Int, dead: Int,
        enqueued: Int, ended: Int, oldestReadyMilliseconds: Int64, slots: Int, busySlots: Int
    ) {
        self.queue = queue
        self.at = at
        self.ready = ready
        self.scheduled = scheduled
        self.leased = leased
        self.dead = dead
        self.enqueued = enqueued
        self.ended = ended
        self.oldestReadyMilliseconds = oldestReadyMilliseconds
        self.slots = slots
        self.busySlots = busySlots
    }
}

/// A write that a person made.
public struct AuditEntry: Sendable, Hashable, Codable {
    public var at: Timestamp
    public var who: String
    /// `dead redrive`, `queue purge`, …
    public var verb: String
    public var queue: String
    /// The query or the ids, as given.
    public var what: String
    public var affected: Int

    public init(
        at: Timestamp, who: String, verb: String, queue: String, what: String, affected: Int
    ) {
        self.at = at
        self.who = who
        self.verb = verb
        self.queue = queue
        self.what = what
        self.affected = affected
    }
}

/// Why the history could not answer, by what the caller does next.
@nonexhaustive
public enum HistoryError: Error, Sendable, Hashable {
    /// Try later: says which address was dialled and why it failed.
    case unavailable(BrokerError.Problem)
    /// The question can't be answered as it stands.
    case invalid(BrokerError.Problem)
    /// What is stored can't be read.
    case corrupt(BrokerError.Problem)
}

extension HistoryError: CustomStringConvertible {
    public var problem: BrokerError.Problem {
        switch self {
        case .unavailable(let problem), .invalid(let problem), .corrupt(let problem): problem
        }
    }

    public var description: String {
        let state =
            switch self {
            case .unavailable: "is unavailable"
            case .invalid: "refused the question"
            case .corrupt: "holds something unreadable"
            }
        return "\(problem.what): \(problem.location) \(state): \(problem.cause). \(problem.advice)"
    }
}
