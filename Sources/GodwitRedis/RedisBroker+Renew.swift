// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker {
    /// Runs on the client's event loop, so a worker whose handlers fill the pool keeps its leases.
    public func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        let what = "renew in '\(queue)'"
        do throws(BrokerError) {
            try validation.check(lease: lease, for: what)
        } catch {
            return then(.failure(error))
        }
        if tokens.isEmpty { return then(.success([])) }
        let queue = book(queue)
        let size = min(limits.batch, Self.reserveBatch)
        let starts = Array(stride(from: 0, to: tokens.count, by: size))
        let commands = starts.map { start in
            let part = tokens[start..<min(start + size, tokens.count)]
            var command = call(scripts.renew, in: queue, capacity: LeaseToken.size * part.count)
            command.append(Int(lease.milliseconds))
            append(part, to: &command)
            seal(&command)
            return command
        }
        submit(commands) { [self] result in
            do throws(RedisError) {
                var replies: [RESPValue] = []
                for reply in try result.get() { replies.append(try reply.get()) }
                then(.success(Self.outcomes(of: tokens.count, replies, from: starts)))
            } catch {
                then(.failure(failure.error(error, what)))
            }
        }
    }

    public func checkpoint(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try validation.check(checkpoints, in: queue)
        if checkpoints.isEmpty { return [] }
        let book = book(queue)
        // 64 of 4 KiB are the byte budget of a call.
        let size = min(limits.batch, Self.smallBatch)
        let starts = Array(stride(from: 0, to: checkpoints.count, by: size))
        let commands = starts.map { start in
            let part = checkpoints[start..<min(start + size, checkpoints.count)]
            var command = call(
                scripts.checkpoint, in: book,
                capacity: part.reduce(0) { $0 + $1.bytes.count + LeaseToken.size + 16 })
            append(part.lazy.map(\.token), to: &command)
            for checkpoint in part { command.append(checkpoint.bytes) }
            seal(&command)
            return command
        }
        let replies = try await values(of: commands, "checkpoint in '\(queue)'")
        return Self.outcomes(of: checkpoints.count, replies, from: starts)
    }

    /// What became of `count` tokens: each reply lists the stale ones among those of its call, which
    /// stand from its start on.
    static func outcomes(
        of count: Int, _ replies: [RESPValue], from starts: [Int]
    ) -> [SettleOutcome] {
        var outcomes = Array(repeating: SettleOutcome.done, count: count)
        for (start, reply) in zip(starts, replies) {
            for stale in reply.elements ?? [] {
                if let stale = stale.int, outcomes.indices.contains(start + stale) {
                    outcomes[start + stale] = .stale
                }
            }
        }
        return outcomes
    }
}
