// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRDB
public import Godwit

extension SQLiteHistory {
    // MARK: Failures

    public func groups(
        _ range: HistoryRange, limit: Int
    ) async throws(HistoryError) -> [ErrorGroup] {
        let span = HistorySpan(range)
        let limit = min(max(1, limit), HistoryBounds.groups)
        return try await reader.use("group failures") { db in
            let pairs = try PairNames(db)
            var condition = "fingerprint IS NOT NULL AND finished_at >= ? AND finished_at < ?"
            if let numbers = pairs.numbers(range) { condition += " AND +pair IN \(list(numbers))" }
            let bounds: StatementArguments = [span.from, span.to]
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT fingerprint, pair, count(*) AS n, min(seq), max(seq)
                    FROM run INDEXED BY run_failure WHERE \(condition)
                    GROUP BY fingerprint, pair ORDER BY n DESC, max(seq) DESC LIMIT ?
                    """, arguments: bounds + [limit + 1])
            var groups = try rows.prefix(limit).map { row in
                let newest = try Self.row(db, at: row[4], pairs)
                let oldest = try Self.row(db, at: row[3], pairs)
                let pair = pairs.name(row[1])
                var samples: [String] = []
                for id in [oldest, newest].compactMap({ $0?.id.description })
                where !samples.contains(id) { samples.append(id) }
                return ErrorGroup(
                    fingerprint: String(decoding: row[0] as Data, as: UTF8.self),
                    queue: pair.queue, kind: pair.kind, count: row[2],
                    firstAt: oldest?.finishedAt ?? range.from,
                    lastAt: newest?.finishedAt ?? range.to, reason: newest?.reason ?? "",
                    samples: samples)
            }
            guard limit == HistoryBounds.groups, rows.count > limit else { return groups }
            // Why: whoever writes a number into an unlucky place of a reason makes groups without end.
            let all =
                try Int.fetchOne(
                    db,
                    sql: "SELECT count(*) FROM run INDEXED BY run_failure WHERE \(condition)",
                    arguments: bounds) ?? 0
            groups.append(
                ErrorGroup(
                    fingerprint: otherName, queue: range.queue ?? otherName, kind: otherName,
                    count: all - groups.reduce(0) { $0 + $1.count }, firstAt: range.from,
                    lastAt: range.to, reason: "groups beyond the first \(limit)", samples: []))
            return groups
        }
    }

    // MARK: Samples

    public func samples(_ range: HistoryRange) async throws(HistoryError) -> [QueueSample] {
        let span = HistorySpan(range)
        return try await reader.use("read samples") { db in
            var sql = "SELECT * FROM sample WHERE at >= ? AND at < ?"
            var arguments: StatementArguments = [span.from, span.to]
            if let queue = range.queue {
                sql += " AND queue = ?"
                arguments += [Data(queue.utf8)]
            }
            sql += " ORDER BY at, queue LIMIT ?"
            arguments += [HistoryBounds.rowsPerCall]
            return try Row.fetchAll(db, sql: sql, arguments: arguments).map { row in
                QueueSample(
                    queue: String(decoding: row[1] as Data, as: UTF8.self),
                    at: Timestamp(milliseconds: row[0]), ready: row[2], scheduled: row[3],
                    leased: row[4], dead: row[5], enqueued: row[6], ended: row[7],
                    oldestReadyMilliseconds: row[8], slots: row[9], busySlots: row[10])
            }
        }
    }

    // MARK: Audit

    public func audit(_ entry: AuditEntry) async throws(HistoryError) {
        try await writer.use("note '\(entry.verb)'") { db in
            try db.execute(
                sql: "INSERT INTO audit VALUES (NULL, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    entry.at.milliseconds, Data(entry.who.utf8), Data(entry.verb.utf8),
                    Data(entry.queue.utf8), Data(entry.what.utf8), entry.affected,
                ])
        }
    }

    /// The newest first.
    public func audits(
        _ range: HistoryRange, limit: Int
    ) async throws(HistoryError) -> [AuditEntry] {
        let span = HistorySpan(range)
        return try await reader.use("read the audit") { db in
            var sql = "SELECT * FROM audit WHERE at >= ? AND at < ?"
            var arguments: StatementArguments = [span.from, span.to]
            if let queue = range.queue {
                sql += " AND queue = ?"
                arguments += [Data(queue.utf8)]
            }
            sql += " ORDER BY at DESC, number DESC LIMIT ?"
            arguments += [HistoryBounds.page(limit)]
            return try Row.fetchAll(db, sql: sql, arguments: arguments).map { row in
                func text(_ index: Int) -> String {
                    String(decoding: row[index] as Data, as: UTF8.self)
                }
                return AuditEntry(
                    at: Timestamp(milliseconds: row[1]), who: text(2), verb: text(3),
                    queue: text(4), what: text(5), affected: row[6])
            }
        }
    }

    // MARK: Retention

    /// At most 1,000 runs and as many panes and samples a call: a few milliseconds of the file.
    public func prune(
        _ keep: HistoryRetention, now: Timestamp
    ) async throws(HistoryError) -> Bool {
        func cut(_ duration: Duration) -> Int64 {
            min(HistorySpan.last, max(0, now.milliseconds &- max(0, duration.milliseconds)))
        }
        let limit = 1_000
        let runs = Place.run(cut(keep.runs), 0)
        let minutes = Place.pane(cut(keep.minutes) / HistorySpan.minute, 0)
        let hours = Place.pane(cut(keep.hours) / HistorySpan.hour, 0)
        let (sampleCut, auditCut) = (cut(keep.minutes), cut(keep.hours))
        return try await writer.use("drop old runs") { db in
            var isLeft = false
            try db.inTransaction(.immediate) {
                for (table, key, place) in [
                    ("run", "seq", runs), ("minute", "place", minutes), ("hour", "place", hours),
                ] {
                    try db.cachedStatement(
                        sql: """
                            DELETE FROM \(table) WHERE \(key) IN (
                                SELECT \(key) FROM \(table) WHERE \(key) < ? ORDER BY \(key) LIMIT ?)
                            """
                    ).execute(arguments: [place, limit])
                    if db.changesCount == limit { isLeft = true }
                }
                try db.execute(
                    sql: """
                        DELETE FROM sample WHERE at IN (
                            SELECT DISTINCT at FROM sample WHERE at < ? ORDER BY at LIMIT 20)
                        """, arguments: [sampleCut])
                if db.changesCount >= 20 { isLeft = true }
                try db.execute(
                    sql: """
                        DELETE FROM audit WHERE number IN (
                            SELECT number FROM audit WHERE at < ? ORDER BY at LIMIT ?)
                        """, arguments: [auditCut, limit])
                if db.changesCount == limit { isLeft = true }
                return .commit
            }
            return isLeft
        }
    }
}
