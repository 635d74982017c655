// SPDX-License-Identifier: Apache-2.0

/// How a worker takes and holds messages.
public struct WorkerOptions: Sendable {
    /// How long a message is the worker's before it must renew. A dead worker's messages run again
    /// within 7/6 of it and a second.
    public var lease: Duration = .seconds(30)
    /// How long a run without a timeout of its own may last. Then its task is cancelled and, one
    /// lease later, the lease is renewed no more.
    public var maxRun: Duration = .seconds(3600)
    /// How long a stopping worker waits for what runs before it cancels and releases it.
    public var grace: Duration = .seconds(10)
    /// The most messages of one reserve; the broker's limit when nil.
    public var batch: Int?
    /// Messages leased ahead of a free slot; nil: as many as 50 ms of work, never more than slots.
    public var prefetch: Int?
    /// How often it says on the board that it lives, and hears orders (``WorkerBeat``, ``WorkerOrder``);
    /// an idle worker half as often. Nil: never, and nobody can see or quiet it.
    public var beat: Duration? = .seconds(5)
    /// The version of the program, for those who look.
    public var version = ""

    public init() {}
}
