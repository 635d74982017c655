// SPDX-License-Identifier: Apache-2.0

/// What happened in a queue, one entry per call, until an archiver has moved it into a history.
public protocol EventLog: Sendable {
    /// Up to `limit` entries after `position`, oldest first; nil starts at the oldest kept.
    func events(
        in queue: QueueName, after position: EventPosition?, limit: Int
    ) async throws(BrokerError) -> [EventBatch]

    /// Says that all up to `position` is safe in the history: prune may drop it. Never goes back.
    func markArchived(through position: EventPosition, in queue: QueueName)
        async throws(BrokerError)

    /// What waits for an archiver, and what was dropped because none came (I10).
    func backlog(of queue: QueueName) async throws(BrokerError) -> EventBacklog
}

/// How far an event log is ahead of its archiver.
public struct EventBacklog: Sendable, Hashable {
    /// Entries that are not archived yet, one per call of a worker; at most 10,000 are counted.
    public var waiting: Int
    /// When the oldest of them was written.
    public var oldestAt: Timestamp?
    /// Events (on Redis: entries) that were dropped unarchived since the queue was first used.
    public var dropped: Int
    /// What ``EventLog/markArchived(through:in:)`` said last.
    public var archived: EventPosition?

    /// More are not counted.
    public static let mostCounted = 10_000

    public init(
        waiting: Int, oldestAt: Timestamp? = nil, dropped: Int = 0, archived: EventPosition? = nil
    ) {
        self.waiting = waiting
        self.oldestAt = oldestAt
        self.dropped = dropped
        self.archived = archived
    }
}

/// A place in a queue's event log, in the store's own form.
public struct EventPosition: Sendable, Hashable {
    public let text: String

    public init(_ text: String) { self.text = text }
}

/// What one call did.
public struct EventBatch: Sendable, Hashable {
    public var position: EventPosition
    public var events: [Event]
    /// What the worker sent along for the history.
    public var extra: [UInt8]

    public init(position: EventPosition, events: [Event], extra: [UInt8] = []) {
        self.position = position
        self.events = events
        self.extra = extra
    }
}

/// One move of one message.
public struct Event: Sendable, Hashable {
    public enum Move: String, Sendable, Hashable, Codable, CaseIterable {
        case ack, retry, release, reject, forward, reclaim, crashLoop, cancel, purge, redrive
        case payloadLost
    }

    public var move: Move
    public var at: Timestamp
    /// The run: (id, generation, epoch) is the key of its row in a history.
    public var token: LeaseToken
    /// The reason or the target, at most 200 bytes.
    public var text: String

    public init(move: Move, at: Timestamp, token: LeaseToken, text: String = "") {
        self.move = move
        self.at = at
        self.token = token
        self.text = text
    }
}
