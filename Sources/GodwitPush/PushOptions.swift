// SPDX-License-Identifier: Apache-2.0
import Godwit

/// How a service is called.
public struct PushOptions: Sendable {
    /// How long a message is the worker's: as in its `WorkerOptions`.
    public var lease: Duration = .seconds(30)
    /// How long one call may take, if that is less than what the lease leaves.
    public var runTimeout: Duration?
    /// When a retry comes for which the service named no time; by the worker's policy when nil.
    public var retryAfter: Duration?
    /// HTTP/1.1 connections that are kept open: as many as the worker has slots.
    public var connections = 16
    /// Failures of the service in a row after which it is left alone for a while.
    public var failuresToOpen = 5
    /// About how long for, the first time, and at most; the time doubles in between.
    public var firstPause: Duration = .milliseconds(500)
    public var longestPause: Duration = .seconds(30)

    public init() {}

    /// How long a call may take: three fifths of the lease, or the timeout of a run if that is less.
    ///
    /// Why three fifths: leases are renewed every third, so at least that much is left when a call
    /// begins, and it ends before somebody else gets the message even if no renewal gets through.
    package var callTime: Duration {
        let most = max(.milliseconds(10), lease * 3 / 5)
        return runTimeout.map { min($0, most) } ?? most
    }
}
