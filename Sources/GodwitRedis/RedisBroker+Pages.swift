// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker {
    private static let longestPage = 1000

    public func messages(
        _ state: MessageState, in queue: QueueName, after cursor: PageCursor?, limit: Int
    ) async throws(BrokerError) -> MessagePage {
        let what = "list \(state.rawValue) messages of '\(queue)'"
        let limit = max(1, min(limit, Self.longestPage))
        let kinds = try await kinds(of: queue, what)
        let book = book(queue)
        switch state {
        case .ready: return try await readyPage(book, kinds, cursor, limit, what)
        case .scheduled:
            return try await sortedPage(.scheduled, "d", book, kinds, cursor, limit, what)
        case .leased: return try await sortedPage(.leased, "le", book, kinds, cursor, limit, what)
        case .dead: return try await sortedPage(.dead, "x", book, kinds, cursor, limit, what)
        case .completed, .cancelled, .forwarded:
            return try await endedPage(state, book, kinds, cursor, limit, what)
        }
    }

    /// Reads what is kept of messages beside their places.
    func details(
        _ ids: [ArraySlice<UInt8>], in queue: RedisQueue, _ what: String
    ) async throws(BrokerError) -> [StoredMessage] {
        if ids.isEmpty { return [] }
        let commands = StoredMessage.fields.map { hash in
            var command = RedisCommand("HMGET", capacity: 64 + 24 * ids.count)
            command.append(queue.keys.key(hash))
            for id in ids { command.append(id) }
            return command
        }
        let columns = try await values(of: commands, what).map { $0.elements ?? [] }
        guard columns.count == 4, columns.allSatisfy({ $0.count == ids.count }) else {
            throw failure.unreadable(what)
        }
        return ids.indices.map { row in
            StoredMessage(
                record: columns[0][row].bytes, columns[1][row].bytes, columns[2][row].bytes,
                columns[3][row].bytes)
        }
    }

    // MARK: Sorted sets

    /// A cursor is the last member in hexadecimal and its score; where the member is gone meanwhile,
    /// the page begins with what has its score.
    private func sortedPage(
        _ state: MessageState, _ set: StaticString, _ queue: RedisQueue, _ kinds: [UInt32: String],
        _ cursor: PageCursor?, _ limit: Int, _ what: String
    ) async throws(BrokerError) -> MessagePage {
        let key = queue.keys.key(set)
        var start = 0
        let parts = cursor?.text.split(separator: ".") ?? []
        if parts.count == 2, let score = Int64(parts[0]), let member = Self.bytes(ofHex: parts[1]) {
            var rank = RedisCommand("ZRANK", capacity: 192)
            rank.append(key)
            rank.append(member)
            let before = RedisCommand(["ZCOUNT", key, "-inf", "(\(score)"])
            let values = try await values(of: [rank, before], what)
            start = values.first?.int.map { $0 + 1 } ?? values.last?.int ?? 0
        }
        let command = RedisCommand(["ZRANGE", key, "\(start)", "\(start + limit)", "WITHSCORES"])
        let rows = Self.rows(try await value(of: command, what))
        let page = rows.prefix(limit)
        let stored = try await details(page.map { $0.member.prefix(16) }, in: queue, what)
        var messages: [MessageRecord] = []
        for (row, stored) in zip(page, stored) {
            guard let entry = row.member.withUnsafeBytes({ Entry(bytes: $0) }) else {
                throw failure.unreadable(what)
            }
            if state == .leased, let token = row.member.withUnsafeBytes({ LeaseToken(bytes: $0) }) {
                messages.append(stored.message((token, row.score), kinds: kinds))
            } else {
                messages.append(stored.message(state, entry, kinds: kinds, score: row.score))
            }
        }
        guard rows.count > limit, let last = page.last else {
            return MessagePage(messages: messages)
        }
        return MessagePage(
            messages: messages,
            next: PageCursor("\(last.score.milliseconds).\(Hex.string(last.member))"))
    }

    /// Members with scores, flat as in RESP2 or in pairs as in RESP3.
    static func rows(
        _ reply: RESPValue
    ) -> [(member: ArraySlice<UInt8>, score: Timestamp)] {
        var flat: [RESPValue] = []
        for element in reply.elements ?? [] {
            if let pair = element.elements { flat += pair } else { flat.append(element) }
        }
        return stride(from: 0, to: flat.count - 1, by: 2).compactMap { index in
            guard let member = flat[index].bytes, let score = flat[index + 1].score else {
                return nil
            }
            return (member, score)
        }
    }

    static func bytes(ofHex text: Substring) -> [UInt8]? {
        let digits = text.utf8.map { Hex.value(of: $0) }
        guard digits.count % 2 == 0, digits.count <= 2 * LeaseToken.size else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    // MARK: Ready

    /// In the order of service. A cursor is list and place; what left the head meanwhile shifts it.
    private func readyPage(
        _ queue: RedisQueue, _ kinds: [UInt32: String], _ cursor: PageCursor?, _ limit: Int,
        _ what: String
    ) async throws(BrokerError) -> MessagePage {
        let lists = Self.lists(of: kinds.keys)
        let parts = cursor?.text.split(separator: ".").compactMap { Int($0) } ?? []
        var list = 0
        var place = 0
        if parts.count == 4 {
            list =
                lists.firstIndex {
                    Int($0.band) == parts[0] && Int($0.kind) == parts[1]
                        && $0.suspects == (parts[2] == 1)
                } ?? 0
            place = max(0, parts[3])
        }
        var lengths: [RedisCommand] = []
        for item in lists[list...] {
            var command = RedisCommand("LLEN", capacity: 128)
            queue.keys.appendList(
                band: item.band, kind: item.kind, suspects: item.suspects, to: &command)
            lengths.append(command)
        }
        let counts = try await values(of: lengths, what).map { $0.int ?? 0 }
        var page = MessagePage(messages: [])
        // Tombstones fill no page; a bound all the same, so that a call stays short (I10).
        var looks = 10_000
        for (offset, count) in counts.enumerated() {
            let item = lists[list + offset]
            if offset > 0 { place = 0 }
            while place < count {
                if page.messages.count == limit || looks <= 0 {
                    page.next = PageCursor(
                        "\(item.band).\(item.kind).\(item.suspects ? 1 : 0).\(place)")
                    return page
                }
                let want = limit - page.messages.count
                var range = RedisCommand("LRANGE", capacity: 160)
                queue.keys.appendList(
                    band: item.band, kind: item.kind, suspects: item.suspects, to: &range)
                range.append(place)
                range.append(place + want - 1)
                let entries = try await value(of: range, what).elements?.compactMap(\.bytes) ?? []
                if entries.isEmpty { break }
                place += entries.count
                looks -= entries.count
                page.messages += try await ready(entries, kinds, in: queue, what)
            }
        }
        return page
    }

    /// The messages of entries in a list, without the tombstones.
    private func ready(
        _ entries: [ArraySlice<UInt8>], _ kinds: [UInt32: String], in queue: RedisQueue,
        _ what: String
    ) async throws(BrokerError) -> [MessageRecord] {
        let ids = entries.map { $0.prefix(16) }
        let lengths = ids.map { id in
            var command = RedisCommand("HSTRLEN", capacity: 128)
            command.append(queue.keys.key("p"))
            command.append(id)
            return command
        }
        let bodies = try await values(of: lengths, what)
        let stored = try await details(ids, in: queue, what)
        var messages: [MessageRecord] = []
        for (index, bytes) in entries.enumerated() where bodies[index].int ?? 0 > 0 {
            guard let entry = bytes.withUnsafeBytes({ Entry(bytes: $0) }) else {
                throw failure.unreadable(what)
            }
            messages.append(stored[index].message(.ready, entry, kinds: kinds))
        }
        return messages
    }

    // MARK: Ended

    /// From the list `c`: a cursor is how many endings went before.
    private func endedPage(
        _ state: MessageState, _ queue: RedisQueue, _ kinds: [UInt32: String],
        _ cursor: PageCursor?, _ limit: Int, _ what: String
    ) async throws(BrokerError) -> MessagePage {
        let letter =
            switch state {
            case .completed: UInt8(ascii: "a")
            case .cancelled: UInt8(ascii: "k")
            default: UInt8(ascii: "f")
            }
        let key = queue.keys.key("c")
        let after = cursor.flatMap { Int($0.text) } ?? 0
        var index = try await firstElement(endingAfter: after, key, what)
        var page = MessagePage(messages: [])
        var looks = max(10_000, 10 * limit)
        while true {
            let range = RedisCommand(["LRANGE", key, "\(index)", "\(index + 31)"])
            let elements = try await value(of: range, what).elements?.compactMap(\.bytes) ?? []
            if elements.isEmpty { return page }
            index += elements.count
            for element in elements {
                let first = Int(element.number(at: 0, bytes: 6))
                let count = max(0, (element.count - 13) / 16)
                looks -= count
                guard element.number(at: 12, bytes: 1) == UInt64(letter), first + count > after
                else {
                    continue
                }
                let skipped = max(0, after - first)
                let ids = (skipped..<count).map {
                    element.dropFirst(13 + 16 * $0).prefix(16)
                }
                let at = element.timestamp(at: 6)
                for (offset, stored) in try await details(ids, in: queue, what).enumerated() {
                    if page.messages.count == limit {
                        page.next = PageCursor("\(first + skipped + offset)")
                        return page
                    }
                    // A forwarded message may have come back, or a record be gone.
                    guard let record = stored.record, record.state == state,
                        case .settled(_, let when, _) = record.place, when == at
                    else { continue }
                    page.messages.append(stored.message(state, record.entry, kinds: kinds))
                }
                if looks <= 0 {
                    page.next = PageCursor("\(first + count)")
                    return page
                }
            }
        }
    }

    /// The place in `c` of the first element that reaches beyond this many endings.
    func firstElement(
        endingAfter after: Int, _ key: String, _ what: String
    ) async throws(BrokerError) -> Int {
        if after <= 0 { return 0 }
        var low = 0
        var high = try await value(of: RedisCommand(["LLEN", key]), what).int ?? 0
        while low < high {
            let middle = (low + high) / 2
            let element = try await value(of: RedisCommand(["LINDEX", key, "\(middle)"]), what)
            guard let bytes = element.bytes else {
                high = middle
                continue
            }
            let end = Int(bytes.number(at: 0, bytes: 6)) + max(0, (bytes.count - 13) / 16)
            if end > after { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
