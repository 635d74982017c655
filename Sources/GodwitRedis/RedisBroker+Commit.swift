// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker {
    /// All calls go in one write; a caller that is cancelled waits for the answer nevertheless.
    public func settleLanes(
        _ settlements: [LaneSettlement], in stream: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        let what = "commit in '\(stream)'"
        if settlements.isEmpty { return [] }
        try await prepare(settlements, in: stream)
        let plan = CommitPlan(settlements)
        let commands = commands(plan, of: settlements, in: streamBook(stream))
        let replies = try await replies(to: commands, what)
        return try outcomes(plan, replies[...], count: settlements.count, what)
    }

    /// The calls of the commit and that of the reserve go in one write.
    public func settleLanes(
        _ settlements: [LaneSettlement], thenReserve request: LaneRequest, from stream: QueueName
    ) async -> LanesSettledAndReserved {
        let what = "commit in and reserve from '\(stream)'"
        do throws(BrokerError) {
            try validation.check(request, from: stream)
            try await prepare(settlements, in: stream)
        } catch {
            return await settleLanesInTurn(settlements, thenReserve: request, from: stream)
        }
        let book = streamBook(stream)
        let plan = CommitPlan(settlements)
        let reserve = laneReservation(request, from: book)
        let replies: [RESPValue]
        do throws(BrokerError) {
            replies = try await self.replies(
                to: commands(plan, of: settlements, in: book) + [reserve.command], what)
        } catch {
            return LanesSettledAndReserved(settled: .failure(error), reserved: .failure(error))
        }
        return LanesSettledAndReserved(
            settled: Result { () throws(BrokerError) in
                try outcomes(plan, replies.dropLast(), count: settlements.count, what)
            },
            reserved: Result { () throws(BrokerError) in
                guard let last = replies.last else { throw failure.unreadable(what) }
                return try laneReservation(from: last, reserve.nonce, what)
            })
    }

    private func prepare(
        _ settlements: [LaneSettlement], in stream: QueueName
    ) async throws(BrokerError) {
        try validation.check(settlements, in: stream)
        try await registerTargets(of: settlements.lazy.flatMap(\.emissions))
    }

    /// The kinds of what will be emitted stand in the store before the step that emits.
    func registerTargets(
        of emissions: some Sequence<Emission>
    ) async throws(BrokerError) {
        var targets: [QueueName: [Kind]] = [:]
        for emission in emissions {
            targets[emission.queue, default: []].append(emission.message.kind)
        }
        for (queue, kinds) in targets {
            try await register(kinds, in: book(queue), asProducer: true)
        }
    }

    private func outcomes(
        _ plan: CommitPlan, _ replies: ArraySlice<RESPValue>, count: Int, _ what: String
    ) throws(BrokerError) -> [SettleOutcome] {
        guard replies.count == plan.groups.count else { throw failure.unreadable(what) }
        var outcomes = Array(repeating: SettleOutcome.done, count: count)
        do throws(RedisError) {
            try plan.take(replies, into: &outcomes)
        } catch {
            throw failure.error(error, what)
        }
        return outcomes
    }
}
