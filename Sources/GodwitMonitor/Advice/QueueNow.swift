// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// How a queue stands at this moment, as its store shows it.
public struct QueueNow: Sendable, Hashable {
    public var queue: String
    public var at: Timestamp
    public var counts: QueueCounts
    /// How long the oldest ready message has waited, in seconds; nil where none is ready.
    public var oldestReady: Double?
    /// The queue's own limit of leases at a time.
    public var leaseLimit: Int?
    /// Nil where the store's board can't be read: then nothing is said about workers.
    public var workers: [WorkerBeat]?
    public var kinds: [KindCount]
    /// Looks at which the store's clock stood before an earlier one.
    public var clockSteps: Int

    public init(
        queue: String, at: Timestamp, counts: QueueCounts, oldestReady: Double? = nil,
        leaseLimit: Int? = nil, workers: [WorkerBeat]? = nil, kinds: [KindCount] = [],
        clockSteps: Int = 0
    ) {
        self.queue = queue
        self.at = at
        self.counts = counts
        self.oldestReady = oldestReady
        self.leaseLimit = leaseLimit
        self.workers = workers
        self.kinds = kinds
        self.clockSteps = clockSteps
    }

    /// Those that take new messages.
    var taking: [WorkerBeat] { (workers ?? []).filter { !$0.isQuiet } }
    var slots: Int { taking.reduce(0) { $0 + $1.slots } }
    var busySlots: Int { taking.reduce(0) { $0 + min($1.busy, $1.slots) } }
    var idleSlots: Int { max(0, slots - busySlots) }
    /// Ready ones that a worker may take beside others.
    var plainReady: Int { max(0, counts.ready - counts.suspects) }
    var isAtLeaseLimit: Bool { leaseLimit.map { counts.leased >= $0 } ?? false }
}

extension WorkerBeat {
    func knows(_ kind: String) -> Bool { kinds?.contains(kind) ?? true }
}
