// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// How a stream's worker takes, holds and gives up points.
public struct StreamWorkerOptions: Sendable {
    /// What becomes of a key whose point has used up its attempts or has killed its workers.
    public enum GiveUp: Sendable, Hashable {
        /// The point goes to the dead letters of the queue with the stream's name; the key goes on.
        case skip
        /// The key waits for an operator.
        case block
    }

    /// When a failed point runs again, and after how many failures it is given up.
    public var retry: RetryPolicy = .exponential()
    public var giveUp = GiveUp.skip
    /// How long a key is the worker's before it must renew. A dead worker's keys run again within
    /// 7/6 of it and a second.
    public var lease: Duration = .seconds(30)
    /// How long one run of a key may last; then its lease is renewed no more, and once that has
    /// run out its handler is told (``PointContext/isLeaseLost``).
    public var maxHold: Duration = .seconds(3600)
    /// How long handlers may go on after a stop; then they are cancelled, and a second later
    /// ``StreamWorker/run()`` returns without them. What they held runs again when its lease is over.
    public var grace: Duration = .seconds(10)
    /// The most points of a key that are handled before it is committed; fewer when they take long.
    public var pointsPerHold = 16
    /// After so long a hold is committed with what was handled so far.
    public var holdTime: Duration = .milliseconds(5)
    /// The most keys of one reserve.
    public var batch = 64
    /// Bytes of windows and states, as stored, that are remembered between holds.
    public var rememberedBytes = 64 << 20
    /// How long a key without new points is kept; nil keeps all. Its memory of ids goes with it, so
    /// keep it far longer than a producer may resend.
    public var keepIdle: Duration? = .seconds(90 * 24 * 3600)
    /// How often it says on the board that it lives, and hears orders; see ``WorkerOptions/beat``.
    public var beat: Duration? = .seconds(5)
    /// The version of the program, for those who look.
    public var version = ""

    public init() {}
}
