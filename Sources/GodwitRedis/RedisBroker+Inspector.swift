// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker: Inspector {
    public func queues() async throws(BrokerError) -> [QueueName] {
        let what = "list the queues"
        let command = RedisCommand(["HKEYS", KeySpace.registry(of: namespace)])
        var names: [QueueName] = []
        for field in try await value(of: command, what).elements ?? [] {
            if field.string?.hasPrefix(KeySpace.streamPrefix) == true { continue }
            do throws(InvalidName) {
                names.append(try QueueName(field.string ?? ""))
            } catch {
                throw failure.unreadable(what)
            }
        }
        return names.sorted()
    }

    public func counts(of queue: QueueName) async throws(BrokerError) -> QueueCounts {
        let what = "count '\(queue)'"
        let keys = book(queue).keys
        let kinds = try await kinds(of: queue, what).keys
        let counters = [
            "enq", "done", "retry", "released", "dead", "forwarded", "lost", "redriven",
            "cancelled", "purged", "pruned", "ghosts",
        ]
        var commands = [
            RedisCommand(["ZCARD", keys.key("d")]), RedisCommand(["ZCARD", keys.key("le")]),
            RedisCommand(["ZCARD", keys.key("x")]),
            RedisCommand(["HMGET", keys.key("cfg"), "paused", "sus"]),
            RedisCommand(["HMGET", keys.key("st")] + counters),
        ]
        for list in Self.lists(of: kinds) {
            var command = RedisCommand("LLEN", capacity: 128)
            keys.appendList(
                band: list.band, kind: list.kind, suspects: list.suspects, to: &command)
            commands.append(command)
        }
        let values = try await values(of: commands, what)
        guard values.count == commands.count, let options = values[3].elements,
            options.count == 2, let stats = values[4].elements, stats.count == counters.count
        else { throw failure.unreadable(what) }
        func counter(_ index: Int) -> Int { stats[index].int ?? 0 }
        var counts = QueueCounts()
        counts.scheduled = values[0].int ?? 0
        counts.leased = values[1].int ?? 0
        counts.dead = values[2].int ?? 0
        counts.isPaused = !options[0].isNull
        counts.suspects = max(0, options[1].int ?? 0)
        counts.enqueued = counter(0)
        counts.completed = counter(1)
        counts.retried = counter(2)
        counts.released = counter(3)
        counts.rejected = counter(4)
        counts.forwarded = counter(5)
        counts.lost = counter(6)
        counts.redriven = counter(7)
        counts.cancelled = counter(8) + counter(9)
        counts.pruned = counter(10)
        let waiting = values.dropFirst(5).reduce(0) { $0 + ($1.int ?? 0) }
        counts.ready = max(0, waiting - counter(11))
        return counts
    }

    public func message(
        _ id: MessageID, in queue: QueueName
    ) async throws(BrokerError) -> MessageRecord? {
        let what = "look up \(id) in '\(queue)'"
        let kinds = try await kinds(of: queue, what)
        // Why again: between the two reads the message may move on.
        for _ in 0..<4 {
            let (found, isSettled) = try await look(id, kinds, in: book(queue), what)
            if isSettled { return found }
        }
        throw .unavailable(
            BrokerError.Problem(
                what: what, location: failure.location, cause: "the message moves all the time",
                advice: "Look again."))
    }

    /// Reads the record and then the place it names; false when the place says otherwise.
    private func look(
        _ id: MessageID, _ kinds: [UInt32: String], in queue: RedisQueue, _ what: String
    ) async throws(BrokerError) -> (MessageRecord?, isSettled: Bool) {
        func get(_ hash: StaticString) -> RedisCommand {
            var command = RedisCommand("HGET", capacity: 128)
            command.append(queue.keys.key(hash))
            command.append(id.bytes)
            return command
        }
        let track = RedisCommand(["HGET", queue.keys.key("cfg"), "track"])
        let values = try await values(of: StoredMessage.fields.map(get) + [get("p"), track], what)
        guard values.count == 6 else { throw failure.unreadable(what) }
        let stored = StoredMessage(
            record: values[0].bytes, values[1].bytes, values[2].bytes, values[3].bytes)
        let value = values[4].bytes.flatMap { $0.isEmpty ? nil : $0 }
        let body = value.map { StoredValue.body(of: $0) }
        guard let record = stored.record else {
            // A plain message that never ran, or nothing (a tombstone is nothing, too).
            guard let head = value.flatMap({ StoredValue.Head($0) }) else { return (nil, true) }
            if !values[5].isNull, let lease = try await untracked(id, in: queue, what) {
                return (stored.message(lease, kinds: kinds, body: body), true)
            }
            let entry = head.entry(id)
            return (stored.message(.ready, entry, kinds: kinds, body: body), true)
        }
        if let state = record.state, state.hasEnded {
            return (stored.message(state, record.entry, kinds: kinds), true)
        }
        let score = try await score(of: record, in: queue, what)
        switch record.state {
        case nil:
            if score == nil, !values[5].isNull,
                let lease = try await untracked(id, in: queue, what)
            {
                return (stored.message(lease, kinds: kinds, body: body), true)
            }
            let state = score == nil ? MessageState.ready : .scheduled
            return (
                stored.message(state, record.entry, kinds: kinds, score: score, body: body), true
            )
        case let state?:
            return (
                stored.message(state, record.entry, kinds: kinds, score: score, body: body),
                score != nil
            )
        }
    }

    /// The lease of a message where leases may have no record: one look at up to 4,096 of them.
    private func untracked(
        _ id: MessageID, in queue: RedisQueue, _ what: String
    ) async throws(BrokerError) -> (token: LeaseToken, deadline: Timestamp)? {
        let command = RedisCommand(["ZRANGE", queue.keys.key("le"), "0", "4095", "WITHSCORES"])
        for row in Self.rows(try await value(of: command, what)) {
            if let token = row.member.withUnsafeBytes({ LeaseToken(bytes: $0) }), token.id == id {
                return (token, row.score)
            }
        }
        return nil
    }

    private func score(
        of record: StoredRecord, in queue: RedisQueue, _ what: String
    ) async throws(BrokerError) -> Timestamp? {
        var command = RedisCommand("ZSCORE", capacity: 192)
        switch record.state {
        case .leased:
            command.append(queue.keys.key("le"))
            command.append(record.bytes.prefix(LeaseToken.size))
        case .dead:
            command.append(queue.keys.key("x"))
            command.append(record.bytes.prefix(Entry.size))
        default:
            command.append(queue.keys.key("d"))
            command.append(record.bytes.prefix(Entry.size))
        }
        return try await value(of: command, what).score
    }

    /// The kinds of a queue by their hashes.
    func kinds(
        of queue: QueueName, _ what: String
    ) async throws(BrokerError) -> [UInt32: String] {
        let command = RedisCommand(["HGETALL", book(queue).keys.key("k")])
        let fields = try await value(of: command, what).elements ?? []
        var kinds: [UInt32: String] = [:]
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            if let hash = fields[index].bytes.flatMap(KeySpace.kind(ofField:)) {
                kinds[hash] = fields[index + 1].string
            }
        }
        return kinds
    }

    /// All lists of ready messages: by band, kinds in the order of their hashes, suspects behind.
    static func lists(
        of kinds: some Collection<UInt32>
    ) -> [(band: UInt8, kind: UInt32, suspects: Bool)] {
        let kinds = kinds.sorted()
        return [false, true].flatMap { suspects in
            (UInt8(0)..<8).flatMap { band in kinds.map { (band, $0, suspects) } }
        }
    }
}

extension StoredValue.Head {
    /// The entry of a plain message that never ran: its id says when it was enqueued.
    func entry(_ id: MessageID) -> Entry {
        let made = id.timestamp ?? Timestamp(milliseconds: 0)
        return Entry(
            id: id, priority: priority, sizeClass: sizeClass, hasUniqueKey: hasUniqueKey,
            kindHash: kind, maxAttempts: maxAttempts, insertedAt: made, readyAt: made)
    }
}

extension RESPValue {
    /// A score in milliseconds, in either protocol.
    var score: Timestamp? {
        if case .double(let value) = self, let whole = Int64(exactly: value.rounded(.down)) {
            return Timestamp(milliseconds: whole)
        }
        guard let text = string, let value = Double(text) else { return nil }
        return Int64(exactly: value.rounded(.down)).map { Timestamp(milliseconds: $0) }
    }
}
