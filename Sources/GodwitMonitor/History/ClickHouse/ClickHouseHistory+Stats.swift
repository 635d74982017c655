// SPDX-License-Identifier: Apache-2.0
import Godwit

extension ClickHouseHistory {
    /// The middle of the bucket of an HDR histogram with two digits: like ``Buckets``.
    private static func bucket(_ value: String) -> String {
        """
        if(\(value) < 256, \(value), bitShiftLeft(bitShiftRight(\(value), toUInt8(log2(\(value))) - 7), \
        toUInt8(log2(\(value))) - 7) + intDiv(bitShiftLeft(toInt64(1), toUInt8(log2(\(value))) - 7) - 1, 2))
        """
    }

    /// Rows of `run` as three measures each: `FINAL`, so that copies count once.
    private func measured(_ condition: String) -> String {
        """
        (SELECT intDiv(finished_at, \(HistorySpan.hour)) AS hour, queue, kind, toInt64(verdict) AS v,
            ran, toInt64(greatest(executed_at - ready_at, 0)) AS waited,
            toInt64(greatest(finished_at - executed_at, 0)) AS took
        FROM \(database).run FINAL WHERE \(condition))
        ARRAY JOIN [0, 1, 2] AS which,
            [v, toInt64(\(Self.bucket("waited"))), toInt64(\(Self.bucket("took")))] AS value,
            [toInt64(0), waited, took] AS length
        WHERE which = 0 OR ran = 1
        """
    }

    /// Panes of the hours of `condition`, made from rows: verdicts (0), waits (1), lengths (2).
    private func panes(_ condition: String) -> String {
        """
        SELECT hour, queue, kind, toUInt8(which) AS what, toUInt64(sum(c)) AS n,
            toInt64(sum(t)) AS total, toInt64(max(m)) AS top, groupArray(value) AS values,
            groupArray(c) AS counts
        FROM (SELECT hour, queue, kind, which, value, toUInt64(count()) AS c, sum(length) AS t,
                max(length) AS m
            FROM \(measured(condition)) GROUP BY hour, queue, kind, which, value)
        GROUP BY hour, queue, kind, which
        """
    }

    // MARK: Making panes

    /// Sums up hours that are over and were touched since; true when more are left.
    func sumUp(now: Timestamp) async throws(HistoryError) -> Bool {
        let current = Self.hour(now)
        let limit = 24
        let stale = try await stale(0, current, limit: limit + 1)
        guard !stale.isEmpty else { return false }
        let hours = stale.prefix(limit)
        let list = hours.map { String($0.hour) }.joined(separator: ", ")
        let first = hours.map(\.hour).min() ?? 0
        let last = hours.map(\.hour).max() ?? 0
        let condition = """
            finished_at >= \(first * HistorySpan.hour) \
            AND finished_at < \((last + 1) * HistorySpan.hour) \
            AND intDiv(finished_at, \(HistorySpan.hour)) IN (\(list))
            """
        // Why repeated harmlessly: a count only grows, and of two rows with one key the greater stays.
        try await server.run(
            """
            INSERT INTO \(database).pane \(panes(condition))
            """, for: "sum up \(hours.count) hours")
        var lines = JSONLines()
        for hour in hours {
            lines.open()
            lines.add("hour", hour.hour)
            lines.add("mark", hour.mark)
            lines.close()
        }
        try await server.insert(
            into: "\(database).summed", lines.bytes, for: "sum up \(hours.count) hours")
        return stale.count > limit
    }

    /// Hours whose rows are not all in their panes, with the sum of their marks.
    private func stale(
        _ from: Int64, _ to: Int64, limit: Int = 10_000
    ) async throws(HistoryError) -> [(hour: Int64, mark: Int64)] {
        guard from < to else { return [] }
        let range = "hour >= \(from) AND hour < \(to)"
        let rows = try await server.ask(
            """
            SELECT hour, m FROM (SELECT hour, sum(mark) AS m FROM \(database).touched
                WHERE \(range) GROUP BY hour)
            WHERE (hour, m) NOT IN (SELECT hour, mark FROM \(database).summed WHERE \(range))
            ORDER BY hour LIMIT \(limit)
            """, for: "look for hours to sum up")
        var hours: [(hour: Int64, mark: Int64)] = []
        for row in rows { hours.append((try row.int(0), try row.int(1))) }
        return hours
    }

    // MARK: Asking

    /// Which spans panes answer, and which rows do.
    private struct Cover {
        var panes: [HistorySpan] = []
        var rows: [HistorySpan] = []

        /// Conditions on `hour` and on `finished_at`; nil where there is nothing to ask.
        var paneCondition: String? { Self.any(panes, "hour", HistorySpan.hour) }
        var rowCondition: String? { Self.any(rows, "finished_at", 1) }

        private static func any(_ spans: [HistorySpan], _ column: String, _ unit: Int64) -> String?
        {
            let parts = spans.filter { !$0.isEmpty }.map {
                "(\(column) >= \($0.from / unit) AND \(column) < \($0.to / unit))"
            }
            return parts.isEmpty ? nil : "(\(parts.joined(separator: " OR ")))"
        }
    }

