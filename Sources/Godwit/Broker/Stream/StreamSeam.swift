// SPDX-License-Identifier: Apache-2.0

/// What a stream holds its callers to.
public enum StreamLimits {
    /// The most bytes of a key.
    public static let keyBytes = 256
    /// The most bytes of one point.
    public static let pointBytes = 64 << 10
    /// The most bytes of a key's state.
    public static let stateBytes = 64 << 10
    /// The most points of a window.
    public static let window = 10_000
    /// The most lanes and the most points of each that one call hands out.
    public static let lanes = 128
    public static let pointsPerLane = 64
    /// A point whose id lies further than this ahead of the store's clock is refused: the clock
    /// that made it is wrong, and everything sent after it would be late.
    public static let ahead = Duration.seconds(24 * 3600)
    /// Keys dropped for being idle that a stream remembers.
    public static let droppedKept = 1000
}

/// A point on its way into a stream.
public struct NewPoint: Sendable, Hashable {
    public var key: String
    public var id: PointID
    public var body: [UInt8]

    public init(key: String, id: PointID, body: [UInt8]) {
        self.key = key
        self.id = id
        self.body = body
    }
}

/// How an append treats its points.
public struct AppendOptions: Sendable, Hashable {
    /// Whether a point that is older than the newest of its key is appended behind it, marked late.
    public var acceptsLate: Bool
    /// The most points of one key that may wait; further ones are refused as `full`.
    public var maxPending: Int
    /// True for a dead letter that is sent in again: it may have the newest id that its key has seen
    /// and is a duplicate only while the key holds it, waiting or in its window.
    public var isRedrive: Bool

    public init(acceptsLate: Bool = true, maxPending: Int = 100_000, isRedrive: Bool = false) {
        self.acceptsLate = acceptsLate
        self.maxPending = maxPending
        self.isRedrive = isRedrive
    }
}

/// What became of one point of an append.
public enum AppendOutcome: Sendable, Hashable {
    case appended
    /// Older than the newest of its key: appended behind it and marked late.
    case appendedLate
    /// Older than the newest of its key; nothing was added.
    case late
    /// The key holds this id, waiting or in its window, or it is the newest that the key has seen,
    /// given up ones included; nothing was added (I12).
    case duplicate
    /// The key holds its maximum of waiting points; nothing was added. Slow down.
    case full
    /// The id lies more than ``StreamLimits/ahead`` in the future; nothing was added.
    case ahead
}

/// A point as a store keeps it.
public struct StoredPoint: Sendable, Hashable {
    public var id: PointID
    /// It came after a newer one of its key.
    public var isLate: Bool
    public var body: [UInt8]

    public init(id: PointID, isLate: Bool = false, body: [UInt8]) {
        self.id = id
        self.isLate = isLate
        self.body = body
    }

    /// The bytes that the point takes in a window, by which ``LaneSettlement/windowBytes`` counts:
    /// length 4, id 8, for a late one the newest id before it 8, body.
    public static func size(ofBody count: Int, isLate: Bool) -> Int {
        12 + (isLate ? 8 : 0) + count
    }

    public var size: Int { Self.size(ofBody: body.count, isLate: isLate) }
}

/// Proves that its holder has the current lease on a key's lane; never used twice (I3).
public struct LaneToken: Sendable, Hashable {
    public let key: String
    public let nonce: UInt64

    public init(key: String, nonce: UInt64) {
        self.key = key
        self.nonce = nonce
    }
}

extension LaneToken: CustomStringConvertible {
    /// The key; never the nonce, which is the secret part.
    public var description: String { "lease on key '\(key.escapedForDisplay)'" }
}

/// How much a worker can take.
public struct LaneRequest: Sendable, Hashable {
    public var lanes: Int
    /// The most points of one lane. A lane that has failed hands out one at a time.
    public var points: Int
    /// Stop before the handed out points pass this many bytes; one lane always goes.
    public var bytes: Int
    public var lease: Duration
    /// True only when nothing is in flight: then a suspect lane may go out, alone (I6).
    public var takesSuspects: Bool
    /// Which worker asks; a part of the token.
    public var worker: UInt32

    public init(
        _ lanes: Int, points: Int = 16, bytes: Int = 256 << 10, lease: Duration = .seconds(30),
        takesSuspects: Bool = false, worker: UInt32 = 0
    ) {
        self.lanes = lanes
        self.points = points
        self.bytes = bytes
        self.lease = lease
        self.takesSuspects = takesSuspects
        self.worker = worker
    }
}

/// A lane in the hands of one worker: its first waiting points, in the order they were appended.
public struct LeasedLane: Sendable, Hashable {
    public var token: LaneToken
    /// How many points of the key have been handled or given up so far.
    public var position: UInt64
    /// Another one after the key was replayed, or dropped and made anew. A worker that remembers the
    /// window and state of this very birth and position need not load them again.
    public var birth: UInt32
    /// The newest id among the handled ones.
    public var newest: PointID
    /// Reported failures of the first point (I6).
    public var attempt: Int
    /// Leases in a row that ran out over the first point.
    public var lost: Int
    public var points: [StoredPoint]

