// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// One message in your hands, to be settled exactly once.
///
/// It can't be copied, and every way to settle it uses it up: settling twice does not compile. One
/// that is dropped goes back by the consumer's retry policy, as a failed run. Its lease is renewed
/// until it is settled.
public struct Delivery<Payload: Sendable>: ~Copyable, Sendable {
    public let message: Payload
    let leased: LeasedMessage
    let consumer: Consumer
    private let isSettled = Flag()

    init(_ message: Payload, _ leased: LeasedMessage, _ consumer: Consumer) {
        self.message = message
        self.leased = leased
        self.consumer = consumer
    }

    deinit {
        if isSettled.raise() { consumer.drop(leased) }
    }

    public var id: MessageID { leased.token.id }

    /// Which run this is by reported failures, from 1.
    public var attempt: Int { Int(leased.token.entry.attempt) + 1 }

    /// Which run this is by reserves, from 1.
    public var count: Int { Int(leased.token.entry.count) + 1 }

    /// What an earlier run left by ``checkpoint(_:)``.
    public var checkpoint: [UInt8]? { leased.checkpoint }

    /// What the producer sent along.
    public var headers: [String: String] {
        (try? Envelope.reading(leased.body) { view throws(EnvelopeError) in try view.headers() })
            ?? [:]
    }

    /// The work is done: leased → completed. Returns when the store has it.
    ///
    /// Throws ``LeaseLost`` when another run took over; nothing was changed then. While the store can't be reached
    /// it tries again for as long as a lease lasts, then throws the ``BrokerError``.
    public consuming func ack() async throws { try await settle(.ack) }

    /// The run failed: leased → scheduled, due `delay` from now; counts as an attempt, and the last
    /// attempt ends in the dead letters.
    public consuming func retry(after delay: Duration, reason: String = "") async throws {
        let verdict = Verdict.retry(after: delay, reason: reason)
        try await settle(verdict.bounded(by: leased.token.entry))
    }

    /// It will never work: leased → dead, with its bytes and the reason.
    public consuming func reject(_ reason: String) async throws {
        try await settle(.reject(reason))
    }

    /// Not now, not me: leased → ready at the head of its list; no attempt used.
    public consuming func release() async throws { try await settle(.release) }

    /// Another queue's work: it waits there under the same id, and ends here as forwarded.
    ///
    /// While the target is full, or holds an older copy that is live, it tries again for as long as a
    /// lease lasts; then it gives the message back and throws. Its own queue is `invalid`.
    public consuming func forward(to queue: QueueName) async throws {
        try await settle(.forward(to: queue))
    }

    /// Puts the lease's end at `lease` from now at the earliest.
    public func renew(for lease: Duration) async throws {
        let outcomes = try await consumer.queue.calls.renew([leased.token], for: lease)
        guard outcomes == [.done] else { throw LeaseLost(id: id) }
    }

    /// Keeps up to 4 KiB for the next run of this message; the last write wins.
    public func checkpoint(_ bytes: [UInt8]) async throws {
        let outcomes = try await consumer.queue.calls.checkpoint(
            [Checkpoint(leased.token, bytes)])
        guard outcomes == [.done] else { throw LeaseLost(id: id) }
    }

    private consuming func settle(_ verdict: Verdict) async throws {
        _ = isSettled.raise()
        try await consumer.settle(leased, verdict)
    }
}

/// Goes up once.
private final class Flag: Sendable {
    private let isUp = Atomic(false)

    /// True for the one call that raised it.
    func raise() -> Bool { !isUp.exchange(true, ordering: .acquiringAndReleasing) }
}
