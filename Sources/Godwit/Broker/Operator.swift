// SPDX-License-Identifier: Apache-2.0

/// An operator's moves: what a person does through the command, a page or an RPC.
public protocol Operator: Sendable {
    /// Gives dead letters a second life: dead → ready at the tail, attempt and lost back to 0.
    ///
    /// - Atomic: with its unique key, which must be free (I9).
    /// - Repeated: the second call answers `notDead`. At most 64 ids a step; more are split.
    func redrive(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [RedriveOutcome]

    /// Ends messages wherever they stand: ready, scheduled, leased, dead → cancelled. The worker of a
    /// leased one learns of it at its next renewal. Answers false for one unknown or ended.
    func cancel(_ ids: [MessageID], in queue: QueueName) async throws(BrokerError) -> [Bool]

    /// Lets scheduled messages run now: scheduled → ready at the tail. Answers false for one that
    /// is not scheduled.
    func promote(_ ids: [MessageID], in queue: QueueName) async throws(BrokerError) -> [Bool]

    /// Stops handing out messages of the queue; what runs goes on, producers are not stopped.
    func pause(_ queue: QueueName) async throws(BrokerError)

    /// Hands out messages again and wakes who waits for them.
    func resume(_ queue: QueueName) async throws(BrokerError)

    /// Cancels up to `limit` ready messages, from the head; what is leased, scheduled or dead stays.
    /// Returns how many; fewer than `limit` means that none was left.
    func purge(_ queue: QueueName, limit: Int) async throws(BrokerError) -> Int

    /// Reads how the queue is kept.
    func settings(of queue: QueueName) async throws(BrokerError) -> QueueSettings

    /// Sets how the queue is kept, from the next call on, for all processes.
    func apply(_ settings: QueueSettings, to queue: QueueName) async throws(BrokerError)
}

/// What became of one id of a redrive.
public enum RedriveOutcome: Sendable, Hashable {
    case redriven
    case notDead
    /// The unique key belongs to this live message now; the dead letter stays (I9).
    case uniqueKeyTaken(by: MessageID)
}

/// How a queue is kept. Stored with the queue.
public struct QueueSettings: Sendable, Hashable, Codable {
    /// How long finished records stay, in milliseconds.
    public var keepMilliseconds: Int64 = 600_000
    /// How many finished records stay at most.
    public var keepRecords: Int = 100_000
    /// How long dead letters stay, in milliseconds.
    public var keepDeadMilliseconds: Int64 = 30 * 86_400_000
    /// How many dead letters stay at most.
    public var keepDead: Int = 100_000
    /// How many messages the queue holds at most, live and dead.
    public var maxMessages: Int = 1_000_000
    /// How many leases the queue gives out at once; nil: without a limit.
    public var maxLeased: Int?
    /// Writes the record also at reserve, so that a look-up by id sees `leased`.
    public var tracksLeases: Bool = true
    /// Leaves one event entry per settle for the history.
    public var recordsEvents: Bool = true

    public init() {}
}