    public init(
        token: LaneToken, position: UInt64, birth: UInt32, newest: PointID, attempt: Int = 0,
        lost: Int = 0, points: [StoredPoint]
    ) {
        self.token = token
        self.position = position
        self.birth = birth
        self.newest = newest
        self.attempt = attempt
        self.lost = lost
        self.points = points
    }
}

/// The answer to a reserve of lanes.
public struct LaneReservation: Sendable, Hashable {
    /// The store's clock at the call.
    public var now: Timestamp
    public var deadline: Timestamp
    public var lanes: [LeasedLane]
    /// Suspect lanes that wait for a worker with nothing in flight (I6).
    public var suspectsWaiting: Int
    /// When the next parked lane is due; only asked for when nothing was handed out.
    public var nextDue: Timestamp?

    public init(
        now: Timestamp, deadline: Timestamp, lanes: [LeasedLane], suspectsWaiting: Int = 0,
        nextDue: Timestamp? = nil
    ) {
        self.now = now
        self.deadline = deadline
        self.lanes = lanes
        self.suspectsWaiting = suspectsWaiting
        self.nextDue = nextDue
    }

    public static func none(at now: Timestamp) -> LaneReservation {
        LaneReservation(now: now, deadline: now, lanes: [])
    }
}

/// What a key has learnt: its window, oldest first, and its state.
public struct LaneMemory: Sendable, Hashable {
    /// Where the key stood when this was read: another position or birth than that of a lease says
    /// that the lease was lost meanwhile.
    public var position: UInt64
    public var birth: UInt32
    /// At least as many of the last handled points as were asked for, where there are so many.
    public var window: [StoredPoint]
    /// Empty for a key that has none yet.
    public var state: [UInt8]
    /// Bytes that the store sent for it.
    public var bytesMoved: Int

    public init(
        position: UInt64 = 0, birth: UInt32 = 0, window: [StoredPoint] = [], state: [UInt8] = [],
        bytesMoved: Int = 0
    ) {
        self.position = position
        self.birth = birth
        self.window = window
        self.state = state
        self.bytesMoved = bytesMoved
    }
}

/// A message that goes out in the same step as a lane's commit, or not at all.
///
/// One with a known id or with a unique key that is taken adds nothing, and holds up nothing else.
public struct Emission: Sendable, Hashable {
    public var queue: QueueName
    public var message: NewMessage
    /// Where set, the message is born dead, for this reason: a point that was given up.
    public var deadReason: String?

    public init(_ message: NewMessage, to queue: QueueName, deadReason: String? = nil) {
        self.queue = queue
        self.message = message
        self.deadReason = deadReason
    }
}

/// What becomes of a lane after its handled points.
public enum LaneEnd: Sendable, Hashable {
    /// Leased → ready at the tail, or idle when nothing waits.
    case next
    /// The next point failed: leased → parked, due `after` from now; attempt + 1 (I6).
    case retry(after: Duration, reason: String)
    /// The next point is given up and passed; its dead letter is among the emissions. Then as `next`.
    case skip
    /// The next point is given up: leased → blocked until an operator redrives or skips.
    case block(reason: String)
    /// Leased → ready at the head, no attempt used.
    case release
}

/// One lane's commit.
public struct LaneSettlement: Sendable, Hashable {
    public var token: LaneToken
    /// How many of the leased points were handled, from the first on; they enter the window.
    public var handled: Int
    /// The newest id among all that were handled so far.
    public var newest: PointID
    /// The state after the handled points; nil leaves it as it is.
    public var state: [UInt8]?
    /// How many points the window keeps, and their bytes by ``StoredPoint/size``.
    public var windowCount: Int
    public var windowBytes: Int
    public var end: LaneEnd
    public var emissions: [Emission]

    public init(
        _ token: LaneToken, handled: Int, newest: PointID, state: [UInt8]? = nil, windowCount: Int,
        windowBytes: Int, end: LaneEnd, emissions: [Emission] = []
    ) {
        self.token = token
        self.handled = handled
        self.newest = newest
        self.state = state
        self.windowCount = windowCount
        self.windowBytes = windowBytes
        self.end = end
        self.emissions = emissions
    }
}

/// The two halves of a trip that settles and reserves lanes; each may have failed alone.
public struct LanesSettledAndReserved: Sendable {
    public var settled: Result<[SettleOutcome], BrokerError>
    public var reserved: Result<LaneReservation, BrokerError>

    public init(
        settled: Result<[SettleOutcome], BrokerError>,
        reserved: Result<LaneReservation, BrokerError>
    ) {
        self.settled = settled
        self.reserved = reserved
    }
}
