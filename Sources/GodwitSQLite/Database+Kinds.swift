// SPDX-License-Identifier: Apache-2.0
import GRDB
import Godwit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What waits by kind, where an id is, and how long an event log is: each a bounded walk of an index.
extension Database {
    /// Ready messages of a kind that are counted one by one.
    private static let mostCounted = 10_000

    static let kindTexts: [(name: String, sql: String)] = [
        (name: "kinds", sql: "SELECT hash, name FROM kind WHERE queue = ? LIMIT 10000"),
        (
            name: "lane after",
            sql: """
            SELECT lane FROM message INDEXED BY message_ready
            WHERE state = 0 AND queue = ? AND lane > ? ORDER BY lane LIMIT 1
            """
        ),
        (
            name: "head of a lane",
            sql: """
            SELECT id_high, id_low, tail FROM message INDEXED BY message_ready
            WHERE state = 0 AND queue = ? AND lane = ? ORDER BY place LIMIT ?
            """
        ),
        (
            name: "count of a lane",
            sql: """
            SELECT lane FROM message INDEXED BY message_ready
            WHERE state = 0 AND queue = ? AND lane = ? LIMIT ?
            """
        ),
        (
            name: "places of an id",
            sql: "SELECT queue FROM message WHERE id_high = ? AND id_low = ?"
        ),
        (
            name: "first event",
            sql: "SELECT at FROM event WHERE place > ? AND place <= ? ORDER BY place LIMIT 1"
        ),
    ]

    private func statement(_ name: String) throws -> GRDB.Statement {
        guard let text = Self.kindTexts.first(where: { $0.name == name }) else {
            preconditionFailure("there is no statement '\(name)'")
        }
        return try cachedStatement(sql: text.sql)
    }

    /// The kinds of a queue. Why a difference: of one kind there may be millions, and the queue's own
    /// counter says how many there are in all; several that long share what is left.
    func kindCounts(of queue: QueueState) throws -> [KindCount] {
        var counts: [UInt32: KindCount] = [:]
        for row in try Row.fetchAll(statement("kinds"), arguments: [queue.number]) {
            let hash = UInt32(truncatingIfNeeded: row[0] as Int64)
            counts[hash] = KindCount(kind: row[1], hash: hash, ready: 0)
        }
        var long: Set<UInt32> = []
        var lane: Int64 = -1
        while let next = try Int64.fetchOne(
            statement("lane after"), arguments: [queue.number, lane])
        {
            lane = next
            let hash = Lane.kind(lane)
            var count = counts[hash] ?? KindCount(kind: "", hash: hash, ready: 0)
            for readyAt in try heads(of: lane, queue.number) { count.note(readyAt) }
            let room = Self.mostCounted - count.ready
            // Why row by row: a count over a bounded part reads as a scan of that part.
            if room > 0 {
                let rows = try Row.fetchCursor(
                    statement("count of a lane"), arguments: [queue.number, lane, room])
                while try rows.next() != nil { count.ready += 1 }
            }
            if count.ready >= Self.mostCounted { long.insert(hash) }
            counts[hash] = count
        }
        let others = counts.values.reduce(0) { long.contains($1.hash) ? $0 : $0 + $1.ready }
        for hash in long {
            let share = (Int(queue.ready) - others) / long.count
            counts[hash]?.ready = max(Self.mostCounted, share)
        }
        return counts.values.sorted { $0.kind < $1.kind }
    }

    private func heads(of lane: Int64, _ queue: Int64) throws -> [Timestamp] {
        try Row.fetchAll(
            statement("head of a lane"), arguments: [queue, lane, KindCount.looks]
        ).compactMap { row in
            let key = Key(high: row[0], low: row[1])
            return (row[2] as Data).withUnsafeBytes { Tail.token(key, $0)?.entry.readyAt }
        }
    }

    /// The record of an id, out of all queues that know it.
    func find(_ id: MessageID) throws -> FoundMessage? {
        let key = Key(id)
        var best: FoundMessage?
        let places = try Int64.fetchAll(
            statement("places of an id"), arguments: [key.high, key.low])
        for queue in places {
            guard let record = try record(of: key, queue),
                let name = try String.fetchOne(
                    cachedStatement(sql: "SELECT name FROM queue WHERE number = ?"),
                    arguments: [queue])
            else { continue }
            let found = FoundMessage(queue: try QueueName(name), record: record)
            if best.map({ found.goesBefore($0) }) ?? true { best = found }
        }
        return best
    }

    func backlog(of queue: QueueState) throws -> EventBacklog {
        let done = max(queue.eventArchived, queue.eventHead - 1)
        var backlog = EventBacklog(
            waiting: Int(max(0, min(queue.eventTail - done, Int64(EventBacklog.mostCounted)))),
            dropped: Int(queue.eventsDropped))
        if queue.eventArchived >= 0 {
            backlog.archived = EventPosition("\(queue.eventArchived)")
        }
        let oldest = try Int64.fetchOne(
            statement("first event"),
            arguments: [
                Store.eventPlace(queue.number, done),
                Store.eventPlace(queue.number, queue.eventTail),
            ])
        backlog.oldestAt = oldest.map { Timestamp(milliseconds: $0) }
        return backlog
    }
}
