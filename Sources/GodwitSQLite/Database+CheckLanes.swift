// SPDX-License-Identifier: Apache-2.0
import GRDB
import Godwit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Looks for what can't be in a stream, in one snapshot.
extension Database {
    func complaints(aboutStream name: QueueName, limit: Int) throws -> [String] {
        guard let stream = try streamState(name) else { return [] }
        var complaints: [String] = []
        let total =
            stream.idle + stream.ready + stream.suspects + stream.leased + stream.parked
            + stream.blocked
        if total <= limit { complaints += try countComplaints(stream) }
        let rows = try Row.fetchCursor(
            self,
            sql: """
                SELECT number, key, phase, ord, lost, bottom, first, kept, head, next
                FROM lane INDEXED BY lane_key WHERE stream = :stream LIMIT :limit
                """, arguments: ["stream": stream.number, "limit": max(0, limit)])
        while let row = try rows.next() { complaints += try self.complaints(aboutLane: row) }
        return complaints
    }

    /// Counters against the rows of their index.
    private func countComplaints(_ stream: StreamState) throws -> [String] {
        var found: [Int64: Int64] = [:]
        let rows = try Row.fetchCursor(
            self,
            sql: """
                SELECT phase, count(*) FROM lane INDEXED BY lane_next
                WHERE stream = :stream GROUP BY phase
                """, arguments: ["stream": stream.number])
        while let row = try rows.next() { found[row[0]] = row[1] }
        let counters: [(what: String, phase: Int64, counted: Int64)] = [
            ("idle", Phase.idle, stream.idle), ("ready", Phase.ready, stream.ready),
            ("suspects", Phase.suspect, stream.suspects), ("leased", Phase.leased, stream.leased),
            ("parked", Phase.parked, stream.parked), ("blocked", Phase.blocked, stream.blocked),
        ]
        var complaints: [String] = []
        for (what, phase, counted) in counters where found[phase, default: 0] != counted {
            complaints.append(
                "The counter of '\(what)' keys says \(counted), but \(found[phase, default: 0]) "
                    + "are there.")
        }
        let pending =
            try Int64.fetchOne(
                self, sql: "SELECT total(next - head) FROM lane WHERE stream = :stream",
                arguments: ["stream": stream.number]) ?? 0
        if pending != stream.pending {
            complaints.append(
                "The counter of waiting points says \(stream.pending), but the keys say \(pending)."
            )
        }
        return complaints
    }

    private func complaints(aboutLane row: Row) throws -> [String] {
        let key = String(decoding: row["key"] as Data, as: UTF8.self).escapedForDisplay
        let (head, next): (Int64, Int64) = (row["head"], row["next"])
        let phase: Int64 = row["phase"]
        var complaints: [String] = []
        if (phase == Phase.idle) != (head == next) {
            complaints.append(
                "The key '\(key)' is in phase \(phase) with \(next - head) waiting points.")
        }
        if phase == Phase.ready || phase == Phase.suspect,
            ((row["lost"] as Int64) >= 2) != (phase == Phase.suspect)
        {
            complaints.append("The key '\(key)' waits in the wrong list for its lost leases.")
        }
        let parts: [(what: String, from: Int64, to: Int64, expected: Int64)] = [
            ("kept", row["first"], head, row["kept"]), ("waiting", head, next, next - head),
        ]
        for (what, from, to, expected) in parts {
            let found =
                try Int64.fetchOne(
                    cachedStatement(
                        sql: """
                            SELECT count(*) FROM point WHERE lane = ? AND place >= ? AND place < ?
                            """), arguments: [row["number"] as Int64, from, to]) ?? 0
            if found != expected {
                complaints.append(
                    "The key '\(key)' should have \(expected) \(what) points, but has \(found).")
            }
        }
        return complaints
    }
}