    private func cover(_ span: HistorySpan) async throws(HistoryError) -> Cover {
        let hours = span.cut(by: HistorySpan.hour)
        var cover = Cover()
        cover.rows = [hours.before, hours.behind]
        guard !hours.inside.isEmpty else { return cover }
        let unit = HistorySpan.hour
        let stale = try await stale(hours.inside.from / unit, hours.inside.to / unit)
        var place = hours.inside.from
        for hour in stale {
            let begin = hour.hour * unit
            if place < begin { cover.panes.append(HistorySpan(place, begin)) }
            if let last = cover.rows.last, last.to == begin {
                cover.rows[cover.rows.count - 1].to = begin + unit
            } else {
                cover.rows.append(HistorySpan(begin, begin + unit))
            }
            place = begin + unit
        }
        if place < hours.inside.to { cover.panes.append(HistorySpan(place, hours.inside.to)) }
        return cover
    }

    public func stats(_ range: HistoryRange) async throws(HistoryError) -> [RunStats] {
        let cover = try await cover(HistorySpan(range))
        let names = Self.names(range)
        let columns = "queue, kind, what, n, total, top, values, counts"
        var parts: [String] = []
        if let condition = cover.paneCondition {
            parts.append(
                "SELECT \(columns) FROM \(database).pane FINAL WHERE \(condition)\(names)")
        }
        if let condition = cover.rowCondition {
            parts.append("SELECT \(columns) FROM (\(panes(condition + names)))")
        }
        guard !parts.isEmpty else { return [] }
        let rows = try await server.ask(
            """
            SELECT queue, kind, what, sum(n), sum(total), max(top),
                quantilesExactWeightedArray(0.5, 0.95, 0.99)(values, counts),
                sumMap(if(what = 0, values, emptyArrayInt64()),
                    if(what = 0, counts, emptyArrayUInt64()))
            FROM (\(parts.joined(separator: "\nUNION ALL\n"))) GROUP BY queue, kind, what
            """, for: "read statistics")
        return try collect(rows)
    }

    private func collect(_ rows: [ClickHouseRow]) throws(HistoryError) -> [RunStats] {
        var found: [PairNumbers.Pair: RunStats] = [:]
        for row in rows {
            let pair = PairNumbers.Pair(queue: try row.text(0), kind: try row.text(1))
            var stats =
                found[pair]
                ?? RunStats(
                    queue: pair.queue, kind: pair.kind, runs: 0, verdicts: [:], failures: 0,
                    wait: Spread(), run: Spread())
            let count = Int(try row.int(3))
            switch try row.int(2) {
            case 0:
                stats.runs = count
                for (number, count) in try row.map(7) {
                    guard let verdict = Int(exactly: number), Pane.moves.indices.contains(verdict)
                    else { continue }
                    stats.verdicts[Pane.moves[verdict].rawValue] = Int(count)
                    if Pane.isFailure(verdict) { stats.failures += Int(count) }
                }
            case 1: stats.wait = try spread(row, count)
            default: stats.run = try spread(row, count)
            }
            found[pair] = stats
        }
        return found.values.sorted { ($0.queue, $0.kind) < ($1.queue, $1.kind) }
    }

    private func spread(_ row: ClickHouseRow, _ count: Int) throws(HistoryError) -> Spread {
        let top = Double(try row.int(5))
        let values = try row.doubles(6)
        guard values.count == 3, count > 0 else { return Spread() }
        return Spread(
            count: count, mean: Double(try row.int(4)) / Double(count), p50: min(top, values[0]),
            p95: min(top, values[1]), p99: min(top, values[2]), max: top)
    }

    public func rate(
        _ range: HistoryRange, step: Duration
    ) async throws(HistoryError) -> [RunRate] {
        let span = HistorySpan(range)
        let steps = try RateSteps(span, step, at: server.location)
        guard !span.isEmpty else { return [] }
        var cover = Cover(rows: [span])
        if span.from % HistorySpan.hour == 0, steps.step % HistorySpan.hour == 0 {
            cover = try await self.cover(span)
        }
        let names = Self.names(range)
        var parts: [String] = []
        if let condition = cover.paneCondition {
            parts.append(
                """
                SELECT intDiv(hour * \(HistorySpan.hour) - \(span.from), \(steps.step)) AS s, v, c
                FROM \(database).pane FINAL ARRAY JOIN values AS v, counts AS c
                WHERE what = 0 AND \(condition)\(names)
                """)
        }
        if let condition = cover.rowCondition {
            parts.append(
                """
                SELECT intDiv(finished_at - \(span.from), \(steps.step)) AS s, toInt64(verdict) AS v,
                    toUInt64(count()) AS c
                FROM \(database).run FINAL WHERE \(condition)\(names) GROUP BY s, v
                """)
        }
        var counts = steps.zeros
        guard !parts.isEmpty else { return counts }
        let rows = try await server.ask(
            """
            SELECT s, sum(c), sumIf(c, v IN (\(Pane.failureNumbers)))
            FROM (\(parts.joined(separator: "\nUNION ALL\n"))) GROUP BY s
            """, for: "read the rate")
        for row in rows {
            let index = Int(try row.int(0))
            guard counts.indices.contains(index) else { continue }
            counts[index].runs += Int(try row.int(1))
            counts[index].failures += Int(try row.int(2))
        }
        return counts
    }
}
