// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient
import Synchronization

extension RedisBroker {
    /// A caller that is cancelled waits for the answer nevertheless, so that it knows what it holds.
    public func reserveLanes(
        _ request: LaneRequest, from stream: QueueName
    ) async throws(BrokerError) -> LaneReservation {
        try validation.check(request, from: stream)
        let what = "reserve from '\(stream)'"
        let call = laneReservation(request, from: streamBook(stream))
        return try laneReservation(from: try await value(of: call.command, what), call.nonce, what)
    }

    /// One call of STREAM_RESERVE, and the nonce of its tokens up to the place in the answer.
    func laneReservation(
        _ request: LaneRequest, from stream: RedisQueue
    ) -> (command: RedisCommand, nonce: UInt64) {
        let random = UInt64(nonce.wrappingAdd(1, ordering: .relaxed).newValue & 0xFF_FFFF)
        let nonce = UInt64(request.worker) << 32 | random << 8
        var command = call(scripts.streamReserve, in: stream, capacity: 128)
        command.append(max(0, min(request.lanes, StreamLimits.lanes)))
        command.append(max(1, min(request.points, StreamLimits.pointsPerLane)))
        command.append(max(0, request.bytes))
        command.append(Int(request.lease.milliseconds))
        command.append(nonce.bigEndianBytes.dropLast())
        command.append(request.takesSuspects ? 1 : 0)
        seal(&command)
        return (command, nonce)
    }

    /// Reads the reply of STREAM_RESERVE: now, deadline, suspects, next due, then key and lane.
    func laneReservation(
        from reply: RESPValue, _ nonce: UInt64, _ what: @autoclosure () -> String
    ) throws(BrokerError) -> LaneReservation {
        if case .error(let text) = reply { throw failure.error(RedisError(reply: text), what()) }
        guard case .array(let parts) = reply, parts.count >= 4, let now = parts[0].int,
            let deadline = parts[1].int
        else { throw failure.unreadable(what()) }
        var answer = LaneReservation(
            now: Timestamp(milliseconds: Int64(now)),
            deadline: Timestamp(milliseconds: Int64(deadline)), lanes: [],
            suspectsWaiting: parts[2].int ?? 0,
            nextDue: parts[3].int.map { Timestamp(milliseconds: Int64($0)) })
        for index in stride(from: 4, to: parts.count - 1, by: 2) {
            guard let key = parts[index].string, let packed = parts[index + 1].bytes,
                let lane = StoredLane(packed),
                let points = StoredPoint.points(in: packed.dropFirst(StoredLane.size))
            else { throw failure.unreadable(what()) }
            let place = UInt64(index / 2 - 1)
            answer.lanes.append(
                LeasedLane(
                    token: LaneToken(key: key, nonce: nonce | place), position: lane.position,
                    birth: lane.birth, newest: lane.newest, attempt: lane.attempt, lost: lane.lost,
                    points: points))
        }
        return answer
    }

    /// Native reads, pipelined: a window never passes through a script.
    public func memories(
        of keys: [String], window: Int, in stream: QueueName
    ) async throws(BrokerError) -> [LaneMemory] {
        let what = "load windows of '\(stream)'"
        try validation.check(window: window, for: what)
        let names = streamBook(stream).keys
        var memories: [LaneMemory] = []
        for start in stride(from: 0, to: keys.count, by: StreamLimits.lanes) {
            let part = keys[start..<min(start + StreamLimits.lanes, keys.count)]
            // Why positions last: a commit of somebody else between two of these reads is seen there.
            var commands = [RedisCommand(["HMGET", names.tag + "sv"] + part)]
            if window > 0 {
                commands += part.map { RedisCommand(["GET", names.tag + "w:" + $0]) }
            }
            commands.append(RedisCommand(["HMGET", names.tag + "ln"] + part))
            let values = try await values(of: commands, what)
            guard values.count == commands.count, let lanes = values.last?.elements,
                let states = values[0].elements, lanes.count == part.count,
                states.count == part.count
            else { throw failure.unreadable(what) }
            for index in 0..<part.count {
                let lane = lanes[index].bytes.flatMap { StoredLane($0) }
                let packed = window > 0 ? values[1 + index].bytes ?? [] : []
                guard let points = StoredPoint.points(in: packed) else {
                    throw failure.unreadable(what)
                }
                let moved = [lanes[index].bytes, states[index].bytes, packed]
                memories.append(
                    LaneMemory(
                        position: lane?.position ?? 0, birth: lane?.birth ?? 0,
                        window: points.suffix(window),
                        state: lane?.state(or: states[index].bytes) ?? [],
                        bytesMoved: moved.reduce(0) { $0 + ($1?.count ?? 0) }))
            }
        }
        return memories
    }

    /// Runs on the client's event loop, so a worker whose handlers fill the pool keeps its leases.
    public func renewLanes(
        _ tokens: [LaneToken], for lease: Duration, in stream: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        let what = "renew in '\(stream)'"
        do throws(BrokerError) {
            try validation.check(lease: lease, for: what)
        } catch {
            return then(.failure(error))
        }
        if tokens.isEmpty { return then(.success([])) }
        let book = streamBook(stream)
        let starts = Array(stride(from: 0, to: tokens.count, by: StreamLimits.lanes))
        let commands = starts.map { start in
            let part = tokens[start..<min(start + StreamLimits.lanes, tokens.count)]
            var command = call(scripts.streamRenew, in: book, capacity: 64 * part.count)
            command.append(Int(lease.milliseconds))
            for token in part { command.append(token.bytes) }
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

    @discardableResult
    public func reclaimLanes(_ limit: Int, in stream: QueueName) async throws(BrokerError) -> Int {
        let limit = min(limit, Self.smallBatch)
        if limit < 1 { return 0 }
        var command = call(scripts.streamReclaim, in: streamBook(stream), capacity: 32)
        command.append(limit)
        seal(&command)
        return try await number(of: command, "reclaim in '\(stream)'")
    }

    /// Looks at a part of the keys, some hundreds; the next call goes on from there.
    @discardableResult
    public func expireLanes(
        idleFor idle: Duration, limit: Int, in stream: QueueName
    ) async throws(BrokerError) -> Int {
        let limit = min(limit, Self.smallBatch)
        if limit < 1 { return 0 }
        var command = call(scripts.streamExpire, in: streamBook(stream), capacity: 64)
        command.append(limit)
        command.append(Int(max(0, min(idle.milliseconds, Timestamp.latest.milliseconds))))
        seal(&command)
        return try await number(of: command, "drop idle keys of '\(stream)'")
    }

    /// The number that a script answers.
    func number(
        of command: RedisCommand, _ what: @autoclosure () -> String
    ) async throws(BrokerError) -> Int {
        guard let number = try await value(of: command, what()).int else {
            throw failure.unreadable(what())
        }
        return number
    }
}
