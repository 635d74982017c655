// SPDX-License-Identifier: Apache-2.0

/// The seam of keyed streams: points of a key wait in a lane, and a lane is leased as a whole.
///
/// So one point of a key runs at a time and in order, without a lock (I7). A lane is in exactly one
/// place: idle, ready, leased, parked, blocked (I2); it is ready only while points wait in it. What
/// is trimmed is trimmed inside a fenced commit, never on append: no point is dropped that nobody
/// has seen (I1). A stream is named like a queue; points that were given up are dead letters of the
/// queue of that name.
public protocol StreamBroker: Broker {
    /// Accepts points, in their order.
    ///
    /// - Moves: an idle lane → ready; any other stays where it is. Idle lanes join the tail in the
    ///   order in which the points name them first, be that point refused or not; where a store takes
    ///   a long append in several steps, step by step.
    /// - Repeated: an id that the key holds, waiting or in its window, and the newest id that it has
    ///   seen answer `duplicate` (I12). What has left the window is forgotten, and comes back as a
    ///   late point that is handled twice. So who resends up to `n` points of a key at a time, after
    ///   a lost reply or from a file's start, keeps a window of at least `n` (N ≥ n), or refuses late
    ///   points: with N = 0 only the very newest point is recognised once it was handled.
    /// - Crash halfway: what was answered stays; a lost reply is `unknown`, resend with the same ids.
    /// - Throws: `invalid` for an empty or too long key or point; then nothing was added.
    func append(
        _ points: [NewPoint], to stream: QueueName, options: AppendOptions
    ) async throws(BrokerError) -> [AppendOutcome]

    /// Hands out ready lanes, each with its first waiting points, under a lease; waits for none.
    ///
    /// - Moves: ready → leased, in turn: a lane whose points were handled joins the tail, so no key
    ///   starves another. Up to 64 parked lanes that are due join the tail before.
    /// - A lane with `attempt` or `lost` over zero hands out one point; a suspect (`lost` ≥ 2) goes
    ///   out only when asked for, as the only lane of the answer (I6).
    func reserveLanes(
        _ request: LaneRequest, from stream: QueueName
    ) async throws(BrokerError) -> LaneReservation

    /// What the keys of these leases have learnt, for a worker that does not remember it.
    ///
    /// Good only while the lease holds: a commit with a stale token changes nothing anyway.
    func memories(
        of keys: [String], window: Int, in stream: QueueName
    ) async throws(BrokerError) -> [LaneMemory]

    /// Commits: position, window, state, emissions and the end of the lease in one step per lane,
    /// or none of them (I7).
    ///
    /// - Repeated, or late: answers `stale` and changes nothing (I3).
    /// - Crash halfway: the points that were not committed run again when the lease has run out.
    func settleLanes(
        _ settlements: [LaneSettlement], in stream: QueueName
    ) async throws(BrokerError) -> [SettleOutcome]

    /// ``settleLanes(_:in:)`` and then ``reserveLanes(_:from:)`` in one trip to the store.
    func settleLanes(
        _ settlements: [LaneSettlement], thenReserve request: LaneRequest, from stream: QueueName
    ) async -> LanesSettledAndReserved

    /// Extends leases to `lease` from now; never shortens one. Callback as in `renew(_:for:in:then:)`.
    func renewLanes(
        _ tokens: [LaneToken], for lease: Duration, in stream: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void)

    /// Takes back up to `limit` (at most 64) leases that ran out: leased → ready at the head, in the
    /// order they were handed out, `lost` + 1; from the second on among the suspects. Returns how many.
    @discardableResult
    func reclaimLanes(_ limit: Int, in stream: QueueName) async throws(BrokerError) -> Int

    /// Drops up to `limit` (at most 64) keys that have been idle for longer than `idle`, counted from
    /// the last point that was handled or given up: window, state and memory of ids, with an entry in ``StreamInspector/droppedKeys(of:)``. Returns how many.
    @discardableResult
    func expireLanes(
        idleFor idle: Duration, limit: Int, in stream: QueueName
    ) async throws(BrokerError) -> Int

    /// Returns when a lane may be ready, or after `timeout`, or when the task is cancelled or the
    /// broker shut down. May return for nothing.
    func waitForLanes(in stream: QueueName, upTo timeout: Duration) async

    var streamOperator: any StreamOperator { get }
    var streamInspector: any StreamInspector { get }
}

/// An operator's moves on single keys. Each answers false when the key is not in the state for it.
public protocol StreamOperator: Sendable {
    /// Blocked or parked → ready at the tail, attempt and lost back to zero.
    func redriveLane(_ key: String, in stream: QueueName) async throws(BrokerError) -> Bool

    /// Blocked → ready or idle, its first point passed as a dead letter (`emission`), if the key
    /// still stands at `position`.
    func skipPoint(
        of key: String, at position: UInt64, _ emission: Emission, in stream: QueueName
    ) async throws(BrokerError) -> Bool

    /// Moves the last `window` handled points back before those that wait and forgets the state, so
    /// that all of them run again, oldest first. Not while the lane is leased.
    func replayLane(
        _ key: String, window: Int, in stream: QueueName
    ) async throws(BrokerError) -> Bool

    /// Idle → gone: drops window, state and memory of ids, with an entry among the dropped keys.
    func forgetLane(_ key: String, in stream: QueueName) async throws(BrokerError) -> Bool
}

extension StreamBroker {
    public func settleLanes(
        _ settlements: [LaneSettlement], thenReserve request: LaneRequest, from stream: QueueName
    ) async -> LanesSettledAndReserved {
        await settleLanesInTurn(settlements, thenReserve: request, from: stream)
    }

    /// The two halves one after the other; what one is refused for does not touch the other.
    package func settleLanesInTurn(
        _ settlements: [LaneSettlement], thenReserve request: LaneRequest, from stream: QueueName
    ) async -> LanesSettledAndReserved {
        var result = LanesSettledAndReserved(
            settled: .success([]), reserved: .success(.none(at: time.now())))
        do throws(BrokerError) {
            if !settlements.isEmpty {
                result.settled = .success(try await settleLanes(settlements, in: stream))
            }
        } catch {
            result.settled = .failure(error)
        }
        do throws(BrokerError) {
            result.reserved = .success(try await reserveLanes(request, from: stream))
        } catch {
            result.reserved = .failure(error)
        }
        return result
    }
}
