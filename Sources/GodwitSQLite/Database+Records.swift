// SPDX-License-Identifier: Apache-2.0
import GRDB
import Godwit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reads for people: queues, records and pages, through GRDB.
extension Database {
    func queueNames() throws -> [QueueName] {
        try String.fetchAll(self, sql: "SELECT name FROM queue ORDER BY name").map {
            try QueueName($0)
        }
    }

    func queueState(_ name: QueueName) throws -> QueueState? {
        let row = try Row.fetchOne(
            self,
            sql:
                "SELECT number, \(QueueState.columns.joined(separator: ", ")) FROM queue WHERE name = :name",
            arguments: ["name": name.text])
        return row.map(QueueState.init(row:))
    }

    static let recordColumns =
        "id_high, id_low, queue, state, place, at, tail, letter, aside, reason"

    func record(of key: Key, _ queue: Int64) throws -> MessageRecord? {
        let row = try Row.fetchOne(
            self,
            sql: """
                SELECT \(Self.recordColumns), body, lane FROM message
                WHERE id_high = :high AND id_low = :low AND queue = :queue
                """,
            arguments: ["high": key.high, "low": key.low, "queue": queue])
        guard let row else { return nil }
        var record = try record(from: row)
        if !record.state.hasEnded {
            let isLarge = (row["aside"] as Int64) & Aside.body != 0
            record.body =
                isLarge
                ? try body(row["body"]) : (row["body"] as Data?).map { [UInt8]($0) }
        }
        return record
    }

    func body(_ number: Int64) throws -> [UInt8]? {
        try Data.fetchOne(
            self, sql: "SELECT bytes FROM body WHERE number = :number",
            arguments: ["number": number]
        ).map { [UInt8]($0) }
    }

    /// A row of ``recordColumns`` and what stands aside.
    func record(from row: Row) throws -> MessageRecord {
        var record = try bareRecord(from: row) { try kindName($0, $1) }
        try addAside(from: row, to: &record)
        return record
    }

    /// The record of a row alone; `kindName` knows the name of a hash in a queue.
    func bareRecord(
        from row: Row, kindName: (UInt32, Int64) throws -> String?
    ) throws -> MessageRecord {
        let key = Key(high: row["id_high"], low: row["id_low"])
        let tail: Data = row["tail"]
        guard let token = tail.withUnsafeBytes({ Tail.token(key, $0) }),
            let state = MessageState(stage: row["state"])
        else {
            throw StoreFault.sqlite(
                code: ResultCode.SQLITE_CORRUPT.rawValue,
                message: "the row of message \(key.id) is damaged")
        }
        let queue: Int64 = row["queue"]
        let at = Timestamp(milliseconds: row["at"])
        let entry = token.entry
        let hasRun = token.executedAt.milliseconds != 0
        let runs =
            state == .leased || state == .completed || state == .forwarded
            || (row["letter"] as Int64) == Letter.ran
        var record = MessageRecord(
            state: state, entry: entry, kind: try kindName(entry.kindHash, queue),
            count: Int(entry.count) + (runs ? 1 : 0))
        record.executedAt = hasRun ? token.executedAt : nil
        record.worker = hasRun ? token.worker : nil
        record.reason = (row["reason"] as Data?).map { String(decoding: $0, as: UTF8.self) }
        record.verdict =
            state.verdict ?? Letter.move(row["letter"], isDead: state == .dead)
        switch state {
        case .ready: break
        case .scheduled: record.dueAt = at
        case .leased: record.leaseDeadline = at
        case .dead, .completed, .cancelled, .forwarded: record.finishedAt = at
        }
        return record
    }

    func addAside(from row: Row, to record: inout MessageRecord) throws {
        if (row["aside"] as Int64) & Aside.row == 0 { return }
        try add(asideOf: Key(high: row["id_high"], low: row["id_low"]), row["queue"], to: &record)
    }

    private func add(asideOf key: Key, _ queue: Int64, to record: inout MessageRecord) throws {
        let row = try Row.fetchOne(
            cachedStatement(
                sql: """
                    SELECT unique_key, checkpoint, attempts FROM aside
                    WHERE id_high = ? AND id_low = ? AND queue = ?
                    """), arguments: [key.high, key.low, queue])
        guard let row else { return }
        record.uniqueKey = (row[0] as Data?).map { String(decoding: $0, as: UTF8.self) }
        record.checkpoint = (row[1] as Data?).map { [UInt8]($0) }
        record.attempts = Attempts.read((row[2] as Data?).map { [UInt8]($0) } ?? [])
    }

    func kindName(_ hash: UInt32, _ queue: Int64) throws -> String? {
        try String.fetchOne(
            cachedStatement(sql: "SELECT name FROM kind WHERE queue = ? AND hash = ?"),
            arguments: [queue, Int64(hash)])
    }

    func events(of name: QueueName, after sequence: Int64, _ limit: Int) throws -> [EventBatch] {
        guard let queue = try queueState(name) else { return [] }
        let from = max(sequence, queue.eventHead - 1)
        guard from < queue.eventTail else { return [] }
        let rows = try Row.fetchAll(
            self,
            sql: """
                SELECT place, at, moves FROM event
                WHERE place > :after AND place <= :last ORDER BY place LIMIT :limit
                """,
            arguments: [
                "after": Store.eventPlace(queue.number, from),
                "last": Store.eventPlace(queue.number, queue.eventTail), "limit": limit,
            ])
        return rows.map { row in
            let moves: Data = row["moves"]
            return EventBatch(
                position: EventPosition("\(Store.eventSequence(row["place"]))"),
                events: Moves.read([UInt8](moves), at: Timestamp(milliseconds: row["at"])))
        }
    }
}

extension MessageState {
    init?(stage: Int64) {
        let states: [MessageState] = [
            .ready, .leased, .scheduled, .dead, .completed, .cancelled, .forwarded,
        ]
        guard states.indices.contains(Int(clamping: stage)) else { return nil }
        self = states[Int(stage)]
    }

    var stage: Int64 {
        switch self {
        case .ready: Stage.ready
        case .leased: Stage.leased
        case .scheduled: Stage.scheduled
        case .dead: Stage.dead
        case .completed: Stage.completed
        case .cancelled: Stage.cancelled
        case .forwarded: Stage.forwarded
        }
    }
}

extension QueueState {
    /// A row of `number` and ``columns``.
    init(row: Row) {
        self.init { row[Int($0)] }
    }
}
