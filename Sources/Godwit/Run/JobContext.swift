// SPDX-License-Identifier: Apache-2.0
public import Logging

/// What a handler knows of the run it is in.
public struct JobContext: Sendable {
    public let queue: Queue
    package let leased: LeasedMessage
    let lease: RunLease

    /// A context outside a worker, for tests: its lease is never lost.
    package init(queue: Queue, leased: LeasedMessage) {
        self.init(queue: queue, leased: leased, lease: RunLease())
    }

    init(queue: Queue, leased: LeasedMessage, lease: RunLease) {
        self.queue = queue
        self.leased = leased
        self.lease = lease
    }

    /// The message's name, the same in every run of it.
    public var id: MessageID { leased.token.id }

    /// Which run this is by reported failures, from 1.
    public var attempt: Int { Int(leased.token.entry.attempt) + 1 }

    /// Which run this is by reserves, from 1; also counts runs that were lost or released (I6).
    public var count: Int { Int(leased.token.entry.count) + 1 }

    public var insertedAt: Timestamp { leased.token.entry.insertedAt }

    /// What the producer sent along; empty when the envelope can't be read.
    public var headers: [String: String] {
        (try? Envelope.reading(leased.body) { view throws(EnvelopeError) in try view.headers() })
            ?? [:]
    }

    /// What an earlier run left by ``checkpoint(_:)``.
    public var checkpoint: [UInt8]? { leased.checkpoint }

    /// True once somebody else may have the message: stop, nothing that is settled now counts.
    public var isLeaseLost: Bool { lease.isLost }

    /// The caller's logger with the message's id, kind and attempt.
    public var logger: Logger {
        var logger = Logger.current
        logger[metadataKey: "queue"] = "\(queue.name)"
        logger[metadataKey: "message"] = "\(id)"
        logger[metadataKey: "attempt"] = "\(attempt)"
        return logger
    }

    /// Keeps up to 4 KiB for the next run of this message; the last write wins.
    ///
    /// Throws ``LeaseLost`` when somebody else may have the message; then nothing was written.
    public func checkpoint(_ bytes: [UInt8]) async throws {
        let outcomes = try await queue.calls.checkpoint([Checkpoint(leased.token, bytes)])
        guard outcomes == [.done] else { throw LeaseLost(id: id) }
        lease.progressed(at: queue.broker.time.now())
    }

    /// Puts the lease's end at `lease` from now; the worker renews by itself, so this is for a
    /// handler that knows it needs a longer one.
    public func renew(for lease: Duration) async throws {
        let outcomes = try await queue.calls.renew([leased.token], for: lease)
        guard outcomes == [.done] else { throw LeaseLost(id: id) }
    }
}

/// The lease ran out or was taken away: somebody else may be at work on the message (I3).
public struct LeaseLost: Error, Sendable, Hashable, CustomStringConvertible {
    public let id: MessageID

    public var description: String {
        """
        the lease on message \(id) is lost: it ran out, or the message was cancelled. Nothing was \
        changed; stop, another run takes over. If runs are long, check that the worker can reach the store.
        """
    }
}
