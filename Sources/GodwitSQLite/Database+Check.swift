// SPDX-License-Identifier: Apache-2.0
import GRDB
import Godwit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Looks for what can't be, in one snapshot.
extension Database {
    func complaints(about name: QueueName, limit: Int) throws -> [String] {
        // The file as a whole is `diagnose`'s: SQLite's quick check reads all of it, and this is called
        // once per queue.
        var complaints: [String] = []
        guard let queue = try queueState(name) else { return complaints }
        let total = queue.ready + queue.scheduled + queue.leased + queue.dead + queue.ended
        if total <= limit { complaints += try countComplaints(queue) }
        complaints += try rowComplaints(queue, limit)
        return complaints
    }

    /// Counters against the rows of their indexes.
    private func countComplaints(_ queue: QueueState) throws -> [String] {
        let counters: [(what: String, counted: Int64, index: String, condition: String)] = [
            ("ready", queue.ready, "message_ready", "state = 0"),
            (
                "suspects", queue.suspects, "message_ready",
                "state = 0 AND lane >= \(Lane.suspects)"
            ),
            ("leased", queue.leased, "message_leased", "state = 1"),
            ("scheduled", queue.scheduled, "message_scheduled", "state = 2"),
            ("dead", queue.dead, "message_dead", "state = 3"),
            ("ended", queue.ended, "message_ended", "state > 3"),
        ]
        return try counters.compactMap { what, counted, index, condition in
            let found =
                try Int64.fetchOne(
                    self,
                    sql: """
                        SELECT count(*) FROM message INDEXED BY \(index)
                        WHERE \(condition) AND queue = :queue
                        """, arguments: ["queue": queue.number]) ?? 0
            return found == counted
                ? nil : "The counter of '\(what)' says \(counted), but \(found) messages are there."
        }
    }

    /// Up to `limit` live messages: each with its entry, lane and body, and what it has aside.
    private func rowComplaints(_ queue: QueueState, _ limit: Int) throws -> [String] {
        var complaints: [String] = []
        var left = limit
        for (state, index) in [
            (Stage.ready, "message_ready"), (Stage.leased, "message_leased"),
            (Stage.scheduled, "message_scheduled"), (Stage.dead, "message_dead"),
        ] {
            let rows = try Row.fetchCursor(
                self,
                sql: """
                    SELECT \(Self.recordColumns), lane, body FROM message INDEXED BY \(index)
                    WHERE state = \(state) AND queue = :queue LIMIT :limit
                    """, arguments: ["queue": queue.number, "limit": max(0, left)])
            while let row = try rows.next() {
                left -= 1
                complaints += try self.complaints(aboutRow: row, queue.number)
            }
        }
        return complaints
    }

    private func complaints(aboutRow row: Row, _ queue: Int64) throws -> [String] {
        let record = try record(from: row)
        var complaints: [String] = []
        if (row["lane"] as Int64) != Lane.of(record.entry) {
            complaints.append("\(record.id) waits in a line that is not the one of its entry.")
        }
        if record.kind == nil {
            complaints.append("The kind of \(record.id) is not registered.")
        }
        let aside: Int64 = row["aside"]
        let hasBody =
            aside & Aside.body == 0
            ? !row.hasNull(atIndex: row.count - 1) : try hasLargeBody(row["body"])
        if !hasBody {
            complaints.append("\(record.id) is \(record.state.rawValue), but its body is gone.")
        }
        let ownsKey = try record.uniqueKey.map { try owner(of: $0, queue) == record.id }
        if record.entry.hasUniqueKey, record.state != .dead, ownsKey != true {
            complaints.append("\(record.id) has a unique key that it does not hold.")
        }
        if record.state == .dead, ownsKey == true {
            complaints.append("\(record.id) is dead and still holds its unique key.")
        }
        return complaints
    }

    private func hasLargeBody(_ number: Int64) throws -> Bool {
        try Int64.fetchOne(
            cachedStatement(sql: "SELECT 1 FROM body WHERE number = ?"), arguments: [number]) != nil
    }

    private func owner(of key: String, _ queue: Int64) throws -> MessageID? {
        try Row.fetchOne(
            cachedStatement(
                sql: "SELECT id_high, id_low FROM unique_key WHERE queue = ? AND unique_key = ?"),
            arguments: [queue, Data(key.utf8)]
        ).map { Key(high: $0[0], low: $0[1]).id }
    }
}
