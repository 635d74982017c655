// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker {
    /// Looks at up to `limit` messages of each place. On a queue in use a message may move between
    /// two reads; what is reported twice in a row is real.
    public func check(_ queue: QueueName, limit: Int) async throws(BrokerError) -> [String] {
        let what = "check '\(queue)'"
        let book = book(queue)
        let keys = book.keys
        var complaints: [String] = []
        for (state, set) in [
            (MessageState.scheduled, "d" as StaticString), (.leased, "le"), (.dead, "x"),
        ] {
            let command = RedisCommand(["ZRANGE", keys.key(set), "0", "\(max(0, limit - 1))"])
            let members = try await value(of: command, what).elements?.compactMap(\.bytes) ?? []
            complaints += try await check(members, state, in: book, what)
        }
        var left = limit
        for list in Self.lists(of: try await kinds(of: queue, what).keys) where left > 0 {
            var command = RedisCommand("LRANGE", capacity: 160)
            keys.appendList(band: list.band, kind: list.kind, suspects: list.suspects, to: &command)
            command.append(0)
            command.append(left - 1)
            let entries = try await value(of: command, what).elements?.compactMap(\.bytes) ?? []
            left -= entries.count
            complaints += try await check(entries, .ready, in: book, what)
        }
        let counts = try await counts(of: queue)
        let values = try await values(
            of: [
                RedisCommand(["HLEN", keys.key("p")]),
                RedisCommand(["HGET", keys.key("st"), "ghosts"]),
            ], what)
        let places = counts.ready + counts.scheduled + counts.leased + counts.dead
        let bodies = (values.first?.int ?? 0) - (values.last?.int ?? 0)
        if bodies != places {
            complaints.append(
                "'\(queue)' keeps \(bodies) bodies for \(places) messages that are ready, scheduled, "
                    + "leased or dead.")
        }
        return complaints
    }

    private func check(
        _ members: [ArraySlice<UInt8>], _ state: MessageState, in queue: RedisQueue, _ what: String
    ) async throws(BrokerError) -> [String] {
        if members.isEmpty { return [] }
        var records = RedisCommand("HMGET", capacity: 64 + 24 * members.count)
        records.append(queue.keys.key("m"))
        var commands: [RedisCommand] = []
        for member in members {
            records.append(member.prefix(16))
            var body = RedisCommand("HEXISTS", capacity: 128)
            body.append(queue.keys.key("p"))
            body.append(member.prefix(16))
            commands.append(body)
        }
        let values = try await values(of: commands + [records], what)
        let stored = values.last?.elements ?? []
        guard values.count == members.count + 1, stored.count == members.count else {
            throw failure.unreadable(what)
        }
        let tracks = try await settings(of: queue.name).tracksLeases
        var complaints: [String] = []
        for (index, member) in members.enumerated() {
            guard let entry = member.withUnsafeBytes({ Entry(bytes: $0) }) else {
                complaints.append("'\(queue.name)' holds an entry of \(member.count) bytes.")
                continue
            }
            if values[index].int != 1 {
                complaints.append("\(entry.id) is \(state.rawValue) and has no body.")
            }
            let record = stored[index].bytes.flatMap { StoredRecord($0) }
            guard let record else {
                let isPlain = state == .ready || (state == .leased && !tracks)
                if !isPlain {
                    complaints.append("\(entry.id) is \(state.rawValue) and has no record.")
                }
                continue
            }
            let isTombstone = state == .ready && record.state == .cancelled
            let isSame = record.bytes.prefix(member.count) == member
            if !isSame && !isTombstone && (tracks || state != .leased) {
                complaints.append(
                    "\(entry.id) is \(state.rawValue), but its record is of another run.")
            }
        }
        return complaints
    }
}
