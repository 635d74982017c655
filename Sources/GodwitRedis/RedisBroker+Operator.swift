// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker: Operator {
    public func redrive(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [RedriveOutcome] {
        var outcomes: [RedriveOutcome] = []
        for part in Self.parts(of: ids) { outcomes += try await redrive(part, in: book(queue)) }
        return outcomes
    }

    /// The script takes the entries of dead letters; the records tell them by id.
    private func redrive(
        _ ids: [MessageID], in queue: RedisQueue
    ) async throws(BrokerError) -> [RedriveOutcome] {
        let what = "redrive in '\(queue.name)'"
        var read = RedisCommand("HMGET", capacity: 64 + 32 * ids.count)
        read.append(queue.keys.key("m"))
        for id in ids { read.append(id.bytes) }
        let records = try await value(of: read, what).elements ?? []
        var entries: [UInt8] = []
        var places: [Int] = []
        for (place, record) in records.enumerated() {
            guard let bytes = record.bytes, bytes.count >= Entry.size,
                !ids[..<place].contains(ids[place])
            else { continue }
            entries += bytes.prefix(Entry.size)
            places.append(place)
        }
        var outcomes = Array(repeating: RedriveOutcome.notDead, count: ids.count)
        if places.isEmpty { return outcomes }
        var command = call(scripts.redrive, in: queue, capacity: entries.count)
        command.append(entries)
        seal(&command)
        for place in places { outcomes[place] = .redriven }
        let refused = try await value(of: command, what).elements ?? []
        for start in stride(from: 0, to: refused.count - 1, by: 2) {
            guard let index = refused[start].int, places.indices.contains(index) else { continue }
            let holder = refused[start + 1].bytes.flatMap { MessageID(bytes: $0) }
            outcomes[places[index]] = holder.map { .uniqueKeyTaken(by: $0) } ?? .notDead
        }
        return outcomes
    }

    public func cancel(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [Bool] {
        try await each(ids, scripts.cancel, in: queue, "cancel in '\(queue)'")
    }

    public func promote(
        _ ids: [MessageID], in queue: QueueName
    ) async throws(BrokerError) -> [Bool] {
        try await each(ids, scripts.promote, in: queue, "promote in '\(queue)'")
    }

    /// Calls a script that takes ids and answers the indexes of those it refused.
    private func each(
        _ ids: [MessageID], _ script: RedisScript, in queue: QueueName, _ what: String
    ) async throws(BrokerError) -> [Bool] {
        if ids.isEmpty { return [] }
        let book = book(queue)
        let parts = Self.parts(of: ids)
        let commands = parts.map { part in
            var command = call(script, in: book, capacity: 16 * part.count)
            command.append(part.flatMap(\.bytes))
            seal(&command)
            return command
        }
        var done = Array(repeating: true, count: ids.count)
        var start = 0
        for (part, reply) in zip(parts, try await values(of: commands, what)) {
            for refused in reply.elements ?? [] {
                if let refused = refused.int, part.indices.contains(refused) {
                    done[start + refused] = false
                }
            }
            start += part.count
        }
        return done
    }

    /// At most 64 ids each, and none of them twice: a call looks at each message once.
    private static func parts(of ids: [MessageID]) -> [[MessageID]] {
        var parts: [[MessageID]] = []
        for id in ids {
            if let last = parts.last, last.count < smallBatch, !last.contains(id) {
                parts[parts.count - 1].append(id)
            } else {
                parts.append([id])
            }
        }
        return parts
    }

    public func pause(_ queue: QueueName) async throws(BrokerError) {
        let command = RedisCommand(["HSET", book(queue).keys.key("cfg"), "paused", "1"])
        _ = try await value(of: command, "pause '\(queue)'")
    }

    public func resume(_ queue: QueueName) async throws(BrokerError) {
        let command = RedisCommand(["HDEL", book(queue).keys.key("cfg"), "paused"])
        _ = try await value(of: command, "resume '\(queue)'")
        try await wakeAll(queue, "resume '\(queue)'")
    }

    public func purge(_ queue: QueueName, limit: Int) async throws(BrokerError) -> Int {
        let what = "purge '\(queue)'"
        let book = book(queue)
        let kinds = try await value(of: RedisCommand(["HKEYS", book.keys.key("k")]), what)
        var purged = 0
        for band in UInt8(0)..<8 {
            for kind in readKinds(kinds, of: book).kinds {
                for suspects in [false, true] {
                    while purged < limit {
                        let count = min(limit - purged, Self.smallBatch)
                        let gone = try await purge(
                            band, kind, suspects: suspects, count, in: book, what)
                        purged += gone.cancelled
                        if gone.taken == 0 { break }
                    }
                }
            }
        }
        return purged
    }

    /// Takes up to `count` off one list. Tombstones among them were cancelled before.
    private func purge(
        _ band: UInt8, _ kind: UInt32, suspects: Bool, _ count: Int, in queue: RedisQueue,
        _ what: String
    ) async throws(BrokerError) -> (taken: Int, cancelled: Int) {
        var command = call(scripts.purge, in: queue, moreKeys: 1, capacity: 128)
        queue.keys.appendList(band: band, kind: kind, suspects: suspects, to: &command)
        command.append(count)
        seal(&command)
        let ghosts = RedisCommand(["HGET", queue.keys.key("st"), "ghosts"])
        let values = try await values(of: [ghosts, command, ghosts], what)
        guard values.count == 3, let taken = values[1].int else { throw failure.unreadable(what) }
        let dropped = max(0, (values[0].int ?? 0) - (values[2].int ?? 0))
        return (taken, max(0, taken - dropped))
    }

    // MARK: Settings

    public func settings(of queue: QueueName) async throws(BrokerError) -> QueueSettings {
        let what = "read the settings of '\(queue)'"
        let fields = ["keep", "records", "deadkeep", "deadmax", "max", "maxc", "track", "events"]
        let command = RedisCommand(["HMGET", book(queue).keys.key("cfg")] + fields)
        let values = try await value(of: command, what).elements ?? []
        guard values.count == fields.count else { throw failure.unreadable(what) }
        var settings = QueueSettings()
        if let value = values[0].int { settings.keepMilliseconds = Int64(value) }
        if let value = values[1].int { settings.keepRecords = value }
        if let value = values[2].int { settings.keepDeadMilliseconds = Int64(value) }
        if let value = values[3].int { settings.keepDead = value }
        if let value = values[4].int { settings.maxMessages = value }
        settings.maxLeased = values[5].int
        settings.tracksLeases = values[6].string != "0"
        settings.recordsEvents = values[7].string != "0"
        return settings
    }

    public func apply(
        _ settings: QueueSettings, to queue: QueueName
    ) async throws(BrokerError) {
        try validation.check(settings, for: queue)
        let what = "apply settings to '\(queue)'"
        let keys = book(queue).keys
        let cfg = keys.key("cfg")
        let track = try await value(of: RedisCommand(["HGET", cfg, "track"]), what)
        var words = [
            "HSET", cfg, "keep", "\(settings.keepMilliseconds)", "records",
            "\(settings.keepRecords)", "deadkeep", "\(settings.keepDeadMilliseconds)", "deadmax",
            "\(settings.keepDead)", "max", "\(settings.maxMessages)", "events",
            settings.recordsEvents ? "1" : "0",
        ]
        // Why: once it was set, acks look for leases without a record, so the default is not written.
        if !settings.tracksLeases || !track.isNull {
            words += ["track", settings.tracksLeases ? "1" : "0"]
        }
        var commands = [RedisCommand(["HSET", keys.registry, queue.text, KeySpace.registered])]
        if let limit = settings.maxLeased {
            commands.append(RedisCommand(words + ["maxc", "\(limit)"]))
        } else {
            commands += [RedisCommand(words), RedisCommand(["HDEL", cfg, "maxc"])]
        }
        _ = try await values(of: commands, what)
        // A higher limit lets go out what nobody has been woken for.
        try await wakeAll(queue, what)
    }

    /// Arms the markers of all kinds.
    private func wakeAll(_ queue: QueueName, _ what: String) async throws(BrokerError) {
        let keys = book(queue).keys
        let kinds = try await value(of: RedisCommand(["HKEYS", keys.key("k")]), what)
        let markers = (kinds.elements ?? []).compactMap { kind in
            kind.bytes.flatMap(KeySpace.kind(ofField:)).map {
                RedisCommand(["ZADD", keys.marker(of: $0), "0", "0"])
            }
        }
        if !markers.isEmpty { _ = try await values(of: markers, what) }
    }
}
