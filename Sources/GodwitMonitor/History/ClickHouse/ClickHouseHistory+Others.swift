// SPDX-License-Identifier: Apache-2.0
public import Godwit

extension ClickHouseHistory {
    // MARK: Failures

    public func groups(
        _ range: HistoryRange, limit: Int
    ) async throws(HistoryError) -> [ErrorGroup] {
        let limit = min(max(1, limit), HistoryBounds.groups)
        let condition = """
            \(Self.condition(HistorySpan(range), range)) AND fingerprint != ''
            """
        let rows = try await server.ask(
            """
            SELECT fingerprint, queue, kind, count() AS n, min(finished_at), max(finished_at) AS newest,
                argMax(reason, finished_at), groupArray(3)(toString(id))
            FROM \(database).run FINAL WHERE \(condition)
            GROUP BY fingerprint, queue, kind ORDER BY n DESC, newest DESC LIMIT \(limit + 1)
            """, for: "group failures")
        var groups: [ErrorGroup] = []
        for row in rows.prefix(limit) {
            groups.append(
                ErrorGroup(
                    fingerprint: try row.text(0), queue: try row.text(1), kind: try row.text(2),
                    count: Int(try row.int(3)), firstAt: Timestamp(milliseconds: try row.int(4)),
                    lastAt: Timestamp(milliseconds: try row.int(5)), reason: try row.text(6),
                    samples: try row.texts(7)))
        }
        guard limit == HistoryBounds.groups, rows.count > limit else { return groups }
        let all = try await server.ask(
            "SELECT count() FROM \(database).run FINAL WHERE \(condition)", for: "group failures")
        let total = Int(try all.first?.int(0) ?? 0)
        groups.append(
            ErrorGroup(
                fingerprint: otherName, queue: range.queue ?? otherName, kind: otherName,
                count: total - groups.reduce(0) { $0 + $1.count }, firstAt: range.from,
                lastAt: range.to, reason: "groups beyond the first \(limit)", samples: []))
        return groups
    }

    // MARK: Samples

    public func samples(_ range: HistoryRange) async throws(HistoryError) -> [QueueSample] {
        let span = HistorySpan(range)
        var condition = "at >= \(span.from) AND at < \(span.to)"
        if let queue = range.queue {
            condition += " AND queue = \(ClickHouseLiteral.string(queue))"
        }
        let rows = try await server.ask(
            """
            SELECT at, queue, ready, scheduled, leased, dead, enqueued, ended, oldest_ready_ms, slots,
                busy_slots
            FROM \(database).sample FINAL WHERE \(condition)
            ORDER BY at, queue LIMIT \(HistoryBounds.rowsPerCall)
            """, for: "read samples")
        var samples: [QueueSample] = []
        for row in rows {
            samples.append(
                QueueSample(
                    queue: try row.text(1), at: Timestamp(milliseconds: try row.int(0)),
                    ready: Int(try row.int(2)), scheduled: Int(try row.int(3)),
                    leased: Int(try row.int(4)), dead: Int(try row.int(5)),
                    enqueued: Int(try row.int(6)), ended: Int(try row.int(7)),
                    oldestReadyMilliseconds: try row.int(8), slots: Int(try row.int(9)),
                    busySlots: Int(try row.int(10))))
        }
        return samples
    }

    // MARK: Audit

    public func audit(_ entry: AuditEntry) async throws(HistoryError) {
        var lines = JSONLines()
        lines.open()
        lines.add("at", entry.at.milliseconds)
        lines.add("nonce", Int64.random(in: 1..<1 << 62))
        lines.add("who", entry.who)
        lines.add("verb", entry.verb)
        lines.add("queue", entry.queue)
        lines.add("what", entry.what)
        lines.add("affected", Int64(entry.affected))
        lines.close()
        try await server.insert(
            into: "\(database).audit", lines.bytes, for: "note '\(entry.verb.escapedForDisplay)'")
    }

    /// The newest first.
    public func audits(
        _ range: HistoryRange, limit: Int
    ) async throws(HistoryError) -> [AuditEntry] {
        let span = HistorySpan(range)
        var condition = "at >= \(span.from) AND at < \(span.to)"
        if let queue = range.queue {
            condition += " AND queue = \(ClickHouseLiteral.string(queue))"
        }
        let rows = try await server.ask(
            """
            SELECT at, who, verb, queue, what, affected FROM \(database).audit FINAL
            WHERE \(condition) ORDER BY at DESC, nonce LIMIT \(HistoryBounds.page(limit))
            """, for: "read the audit")
        var entries: [AuditEntry] = []
        for row in rows {
            entries.append(
                AuditEntry(
                    at: Timestamp(milliseconds: try row.int(0)), who: try row.text(1),
                    verb: try row.text(2), queue: try row.text(3), what: try row.text(4),
                    affected: Int(try row.int(5))))
        }
        return entries
    }

    // MARK: Retention

    /// Sums up what is over, then drops whole partitions: runs and samples go with their week, panes
    /// and notes with their 30 or 28 days.
    ///
    /// Why the order: what is not summed up yet must not be lost with its rows.
    public func prune(
        _ keep: HistoryRetention, now: Timestamp
    ) async throws(HistoryError) -> Bool {
        if try await sumUp(now: now) { return true }
        func cut(_ duration: Duration) -> Int64 {
            now.milliseconds &- max(0, duration.milliseconds)
        }
        let hour = HistorySpan.hour
        // Each table with the length of its partitions and what they keep.
        let tables: [(name: String, length: Int64, cut: Int64)] = [
            ("run", Self.week, cut(keep.runs)), ("sample", Self.week, cut(keep.minutes)),
            ("touched", 168 * hour, cut(keep.minutes)), ("pane", 720 * hour, cut(keep.hours)),
            ("summed", 720 * hour, cut(keep.hours)), ("audit", 4 * Self.week, cut(keep.hours)),
        ]
        let rows = try await server.ask(
            """
            SELECT DISTINCT table, partition FROM system.parts
            WHERE active AND database = '\(database)' ORDER BY table, partition
            """, for: "look for old partitions")
        var dropped = 0
        for row in rows {
            let name = try row.text(0)
            guard let table = tables.first(where: { $0.name == name }),
                let number = Int64(try row.text(1)), (number + 1) * table.length <= table.cut
            else { continue }
            if dropped == 16 { return true }
            dropped += 1
            try await server.run(
                "ALTER TABLE \(database).\(name) DROP PARTITION \(number)",
                for: "drop old \(name)s")
        }
        return false
    }
}
