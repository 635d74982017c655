// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker {
    private static let crashBudget = 3

    /// A reserve of nothing: it promotes on its way. The number is what the schedule lost meanwhile,
    /// so a cancel or an enqueue at that moment may blur it.
    public func promote(in queue: QueueName) async throws(BrokerError) -> Int {
        let book = book(queue)
        let count = RedisCommand(["ZCARD", book.keys.key("d")])
        let values = try await values(
            of: [count, reservation(ReserveRequest(0), [], in: book), count],
            "promote in '\(queue)'")
        guard values.count == 3, let before = values[0].int, let after = values[2].int else {
            throw failure.unreadable("promote in '\(queue)'")
        }
        return max(0, min(before - after, Self.smallBatch))
    }

    public func reclaim(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Reclaimed {
        let limit = min(limit, Self.smallBatch)
        if limit < 1 { return Reclaimed(ready: 0, dead: 0) }
        var command = call(scripts.reclaim, in: book(queue), capacity: 32)
        command.append(limit)
        command.append(Self.crashBudget)
        seal(&command)
        let value = try await value(of: command, "reclaim in '\(queue)'")
        guard let parts = value.elements, parts.count == 2, let ready = parts[0].int,
            let dead = parts[1].int
        else { throw failure.unreadable("reclaim in '\(queue)'") }
        return Reclaimed(ready: ready, dead: dead)
    }

    public func prune(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Int {
        let limit = min(limit, Self.smallBatch)
        if limit < 1 { return 0 }
        let settings = try await settings(of: queue)
        var command = call(scripts.prune, in: book(queue), capacity: 64)
        command.append(limit)
        command.append(Int(settings.keepDeadMilliseconds))
        command.append(settings.keepDead)
        seal(&command)
        let what = "prune '\(queue)'"
        guard let parts = try await value(of: command, what).elements, parts.count == 2,
            let dead = parts[0].int
        else { throw failure.unreadable(what) }
        return dead
    }
}
