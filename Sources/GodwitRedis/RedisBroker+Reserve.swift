// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient
import Synchronization

extension RedisBroker {
    /// How long the kinds of a queue are believed where a caller takes any.
    private static let kindsAge = Duration.seconds(2)

    /// A caller that is cancelled waits for the answer nevertheless, so that it knows what it holds.
    public func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation {
        try validation.check(request, from: queue)
        let what = "reserve from '\(queue)'"
        let queue = book(queue)
        guard let kinds = request.kinds else { return try await reserveAny(request, from: queue) }
        try await register(kinds, in: queue, asProducer: false)
        let command = reservation(request, kinds.map(\.hash), in: queue)
        return try reservation(from: try await value(of: command, what), what)
    }

    /// Reserve for one who takes every kind that the queue holds.
    private func reserveAny(
        _ request: ReserveRequest, from queue: RedisQueue
    ) async throws(BrokerError) -> Reservation {
        let what = "reserve from '\(queue.name)'"
        let (kinds, isFresh) = queue.state.withLock { state in
            (state.allKinds, state.readKindsAt.map { .now - $0 < Self.kindsAge } ?? false)
        }
        if isFresh {
            let command = reservation(request, kinds, in: queue)
            let found = try reservation(from: try await value(of: command, what), what)
            if !found.messages.isEmpty { return found }
        }
        // A producer elsewhere may have brought a new kind.
        let read = try await value(of: RedisCommand(["HKEYS", queue.keys.key("k")]), what)
        let now = readKinds(read, of: queue)
        let command = reservation(request, now.kinds, in: queue)
        return try reservation(from: try await value(of: command, what), what)
    }

    /// One call of RESERVE.
    func reservation(
        _ request: ReserveRequest, _ kinds: [UInt32], in queue: RedisQueue
    ) -> RedisCommand {
        let kinds = queue.rotated(kinds)
        let lists = 8 * kinds.count
        let suspects = request.takesSuspects ? lists : 0
        var command = call(
            scripts.reserve, in: queue, moreKeys: lists + suspects,
            capacity: (lists + suspects) * (queue.keys.listBytes + 8))
        if request.takesSuspects {
            for band in UInt8(0)..<8 {
                for kind in kinds {
                    queue.keys.appendList(band: band, kind: kind, suspects: true, to: &command)
                }
            }
        }
        for band in UInt8(0)..<8 {
            for kind in kinds { queue.keys.appendList(band: band, kind: kind, to: &command) }
        }
        let count = max(0, min(request.count, limits.batch, Self.reserveBatch))
        command.append(count)
        command.append(Int(request.lease.milliseconds))
        let random = nonce.wrappingAdd(1, ordering: .relaxed).newValue
        command.append(count: 7) { buffer in
            for index in 0..<4 {
                buffer[index] = UInt8(truncatingIfNeeded: request.worker >> UInt32(24 - 8 * index))
            }
            for index in 0..<3 {
                buffer[4 + index] = UInt8(truncatingIfNeeded: random >> UInt32(16 - 8 * index))
            }
        }
        command.append(suspects)
        command.append(max(0, request.bytes))
        command.append(max(0, request.freeSlots ?? request.count))
        seal(&command)
        return command
    }

    /// Reads the reply of RESERVE: now, deadline, tokens, values, checkpoints, suspects, next due.
    func reservation(
        from reply: RESPValue, _ what: @autoclosure () -> String
    ) throws(BrokerError) -> Reservation {
        if case .error(let text) = reply { throw failure.error(RedisError(reply: text), what()) }
        guard case .array(let parts) = reply, parts.count >= 6, let now = parts[0].int,
            let deadline = parts[1].int, case .array(let tokens) = parts[2],
            case .array(let values) = parts[3], tokens.count == values.count
        else { throw failure.unreadable(what()) }
        let checkpoints = parts[4].elements ?? []
        var reservation = Reservation(
            now: Timestamp(milliseconds: Int64(now)),
            deadline: Timestamp(milliseconds: Int64(deadline)), messages: [],
            suspectsWaiting: max(0, parts[5].int ?? 0))
        if parts.count > 6, let due = parts[6].int {
            reservation.nextDue = Timestamp(milliseconds: Int64(due))
        }
        reservation.messages.reserveCapacity(tokens.count)
        for index in tokens.indices {
            guard case .bulk(let bytes) = tokens[index], case .bulk(let value) = values[index],
                let token = bytes.withUnsafeBytes({ LeaseToken(bytes: $0) })
            else { throw failure.unreadable(what()) }
            let checkpoint = index < checkpoints.count ? checkpoints[index].bytes : nil
            reservation.messages.append(
                LeasedMessage(
                    token: token, body: StoredValue.body(of: value),
                    checkpoint: checkpoint.map { Array($0) }))
        }
        return reservation
    }
}
