// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// One run of one message, as the history keeps it; one move without a run where a message ended before it ran.
///
/// (id, generation, run) is its key: the same row sent again changes nothing.
public struct RunRow: Sendable, Hashable {
    public var id: MessageID
    public var generation: UInt8
    /// The token's epoch; goes along with a forward.
    public var run: UInt32
    public var queue: String
    /// The wire name, or `#` and the hash in hex where the store does not know it.
    public var kind: String
    public var verdict: Event.Move
    /// Reported failures before this run.
    public var attempt: UInt8
    /// Leases that had run out before this run.
    public var lost: UInt8
    /// Reserves, this run included.
    public var count: UInt16
    public var worker: UInt32
    public var insertedAt: Timestamp
    public var readyAt: Timestamp
    /// Nil where nothing ran: cancelled or purged before.
    public var executedAt: Timestamp?
    public var finishedAt: Timestamp
    /// At most 200 bytes.
    public var reason: String
    /// Of a failure; else empty.
    public var fingerprint: String

    public init(
        id: MessageID, generation: UInt8, run: UInt32, queue: String, kind: String,
        verdict: Event.Move, attempt: UInt8, lost: UInt8, count: UInt16, worker: UInt32,
        insertedAt: Timestamp, readyAt: Timestamp, executedAt: Timestamp?, finishedAt: Timestamp,
        reason: String, fingerprint: String
    ) {
        self.id = id
        self.generation = generation
        self.run = run
        self.queue = queue
        self.kind = kind
        self.verdict = verdict
        self.attempt = attempt
        self.lost = lost
        self.count = count
        self.worker = worker
        self.insertedAt = insertedAt
        self.readyAt = readyAt
        self.executedAt = executedAt
        self.finishedAt = finishedAt
        self.reason = reason
        self.fingerprint = fingerprint
    }

    /// From ready to the start, in milliseconds; 0 where a clock stepped back, nil where nothing ran.
    public var waitMilliseconds: Int64? {
        executedAt.map { max(0, $0.milliseconds - readyAt.milliseconds) }
    }

    /// From the start to the end, in milliseconds.
    public var runMilliseconds: Int64? {
        executedAt.map { max(0, finishedAt.milliseconds - $0.milliseconds) }
    }

    /// It ended otherwise than by success or by being handed back.
    public var isFailure: Bool {
        switch verdict {
        case .retry, .reject, .reclaim, .crashLoop, .payloadLost: true
        default: false
        }
    }
}
