// SPDX-License-Identifier: Apache-2.0
import GRDB
import Godwit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reads of streams.
extension Database {
    func streamNames() throws -> [QueueName] {
        try String.fetchAll(self, sql: "SELECT name FROM stream ORDER BY name").map {
            try QueueName($0)
        }
    }

    func streamState(_ name: QueueName) throws -> StreamState? {
        let columns = StreamState.columns.joined(separator: ", ")
        let row = try Row.fetchOne(
            cachedStatement(sql: "SELECT number, \(columns) FROM stream WHERE name = :name"),
            arguments: ["name": name.text])
        return row.map { row in StreamState { row[Int($0)] } }
    }

    private static let summaryColumns =
        "key, phase, next - head AS pending, position, attempt, lost, handled_at"

    /// Why a sort: no word needs these orders, so no word pays for an index of them.
    func lanes(
        of name: QueueName, by order: LaneOrder, limit: Int
    ) throws -> [LaneSummary] {
        guard limit > 0, let stream = try streamState(name) else { return [] }
        let first = order == .lag ? "pending" : "handled_at"
        return try Row.fetchAll(
            self,
            sql: """
                SELECT * FROM (
                    SELECT \(Self.summaryColumns) FROM lane INDEXED BY lane_key
                    WHERE stream = :stream LIMIT 100000
                ) ORDER BY \(first) DESC, key LIMIT :limit
                """, arguments: ["stream": stream.number, "limit": limit]
        ).map(LaneSummary.init(row:)).sorted(by: order.precedes)
    }

    func laneRecord(_ key: String, window: Int, in name: QueueName) throws -> LaneRecord? {
        guard let stream = try streamState(name) else { return nil }
        let row = try Row.fetchOne(
            cachedStatement(
                sql: """
                    SELECT \(Self.summaryColumns), ord, reason FROM lane
                    WHERE stream = :stream AND key = :key
                    """), arguments: ["stream": stream.number, "key": Data(key.utf8)])
        guard let row else { return nil }
        let summary = LaneSummary(row: row)
        let hasDue = summary.phase != .idle && summary.phase != .ready
        let reading = try LaneReading(self)
        defer { reading.finalize() }
        guard let lane = try reading.lane(key, stream.number) else { return nil }
        return LaneRecord(
            summary: summary,
            reason: (row["reason"] as Data?).map { String(decoding: $0, as: UTF8.self) } ?? "",
            due: hasDue ? Timestamp(milliseconds: row["ord"]) : nil,
            memory: try reading.memory(lane, window), pending: try reading.pending(lane, 100))
    }

    func memories(
        of keys: [String], window: Int, in name: QueueName
    ) throws -> [LaneMemory] {
        guard let stream = try streamState(name) else { return keys.map { _ in LaneMemory() } }
        let reading = try LaneReading(self)
        defer { reading.finalize() }
        return try keys.map { key in
            guard let lane = try reading.lane(key, stream.number) else { return LaneMemory() }
            return try reading.memory(lane, window)
        }
    }

    func droppedKeys(of name: QueueName) throws -> [DroppedKey] {
        guard let stream = try streamState(name) else { return [] }
        return try Row.fetchAll(
            self,
            sql: """
                SELECT key, position, handled_at, dropped_at FROM dropped
                WHERE stream = :stream ORDER BY sequence DESC LIMIT :limit
                """, arguments: ["stream": stream.number, "limit": StreamLimits.droppedKept]
        ).map { row in
            DroppedKey(
                key: String(decoding: row["key"] as Data, as: UTF8.self),
                position: UInt64(bitPattern: row["position"]),
                handledAt: (row["handled_at"] as Int64?).map { Timestamp(milliseconds: $0) },
                droppedAt: Timestamp(milliseconds: row["dropped_at"]))
        }
    }
}

extension LaneSummary {
    fileprivate init(row: Row) {
        let phase: LanePhase =
            switch row["phase"] as Int64 {
            case Phase.ready, Phase.suspect: .ready
            case Phase.leased: .leased
            case Phase.parked: .parked
            case Phase.blocked: .blocked
            default: .idle
            }
        self.init(
            key: String(decoding: row["key"] as Data, as: UTF8.self), phase: phase,
            pending: row["pending"], position: UInt64(bitPattern: row["position"]),
            attempt: row["attempt"], lost: row["lost"],
            handledAt: (row["handled_at"] as Int64?).map { Timestamp(milliseconds: $0) })
    }
}
