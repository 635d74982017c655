// SPDX-License-Identifier: Apache-2.0

/// Reads of a stream, each of them one moment of the store.
public protocol StreamInspector: Sendable {
    /// Every stream that was ever appended to, by name.
    func streams() async throws(BrokerError) -> [QueueName]

    func counts(ofStream stream: QueueName) async throws(BrokerError) -> StreamCounts

    /// The first `limit` keys in an order, of the first 100,000 that the store comes upon (I10).
    func lanes(
        of stream: QueueName, by order: LaneOrder, limit: Int
    ) async throws(BrokerError) -> [LaneSummary]

    /// One key: its place, the last `window` handled points, its state, and up to 100 waiting points.
    func lane(
        _ key: String, window: Int, in stream: QueueName
    ) async throws(BrokerError) -> LaneRecord?

    /// Keys that were dropped, newest first, the last ``StreamLimits/droppedKept`` of them.
    func droppedKeys(of stream: QueueName) async throws(BrokerError) -> [DroppedKey]
}

/// Where a lane is.
public enum LanePhase: String, Sendable, Hashable, Codable, CaseIterable {
    case idle, ready, leased, parked, blocked
}

public enum LaneOrder: String, Sendable, Hashable, CaseIterable {
    /// Most waiting points first.
    case lag
    /// Last handled or given up first.
    case activity
}

/// A stream in numbers.
public struct StreamCounts: Sendable, Hashable, Codable {
    /// Keys by phase. Keys with points that were only appended so far count as well.
    public var idle = 0
    public var ready = 0
    public var leased = 0
    public var parked = 0
    public var blocked = 0
    /// Points that wait or run.
    public var pending = 0
    /// Since the stream began.
    public var appended = 0
    public var handled = 0
    /// Given up.
    public var dead = 0
    public var late = 0
    public var dropped = 0

    public init() {}

    /// Nothing waits, runs or is parked; blocked lanes wait for an operator.
    public var isDrained: Bool { ready == 0 && leased == 0 && parked == 0 }
}

/// A key in one line.
public struct LaneSummary: Sendable, Hashable {
    public var key: String
    public var phase: LanePhase
    /// Points that wait or run.
    public var pending: Int
    public var position: UInt64
    public var attempt: Int
    public var lost: Int
    /// When a point of it was handled or given up last; nil before the first.
    public var handledAt: Timestamp?

    public init(
        key: String, phase: LanePhase, pending: Int, position: UInt64, attempt: Int, lost: Int,
        handledAt: Timestamp?
    ) {
        self.key = key
        self.phase = phase
        self.pending = pending
        self.position = position
        self.attempt = attempt
        self.lost = lost
        self.handledAt = handledAt
    }
}

/// A key whole.
public struct LaneRecord: Sendable, Hashable {
    public var summary: LaneSummary
    /// Why its first point failed last, or why the lane is blocked.
    public var reason: String
    /// End of the lease, end of the parking, or since when it is blocked.
    public var due: Timestamp?
    public var memory: LaneMemory
    public var pending: [StoredPoint]

    public init(
        summary: LaneSummary, reason: String = "", due: Timestamp? = nil, memory: LaneMemory,
        pending: [StoredPoint]
    ) {
        self.summary = summary
        self.reason = reason
        self.due = due
        self.memory = memory
        self.pending = pending
    }
}

/// The record of a key that was dropped whole.
public struct DroppedKey: Sendable, Hashable {
    public var key: String
    public var position: UInt64
    public var handledAt: Timestamp?
    public var droppedAt: Timestamp

    public init(key: String, position: UInt64, handledAt: Timestamp?, droppedAt: Timestamp) {
        self.key = key
        self.position = position
        self.handledAt = handledAt
        self.droppedAt = droppedAt
    }
}
