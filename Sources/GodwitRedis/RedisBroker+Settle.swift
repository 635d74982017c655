// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Logging
import RedisClient

extension RedisBroker {
    /// All calls go in one write; a caller that is cancelled waits for the answer nevertheless.
    public func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        if settlements.isEmpty { return [] }
        let result = await withUnsafeContinuation { continuation in
            settle(settlements, in: book(queue)) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    public func settle(
        _ settlements: [Settlement], thenReserve request: ReserveRequest, from queue: QueueName
    ) async -> SettledAndReserved {
        let book = book(queue)
        let isForward = settlements.contains {
            if case .forward = $0.verdict { true } else { false }
        }
        guard let kinds = request.kinds, !settlements.isEmpty, !isForward else {
            return await settleInTurn(settlements, thenReserve: request, from: queue)
        }
        do throws(BrokerError) {
            try validation.check(request, from: queue)
            try await register(kinds, in: book, asProducer: false)
        } catch {
            // What has ended must be settled all the same.
            return await settleInTurn(settlements, thenReserve: request, from: queue)
        }
        let plan = SettlePlan(settlements, members: settlements.indices, limits: limits)
        let commands =
            commands(plan, of: settlements, in: book)
            + [reservation(request, kinds.map(\.hash), in: book)]
        let replies: [RESPValue]
        do throws(BrokerError) {
            replies = try await self.replies(to: commands, "settle in and reserve from '\(queue)'")
        } catch {
            return SettledAndReserved(settled: .failure(error), reserved: .failure(error))
        }
        return SettledAndReserved(
            settled: outcomes(plan, replies.dropLast(), count: settlements.count, in: book),
            reserved: Result { () throws(BrokerError) in
                guard let last = replies.last else {
                    throw failure.unreadable("reserve from '\(queue)'")
                }
                return try reservation(from: last, "reserve from '\(queue)'")
            })
    }

    public func settleDetached(_ settlements: [Settlement], in queue: QueueName) {
        if settlements.isEmpty { return }
        let logger = Logger.current
        settle(settlements, in: book(queue)) { result in
            switch result {
            case .failure(let error):
                logger.warning(
                    """
                    \(settlements.count) result(s) of '\(queue)' could not be settled; their leases \
                    run out and they run again: \(error)
                    """)
            case .success(let outcomes):
                let late = zip(settlements, outcomes).filter { $0.1 != .done }
                guard let first = late.first else { return }
                logger.warning(
                    """
                    \(late.count) result(s) of '\(queue)' came too late, the first of \
                    \(first.0.token.id): nothing was changed and they run again
                    """)
            }
        }
    }

    /// Forwards go to their targets first; then everything is settled here.
    private func settle(
        _ settlements: [Settlement], in queue: RedisQueue,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        let forwards = settlements.indices.filter {
            if case .forward = settlements[$0].verdict { true } else { false }
        }
        if forwards.isEmpty { return settle(settlements, busy: [], in: queue, then) }
        do throws(BrokerError) {
            try validation.check(settlements, in: queue.name)
        } catch {
            return then(.failure(error))
        }
        forward(settlements, forwards[...], from: queue) { [self] freight in
            var settlements = settlements
            for place in freight.lost {
                settlements[place].verdict = .reject(Self.payloadLost)
            }
            settle(settlements, busy: freight.busy, in: queue, then)
        }
    }

    private func settle(
        _ settlements: [Settlement], busy: Set<Int>, in queue: RedisQueue,
        _ then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        let members = settlements.indices.lazy.filter { !busy.contains($0) }
        let plan = SettlePlan(settlements, members: members, limits: limits)
        submit(commands(plan, of: settlements, in: queue)) { [self] result in
            switch result {
            case .failure(let error):
                then(.failure(failure.error(error, "settle in '\(queue.name)'")))
            case .success(let replies):
                then(
                    outcomes(plan, replies, count: settlements.count, in: queue).map { outcomes in
                        if busy.isEmpty { return outcomes }
                        var outcomes = outcomes
                        for place in busy { outcomes[place] = .targetBusy }
                        return outcomes
                    })
            }
        }
    }

    private func outcomes(
        _ plan: SettlePlan, _ replies: some Collection<RESPValue>, count: Int, in queue: RedisQueue
    ) -> Result<[SettleOutcome], BrokerError> {
        var outcomes = Array(repeating: SettleOutcome.done, count: count)
        do throws(RedisError) {
            try plan.take(replies, into: &outcomes)
        } catch {
            return .failure(failure.error(error, "settle in '\(queue.name)'"))
        }
        return .success(outcomes)
    }
}
