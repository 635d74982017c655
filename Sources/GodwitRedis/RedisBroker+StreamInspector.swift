// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker: StreamInspector {
    /// How many keys a list of lanes looks at (I10).
    private static let mostKeys = 100_000

    public func streams() async throws(BrokerError) -> [QueueName] {
        let what = "list the streams"
        let command = RedisCommand(["HKEYS", KeySpace.registry(of: namespace)])
        var names: [QueueName] = []
        for field in try await value(of: command, what).elements ?? [] {
            guard let text = field.string, text.hasPrefix(KeySpace.streamPrefix) else { continue }
            do throws(InvalidName) {
                names.append(try QueueName(String(text.dropFirst(KeySpace.streamPrefix.count))))
            } catch {
                throw failure.unreadable(what)
            }
        }
        return names.sorted()
    }

    public func counts(ofStream stream: QueueName) async throws(BrokerError) -> StreamCounts {
        let what = "count '\(stream)'"
        let keys = streamBook(stream).keys
        let values = try await values(
            of: [
                RedisCommand(["HLEN", keys.key("ln")]), RedisCommand(["LLEN", keys.key("rd")]),
                RedisCommand(["LLEN", keys.key("rd!")]), RedisCommand(["ZCARD", keys.key("ll")]),
                RedisCommand(["ZCARD", keys.key("ld")]), RedisCommand(["ZCARD", keys.key("lb")]),
                RedisCommand([
                    "HMGET", keys.key("st"), "app", "han", "dead", "late", "dropped", "again",
                ]),
            ], what)
        guard values.count == 7, let stats = values[6].elements, stats.count == 6 else {
            throw failure.unreadable(what)
        }
        let places = values.prefix(6).map { $0.int ?? 0 }
        let counters = stats.map { $0.int ?? 0 }
        var counts = StreamCounts()
        counts.ready = places[1] + places[2]
        counts.leased = places[3]
        counts.parked = places[4]
        counts.blocked = places[5]
        counts.idle = max(0, places[0] - places.dropFirst().reduce(0, +))
        counts.appended = counters[0]
        counts.handled = counters[1]
        counts.dead = counters[2]
        counts.late = counters[3]
        counts.dropped = counters[4]
        // A replay brought handled points back.
        counts.pending = max(0, counters[0] - counters[1] - counters[2] + counters[5])
        return counts
    }

    /// On a stream in use a key may move between two reads; then its phase is one of both.
    public func lanes(
        of stream: QueueName, by order: LaneOrder, limit: Int
    ) async throws(BrokerError) -> [LaneSummary] {
        let what = "list the keys of '\(stream)'"
        let names = streamBook(stream).keys
        if limit < 1 { return [] }
        var found = try await storedLanes(names, atMost: Self.mostKeys, what)
            .map { $0.lane.summary($0.key, .idle, pending: 0) }
        if order == .activity {
            // Only those that will be shown are looked at more closely.
            found = Array(found.sorted(by: order.precedes).prefix(limit))
        }
        let leases = try await leases(names, what)
        for start in stride(from: 0, to: found.count, by: Self.batch) {
            let range = start..<min(start + Self.batch, found.count)
            let keys = found[range].map(\.key)
            let commands =
                keys.map { RedisCommand(["LLEN", names.tag + "p:" + $0]) }
                + ["ld", "lb"].map { RedisCommand(["ZMSCORE", names.tag + $0] + keys) }
            let values = try await values(of: commands, what)
            guard values.count == keys.count + 2, let parked = values[keys.count].elements,
                let blocked = values[keys.count + 1].elements, parked.count == keys.count,
                blocked.count == keys.count
            else { throw failure.unreadable(what) }
            for (offset, place) in range.enumerated() {
                found[place].pending = values[offset].int ?? 0
                if found[place].pending == 0 { continue }
                found[place].phase =
                    !parked[offset].isNull
                    ? .parked
                    : !blocked[offset].isNull
                        ? .blocked : leases[Array(keys[offset].utf8)] != nil ? .leased : .ready
            }
        }
        return Array(found.sorted(by: order.precedes).prefix(limit))
    }

    public func lane(
        _ key: String, window: Int, in stream: QueueName
    ) async throws(BrokerError) -> LaneRecord? {
        let what = "look up a key of '\(stream)'"
        try validation.check(window: window, for: what)
        var command = call(scripts.streamLook, in: streamBook(stream), capacity: 512)
        command.append(key)
        seal(&command)
        let reply = try await value(of: command, what)
        if reply.isNull { return nil }
        guard let parts = reply.elements, parts.count == 8,
            let lane = parts[0].bytes.flatMap({ StoredLane($0) }), let pending = parts[1].int,
            let points = StoredPoint.points(in: parts[6].bytes ?? []),
            let waiting = StoredPoint.points(in: parts[7].bytes ?? [])
        else { throw failure.unreadable(what) }
        let phase: LanePhase =
            switch parts[2].string {
            case "r": .ready
            case "l": .leased
            case "p": .parked
            case "b": .blocked
            default: .idle
            }
        return LaneRecord(
            summary: lane.summary(key, phase, pending: pending), reason: parts[4].bytes?.text ?? "",
            due: parts[3].score,
            memory: LaneMemory(
                position: lane.position, birth: lane.birth, window: points.suffix(window),
                state: lane.state(or: parts[5].bytes),
                bytesMoved: [0, 5, 6].reduce(0) { $0 + (parts[$1].bytes?.count ?? 0) }),
            pending: waiting)
    }

    public func droppedKeys(of stream: QueueName) async throws(BrokerError) -> [DroppedKey] {
        let what = "list dropped keys of '\(stream)'"
        let command = RedisCommand([
            "LRANGE", streamBook(stream).keys.key("dk"), "0", "\(StreamLimits.droppedKept - 1)",
        ])
        return (try await value(of: command, what).elements ?? []).compactMap { element in
            guard let bytes = element.bytes, bytes.count > 18 else { return nil }
            let handledAt = bytes.timestamp(at: 6)
            return DroppedKey(
                key: String(decoding: bytes.dropFirst(18), as: UTF8.self),
                position: bytes.number(at: 0, bytes: 6),
                handledAt: handledAt.milliseconds == 0 ? nil : handledAt,
                droppedAt: bytes.timestamp(at: 12))
        }
    }

    // MARK: Reads

    /// Keys as the store comes upon them, each of them once.
    func storedLanes(
        _ names: KeySpace, atMost limit: Int, _ what: String
    ) async throws(BrokerError) -> [(key: String, lane: StoredLane)] {
        var found: [(key: String, lane: StoredLane)] = []
        var seen: Set<[UInt8]> = []
        var cursor = "0"
        repeat {
            let command = RedisCommand(["HSCAN", names.key("ln"), cursor, "COUNT", "1000"])
            guard let parts = try await value(of: command, what).elements, parts.count == 2,
                let next = parts[0].string, let fields = parts[1].elements
            else { throw failure.unreadable(what) }
            for index in stride(from: 0, to: fields.count - 1, by: 2) where found.count < limit {
                guard let key = fields[index].bytes, let bytes = fields[index + 1].bytes,
                    let lane = StoredLane(bytes)
                else { throw failure.unreadable(what) }
                if seen.insert(Array(key)).inserted {
                    found.append((String(decoding: key, as: UTF8.self), lane))
                }
            }
            cursor = next
        } while cursor != "0" && found.count < limit
        return found
    }

    /// The keys that are leased, with their deadlines.
    func leases(
        _ names: KeySpace, _ what: String
    ) async throws(BrokerError) -> [[UInt8]: Timestamp] {
        let last = "\(Self.mostKeys - 1)"
        let command = RedisCommand(["ZRANGE", names.key("ll"), "0", last, "WITHSCORES"])
        var leases: [[UInt8]: Timestamp] = [:]
        for row in Self.rows(try await value(of: command, what)) {
            leases[Array(row.member.dropFirst(8))] = row.score
        }
        return leases
    }
}
