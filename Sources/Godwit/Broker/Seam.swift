// SPDX-License-Identifier: Apache-2.0

/// What a broker holds its callers to.
public struct BrokerLimits: Sendable, Hashable {
    /// The most bytes of one message, header and payload; never over 1 MiB.
    public var messageBytes: Int
    /// The most entries in one call that is one step of the store; larger arrays are split.
    public var batch: Int
    /// The most bytes that one call carries; larger arrays are split (I10).
    public var batchBytes: Int

    public static let hardMessageBytes = 1 << 20
    public static let checkpointBytes = 4096
    public static let reasonBytes = 2048
    public static let uniqueKeyBytes = 1024

    public init(messageBytes: Int = hardMessageBytes, batch: Int = 256, batchBytes: Int = 256 << 10)
    {
        self.messageBytes = min(messageBytes, Self.hardMessageBytes)
        // Why: nothing moves in batches of nothing.
        self.batch = max(1, batch)
        self.batchBytes = max(1, batchBytes)
    }
}

/// A message on its way into a store.
public struct NewMessage: Sendable, Hashable {
    /// When it may be worked: decided on the store's clock (I4, I8).
    public enum Due: Sendable, Hashable {
        case now
        case after(Duration)
        case at(Timestamp)
    }

    public var id: MessageID
    public var kind: Kind
    public var priority: Priority
    /// 1…254, or 255 for without end.
    public var maxAttempts: UInt8
    /// At most one live message of a queue has this key (I9).
    public var uniqueKey: String?
    public var due: Due
    /// The id may have been sent before: look for it first (I12). A fresh id needs no look.
    public var isResend: Bool
    /// Header and payload as the producer wrote them (``Envelope``). Never empty.
    public var body: [UInt8]

    public init(
        id: MessageID, kind: Kind, priority: Priority = .normal, maxAttempts: UInt8 = 255,
        uniqueKey: String? = nil, due: Due = .now, isResend: Bool = false, body: [UInt8]
    ) {
        self.id = id
        self.kind = kind
        self.priority = priority
        self.maxAttempts = maxAttempts
        self.uniqueKey = uniqueKey
        self.due = due
        self.isResend = isResend
        self.body = body
    }
}

/// What became of one message of an enqueue.
public enum EnqueueOutcome: Sendable, Hashable {
    case enqueued
    /// The id is here already, live or ended; nothing was added (I12).
    case known
    /// The id may have been here and its record is gone; nothing was added (I12). Ask the history.
    case unknown
    /// The unique key is held by this live message; nothing was added (I9).
    case duplicate(of: MessageID)
    /// The queue holds its maximum; nothing was added. Slow down.
    case full
}

/// How much a worker can take.
public struct ReserveRequest: Sendable, Hashable {
    public var count: Int
    /// Stop before the handed out bodies pass this many bytes, by size class; one message always goes.
    public var bytes: Int
    public var lease: Duration
    /// The kinds the caller can run (I11); nil takes every kind that the queue holds.
    public var kinds: [Kind]?
    /// Slots free now: a message with one attempt goes out only into one of them. Nil: as `count`.
    public var freeSlots: Int?
    /// True only when nothing is in flight: then a suspect may go out, alone (I6).
    public var takesSuspects: Bool
    /// Which worker asks; a part of the token, for the record and the history.
    public var worker: UInt32

    public init(
        _ count: Int, bytes: Int = 256 << 10, lease: Duration = .seconds(30), kinds: [Kind]? = nil,
        freeSlots: Int? = nil, takesSuspects: Bool = false, worker: UInt32 = 0
    ) {
        self.count = count
        self.bytes = bytes
        self.lease = lease
        self.kinds = kinds
        self.freeSlots = freeSlots
        self.takesSuspects = takesSuspects
        self.worker = worker
    }
}

/// A message in the hands of one worker.
public struct LeasedMessage: Sendable, Hashable {
    public var token: LeaseToken
    public var body: [UInt8]
    /// What an earlier run left by `checkpoint`.
    public var checkpoint: [UInt8]?

    public init(token: LeaseToken, body: [UInt8], checkpoint: [UInt8]? = nil) {
        self.token = token
        self.body = body
        self.checkpoint = checkpoint
    }
}

/// The answer to a reserve.
public struct Reservation: Sendable, Hashable {
    /// The store's clock at the call.
    public var now: Timestamp
    public var deadline: Timestamp
    public var messages: [LeasedMessage]
    /// Suspects that wait for a worker with nothing in flight (I6).
    public var suspectsWaiting: Int
    /// When the next scheduled message is due; only asked for when nothing was handed out.
    public var nextDue: Timestamp?

    public init(
        now: Timestamp, deadline: Timestamp, messages: [LeasedMessage], suspectsWaiting: Int = 0,
        nextDue: Timestamp? = nil
    ) {
        self.now = now
        self.deadline = deadline
        self.messages = messages
        self.suspectsWaiting = suspectsWaiting
        self.nextDue = nextDue
    }

    public static func none(at now: Timestamp) -> Reservation {
        Reservation(now: now, deadline: now, messages: [])
    }
}

/// One run's end.
public struct Settlement: Sendable, Hashable {
    public var token: LeaseToken
    public var verdict: Verdict

    public init(_ token: LeaseToken, _ verdict: Verdict) {
        self.token = token
        self.verdict = verdict
    }
}

/// What became of one token of a settle, renew or checkpoint.
public enum SettleOutcome: Sendable, Hashable {
    case done
    /// Somebody else has the message, or it has ended; nothing was changed (I3).
    case stale
    /// A forward found its target full, or an older copy of itself still live there; nothing was
    /// changed, the lease goes on. Retry later.
    case targetBusy
}

/// The two halves of a trip that settles and reserves; each may have failed alone.
public struct SettledAndReserved: Sendable {
    public var settled: Result<[SettleOutcome], BrokerError>
    public var reserved: Result<Reservation, BrokerError>

    public init(
        settled: Result<[SettleOutcome], BrokerError>, reserved: Result<Reservation, BrokerError>
    ) {
        self.settled = settled
        self.reserved = reserved
    }
}

/// Progress to keep for a message's next run.
public struct Checkpoint: Sendable, Hashable {
    public var token: LeaseToken
    public var bytes: [UInt8]

    public init(_ token: LeaseToken, _ bytes: [UInt8]) {
        self.token = token
        self.bytes = bytes
    }
}

/// What a reclaim took back.
public struct Reclaimed: Sendable, Hashable {
    public var ready: Int
    /// Ended as `crash-loop`.
    public var dead: Int

    public init(ready: Int, dead: Int) {
        self.ready = ready
        self.dead = dead
    }
}
