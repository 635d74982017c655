// SPDX-License-Identifier: Apache-2.0

/// The seam between the core and a store: the words of a message's life, in bytes, in batches.
///
/// Policy lives above it (a pure function turns an outcome into a ``Verdict``), storage below it.
/// Every word is one atomic step of the store, and every entry of a batch has an answer of its own.
/// Clients send durations; the store's clock decides (I4, I8). A call that is cancelled or whose
/// reply is lost throws ``BrokerError/unknown(_:)``: it may have happened (I12).
public protocol Broker: Sendable {
    /// What a caller must keep to.
    var limits: BrokerLimits { get }

    /// The clock that timers above the seam run on; virtual in tests.
    var time: any TimeSource { get }

    /// What to add to ``time`` to get the store's clock, measured on connect; zero where they are one.
    var clockOffset: Duration { get }

    /// Accepts messages, in their order.
    ///
    /// - Moves: nothing → ready, or → scheduled for one that is due later.
    /// - Atomic: each message with its record, index and unique key. A batch may be split by its
    ///   bytes and its limits; a message is never half there.
    /// - Repeated: with ``NewMessage/isResend`` a known id answers `known`, a pruned one `unknown`
    ///   (I12); never two messages of one id. It must be a UUID of version 7 that is at most two
    ///   hours ahead of the store's clock.
    /// - Throws: `invalid` for what can never be accepted, also for two kinds with one hash in a queue;
    ///   then nothing of the call was accepted.
    /// - Crash halfway: what was answered stays; a lost reply is `unknown`, resend with the same ids.
    func enqueue(
        _ messages: [NewMessage], to queue: QueueName
    ) async throws(BrokerError) -> [EnqueueOutcome]

    /// Hands out ready messages, each under a lease of its own; does not wait for any.
    ///
    /// - Moves: ready → leased, first in, first out per kind within a priority, lower priorities
    ///   first; up to 64 due messages are promoted before.
    /// - Atomic: token and deadline are written in the same step (I3, I4); fewer than asked for is a
    ///   full answer.
    /// - Repeated: hands out other messages, never one whose lease still holds (I4).
    /// - Crash halfway: if the reply is lost, the leases run out and `reclaim` returns them (I6).
    func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation

    /// Ends runs: each token with its verdict.
    ///
    /// - Moves: leased → completed, scheduled, dead, ready, or another queue (``Verdict``).
    /// - Atomic: per entry; a stale token changes nothing and only its own entry fails (I3).
    /// - Repeated: the very same settle again (same run, same verdict) answers `done`.
    /// - Crash halfway: what was not settled runs again when its lease has run out. A forward first
    ///   enqueues there, then settles here: it can't get lost, and its repetition is recognised.
    /// - Throws: `invalid` for a forward to its own queue; then nothing of the call happened.
    func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome]

    /// ``settle(_:in:)`` and then ``reserve(_:from:)`` in one trip to the store.
    func settle(
        _ settlements: [Settlement], thenReserve request: ReserveRequest, from queue: QueueName
    ) async -> SettledAndReserved

    /// ``settle(_:in:)`` for one who can't wait: a delivery that was dropped, a worker that stops.
    ///
    /// Returns at once, runs to its end whatever happens to the calling task, and logs a failure at
    /// warning; the lease then runs out and the message runs again.
    func settleDetached(_ settlements: [Settlement], in queue: QueueName)

    /// Extends leases to `lease` from now; never shortens one.
    ///
    /// - Moves: leased → leased, later deadline.
    /// - Repeated: harmless. A token that holds no lease answers `stale` (I3).
    /// - Callback instead of `async`: the lease keeper calls from a thread of its own, and neither it
    ///   nor `then` needs the cooperative pool, which handlers may have filled.
    func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void)

    /// Keeps up to 4 KiB of progress for the next run of each message; the last write wins.
    ///
    /// - Moves: leased → leased. A stale token changes nothing (I3).
    /// - Throws: `invalid` when one is too big; then none was written.
    func checkpoint(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome]

    /// Moves up to 64 due messages to the tail of their lists, in due order. Scheduled → ready.
    /// Returns how many; `reserve` does the same on its way.
    @discardableResult
    func promote(in queue: QueueName) async throws(BrokerError) -> Int

    /// Takes back up to `limit` (at most 64) leases that ran out: expired → ready at the head, in the order they
    /// were handed out; a suspect that ran alone → dead as `crash-loop` from its third lost lease
    /// on (I6). Any worker calls it; no attempt is charged.
    @discardableResult
    func reclaim(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Reclaimed

    /// Drops up to `limit` (at most 64) finished records and dead letters that are past the queue's retention, and
    /// archived events. Old → gone; returns how many dead letters went.
    @discardableResult
    func prune(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Int

    /// Returns when a message of one of the kinds (nil: any) may be ready, or after `timeout`, or
    /// when the task is cancelled or the broker shut down.
    ///
    /// May return for nothing; never sleeps past a message that could be handed out, whether it was
    /// there before the call or came during it.
    func wait(for kinds: [Kind]?, in queue: QueueName, upTo timeout: Duration) async

    /// Ends the broker's own threads and connections after what was begun has been answered. Later
    /// calls throw `unavailable`. Repeating it is harmless.
    func shutdown() async

    /// True from the first ``shutdown()`` on.
    var isShutDown: Bool { get }

    var `operator`: any Operator { get }
    var inspector: any Inspector { get }
    var eventLog: any EventLog { get }
    var board: any Board { get }
}

extension Broker {
    public var clockOffset: Duration { .zero }

    public func settle(
        _ settlements: [Settlement], thenReserve request: ReserveRequest, from queue: QueueName
    ) async -> SettledAndReserved {
        await settleInTurn(settlements, thenReserve: request, from: queue)
    }

    /// The two halves one after the other; what one is refused for does not touch the other.
    package func settleInTurn(
        _ settlements: [Settlement], thenReserve request: ReserveRequest, from queue: QueueName
    ) async -> SettledAndReserved {
        var result = SettledAndReserved(
            settled: .success([]), reserved: .success(.none(at: time.now())))
        do throws(BrokerError) {
            if !settlements.isEmpty {
                result.settled = .success(try await settle(settlements, in: queue))
            }
        } catch {
            result.settled = .failure(error)
        }
        do throws(BrokerError) {
            result.reserved = .success(try await reserve(request, from: queue))
        } catch {
            result.reserved = .failure(error)
        }
        return result
    }

    /// ``renew(_:for:in:then:)`` for a caller that may wait.
    public func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try await withCheckedContinuation { continuation in
            renew(tokens, for: lease, in: queue) { continuation.resume(returning: $0) }
        }.get()
    }
}
