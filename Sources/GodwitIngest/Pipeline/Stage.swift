// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// How a stage takes its tracks.
public struct StageOptions: Sendable {
    /// Tracks at once in one process. What they take of the machine is counted apart (``Admission``).
    public var concurrency = 1
    /// A dead worker's tracks run again within 7/6 of it and a second.
    public var lease = Duration.seconds(30)
    /// How long a run may go without any progress; then it is stopped, and that is a failure.
    public var quiet = Duration.seconds(120)
    /// How long a run may last in all. One lease later its lease is renewed no more.
    public var longest = Duration.seconds(7200)
    /// For failures of which another try may end better.
    public var retry = RetryPolicy.exponential(maxAttempts: 8, cap: .seconds(600))
    /// How long a fault of the set-up waits for somebody to mend it.
    public var slow = Duration.seconds(300)
    /// How many messages the stage's queue holds at most, dead letters among them; what is before it
    /// waits then. Nil: as the queue is set.
    public var mostMessages: Int?
    /// How many of its tracks run at once in all processes. Nil: as the queue is set.
    public var mostRunning: Int?

    public init() {}
}

/// One stage of a pipeline: a durable queue, and what is done with each of its tracks.
package struct Stage: Sendable {
    package enum Work: Sendable {
        case tasks([any IngestTask])
        case body(fetches: Bool, @Sendable (Track, Workspace) async throws -> Void)
    }

    package var name: QueueName
    package var options: StageOptions
    package var work: Work
    /// The next one; nil for the last.
    package var next: QueueName?
}
