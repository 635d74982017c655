// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker: EventLog {
    private static let mostEntries = 1000

    /// Entries of the stream `ev`: field `t` is the time, `e` the extra bytes, every other field a
    /// letter with its items.
    public func events(
        in queue: QueueName, after position: EventPosition?, limit: Int
    ) async throws(BrokerError) -> [EventBatch] {
        let what = "read the events of '\(queue)'"
        let count = max(1, min(limit, Self.mostEntries))
        let start = try position.map { position throws(BrokerError) in
            try "(" + checked(position, what)
        }
        let command = RedisCommand([
            "XRANGE", book(queue).keys.key("ev"), start ?? "-", "+", "COUNT", "\(count)",
        ])
        var batches: [EventBatch] = []
        for entry in try await value(of: command, what).elements ?? [] {
            guard let parts = entry.elements, parts.count == 2, let id = parts[0].string,
                let fields = parts[1].elements
            else { throw failure.unreadable(what) }
            batches.append(try batch(id, fields, what))
        }
        return batches
    }

    public func markArchived(
        through position: EventPosition, in queue: QueueName
    ) async throws(BrokerError) {
        let what = "mark events of '\(queue)' as archived"
        let text = try checked(position, what)
        let cfg = book(queue).keys.key("cfg")
        let old = try await value(of: RedisCommand(["HGET", cfg, "archived"]), what).string
        if let old, let known = Self.parts(of: old), let new = Self.parts(of: text), known >= new {
            return
        }
        _ = try await value(of: RedisCommand(["HSET", cfg, "archived", text]), what)
    }

    /// Exact up to 63 entries, and where all that is archived was pruned; else it may count archived
    /// entries that no prune has dropped yet.
    public func backlog(of queue: QueueName) async throws(BrokerError) -> EventBacklog {
        let what = "measure the events of '\(queue)'"
        let keys = book(queue).keys
        let ev = keys.key("ev")
        let values = try await values(
            of: [
                RedisCommand(["XLEN", ev]), RedisCommand(["HGET", keys.key("cfg"), "archived"]),
                RedisCommand(["HGET", keys.key("st"), "evdropped"]),
                RedisCommand(["XRANGE", ev, "-", "+", "COUNT", "1"]),
            ], what)
        guard values.count == 4, let length = values[0].int else {
            throw failure.unreadable(what)
        }
        var backlog = EventBacklog(
            waiting: min(length, EventBacklog.mostCounted), dropped: values[2].int ?? 0,
            archived: values[1].string.map { EventPosition($0) })
        var first = Self.position(of: values[3].elements?.first)
        if let text = values[1].string, let mark = Self.parts(of: text), let oldest = first,
            oldest <= mark
        {
            let looks = 64
            let command = RedisCommand(["XRANGE", ev, "(" + text, "+", "COUNT", "\(looks)"])
            let rest = try await value(of: command, what).elements ?? []
            if rest.count < looks { backlog.waiting = rest.count }
            first = Self.position(of: rest.first)
        }
        // The first half of an entry's id is when it was written, by the store's clock.
        backlog.oldestAt = first.map { Timestamp(milliseconds: Int64(clamping: $0.0)) }
        return backlog
    }

    private static func position(of entry: RESPValue?) -> (UInt64, UInt64)? {
        entry?.elements?.first?.string.flatMap { parts(of: $0) }
    }

    private func batch(
        _ id: String, _ fields: [RESPValue], _ what: String
    ) throws(BrokerError) -> EventBatch {
        var batch = EventBatch(position: EventPosition(id), events: [])
        var at = Timestamp(milliseconds: 0)
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let letter = fields[index].bytes?.first, let value = fields[index + 1].bytes
            else {
                throw failure.unreadable(what)
            }
            switch letter {
            case UInt8(ascii: "t"): at = value.timestamp(at: 0)
            case UInt8(ascii: "e"): batch.extra = Array(value)
            default: batch.events += try events(letter, value, at, what)
            }
        }
        return batch
    }

    private func events(
        _ letter: UInt8, _ items: ArraySlice<UInt8>, _ at: Timestamp, _ what: String
    ) throws(BrokerError) -> [Event] {
        var events: [Event] = []
        var rest = items
        while !rest.isEmpty {
            guard
                let token = rest.prefix(LeaseToken.size).withUnsafeBytes({ LeaseToken(bytes: $0) })
            else { throw failure.unreadable(what) }
            rest = rest.dropFirst(LeaseToken.size)
            if letter == UInt8(ascii: "a") {
                events.append(Event(move: .ack, at: at, token: token))
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst() else {
                throw failure.unreadable(what)
            }
            let length = Int(high) << 8 | Int(low)
            guard rest.count >= length else { throw failure.unreadable(what) }
            let text = rest.prefix(length).text
            rest = rest.dropFirst(length)
            let hasRun = token.executedAt.milliseconds != 0
            let move: Event.Move
            switch letter {
            case UInt8(ascii: "s"): move = .retry
            case UInt8(ascii: "r"): move = !hasRun && text == "redrive" ? .redrive : .release
            case UInt8(ascii: "d"): move = text == "payload lost" ? .payloadLost : .reject
            case UInt8(ascii: "f"): move = .forward
            case UInt8(ascii: "k"): move = text == "purged" ? .purge : .cancel
            case UInt8(ascii: "l"): move = text == "d" ? .crashLoop : .reclaim
            default: throw failure.unreadable(what)
            }
            let isMarker = move == .redrive || letter == UInt8(ascii: "l")
            events.append(Event(move: move, at: at, token: token, text: isMarker ? "" : text))
        }
        return events
    }

    /// A position is a stream id: milliseconds, a hyphen, a number.
    private func checked(
        _ position: EventPosition, _ what: String
    ) throws(BrokerError) -> String {
        guard let parts = Self.parts(of: position.text) else {
            throw .invalid(
                BrokerError.Problem(
                    what: what, location: failure.location,
                    cause: "'\(position.text.escapedForDisplay)' is no position of this log",
                    advice: "Use a position that `events` gave, or nil to begin."))
        }
        return "\(parts.0)-\(parts.1)"
    }

    private static func parts(of text: String) -> (UInt64, UInt64)? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let time = UInt64(parts[0]), let number = UInt64(parts[1]) else {
            return nil
        }
        return (time, number)
    }
}

extension ArraySlice<UInt8> {
    /// The six bytes of a time at an offset from the start; zero where there are fewer.
    func timestamp(at offset: Int) -> Timestamp {
        Timestamp(milliseconds: Int64(number(at: offset, bytes: 6)))
    }

    func number(at offset: Int, bytes: Int) -> UInt64 {
        guard count >= offset + bytes else { return 0 }
        return self[startIndex + offset..<startIndex + offset + bytes]
            .reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// A reason, which scripts cut by bytes: without the beginning of a scalar at its end.
    var text: String {
        var whole = self
        var tail = 0
        while tail < 3, let last = whole.last, last & 0xC0 == 0x80 {
            whole = whole.dropLast()
            tail += 1
        }
        guard let last = whole.last else { return String(decoding: self, as: UTF8.self) }
        let wanted = last >= 0xF0 ? 3 : last >= 0xE0 ? 2 : last >= 0xC0 ? 1 : 0
        return String(decoding: tail == wanted ? self : whole.dropLast(), as: UTF8.self)
    }
}
