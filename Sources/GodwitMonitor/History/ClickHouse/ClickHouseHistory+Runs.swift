// SPDX-License-Identifier: Apache-2.0
public import Godwit

extension ClickHouseHistory {
    private static let columns = """
        queue, kind, finished_at, toString(id), generation, run, verdict, attempt, lost, reserves, \
        worker, inserted_at, ready_at, executed_at, ran, reason, fingerprint
        """
    /// Copies of one row are alike: one of each is all there is to know, without a merge.
    private static let once = "LIMIT 1 BY queue, kind, finished_at, id, generation, run"

    /// `finished_at` in the span and the queue and kind of the range.
    static func condition(_ span: HistorySpan, _ range: HistoryRange) -> String {
        "finished_at >= \(span.from) AND finished_at < \(span.to)" + names(range)
    }

    static func names(_ range: HistoryRange) -> String {
        var sql = ""
        if let queue = range.queue { sql += " AND queue = \(ClickHouseLiteral.string(queue))" }
        if let kind = range.kind { sql += " AND kind = \(ClickHouseLiteral.string(kind))" }
        return sql
    }

    public func runs(_ query: RunQuery) async throws(HistoryError) -> RunPage {
        let span = HistorySpan(query.range)
        let limit = HistoryBounds.page(query.limit)
        let cursor = try query.after.map { cursor throws(HistoryError) in
            guard let cursor = Cursor(cursor) else { throw unknown(cursor) }
            return cursor
        }
        var filter = ""
        if let verdicts = query.verdicts {
            let numbers = verdicts.map { String(Pane.number(of: $0)) }
            // Why 255: an empty list is no SQL.
            filter += " AND verdict IN (\((numbers + ["255"]).joined(separator: ", ")))"
        }
        if let fingerprint = query.fingerprint {
            filter += " AND fingerprint = \(ClickHouseLiteral.string(fingerprint))"
        }
        if let worker = query.worker { filter += " AND worker = \(worker)" }
        if let reason = query.reason, !reason.isEmpty {
            filter +=
                " AND positionCaseInsensitiveUTF8(reason, \(ClickHouseLiteral.string(reason))) > 0"
        }
        if let cursor { filter += " AND \(cursor.condition)" }
        let end = min(span.to, cursor.map { $0.finishedAt + 1 } ?? span.to)
        // Why windows: nothing here is sorted by time alone, and the newest are what is wanted.
        for window in [HistorySpan.hour, 24 * HistorySpan.hour, span.to - min(span.from, span.to)] {
            let part = HistorySpan(max(span.from, end - window), end)
            let rows = try await read(
                "WHERE \(Self.condition(part, query.range))\(filter)",
                "finished_at DESC, toString(id) DESC, generation DESC, run DESC",
                "\(Self.once) LIMIT \(limit + 1)", for: "read runs")
            guard rows.count > limit || part.from <= span.from else { continue }
            let page = Array(rows.prefix(limit))
            return RunPage(
                runs: page,
                next: rows.count > limit ? page.last.map { PageCursor(Cursor($0).text) } : nil)
        }
        return RunPage(runs: [])
    }

    /// A place between two rows.
    private struct Cursor {
        var finishedAt: Int64
        var id: MessageID
        var generation: UInt8
        var run: UInt32

        init(_ row: RunRow) {
            finishedAt = row.finishedAt.milliseconds
            id = row.id
            generation = row.generation
            run = row.run
        }

        init?(_ cursor: PageCursor) {
            let parts = cursor.text.split(separator: "_", omittingEmptySubsequences: false)
            guard parts.count == 4, let finishedAt = Int64(parts[0]),
                let id = MessageID(String(parts[1])), let generation = UInt8(parts[2]),
                let run = UInt32(parts[3]), finishedAt < HistorySpan.last
            else { return nil }
            self.finishedAt = finishedAt
            self.id = id
            self.generation = generation
            self.run = run
        }

        var text: String { "\(finishedAt)_\(id)_\(generation)_\(run)" }

        var condition: String {
            """
            (finished_at < \(finishedAt) OR (finished_at = \(finishedAt) AND (toString(id) < '\(id)' \
            OR (toString(id) = '\(id)' AND (generation < \(generation) \
            OR (generation = \(generation) AND run < \(run)))))))
            """
        }
    }

    private func unknown(_ cursor: PageCursor) -> HistoryError {
        .invalid(
            .init(
                what: "read runs", location: server.location,
                cause:
                    "'\(String(cursor.text.prefix(40)).escapedForDisplay)' is no place it gave out",
                advice: "Begin again without a cursor."))
    }

    public func runs(of id: MessageID) async throws(HistoryError) -> [RunRow] {
        try await read(
            "WHERE id = toUUID('\(id)')", "finished_at, generation, run",
            "\(Self.once) LIMIT \(HistoryBounds.rowsPerPage)", for: "read the runs of \(id)")
    }

    public func slowest(
        _ range: HistoryRange, limit: Int
    ) async throws(HistoryError) -> [RunRow] {
        let limit = HistoryBounds.page(limit)
        let condition = "WHERE \(Self.condition(HistorySpan(range), range)) AND ran = 1"
        let order = "finished_at - executed_at DESC, finished_at DESC, toString(id) DESC"
        let what = "find the slowest runs"
        // Why more than asked for: copies go here, which is much cheaper than a sort of all rows.
        let found = try await read(condition, order, "LIMIT \(2 * limit + 10)", for: what)
        var seen: Set<RunRow.Key> = []
        let distinct = found.filter { seen.insert($0.key).inserted }
        if distinct.count >= limit || found.count < 2 * limit + 10 {
            return Array(distinct.prefix(limit))
        }
        return try await read(condition, order, "\(Self.once) LIMIT \(limit)", for: what)
    }

    private func read(
        _ condition: String, _ order: String, _ bound: String, for what: String
    ) async throws(HistoryError) -> [RunRow] {
        let rows = try await server.ask(
            "SELECT \(Self.columns) FROM \(database).run \(condition) ORDER BY \(order) \(bound)",
            for: what)
        var runs: [RunRow] = []
        runs.reserveCapacity(rows.count)
        for row in rows { runs.append(try run(row)) }
        return runs
    }

    private func run(_ row: ClickHouseRow) throws(HistoryError) -> RunRow {
        let verdict = Int(try row.int(6))
        guard let id = MessageID(try row.text(3)), Pane.moves.indices.contains(verdict) else {
            throw .corrupt(
                .init(
                    what: "read runs", location: server.location,
                    cause: "a run has the verdict \(verdict), of a newer version or broken",
                    advice: "Update this program."))
        }
        let executedAt: Timestamp? =
            try row.int(14) == 1 ? Timestamp(milliseconds: try row.int(13)) : nil
        return RunRow(
            id: id, generation: UInt8(truncatingIfNeeded: try row.int(4)),
            run: UInt32(truncatingIfNeeded: try row.int(5)), queue: try row.text(0),
            kind: try row.text(1), verdict: Pane.moves[verdict],
            attempt: UInt8(truncatingIfNeeded: try row.int(7)),
            lost: UInt8(truncatingIfNeeded: try row.int(8)),
            count: UInt16(truncatingIfNeeded: try row.int(9)),
            worker: UInt32(truncatingIfNeeded: try row.int(10)),
            insertedAt: Timestamp(milliseconds: try row.int(11)),
            readyAt: Timestamp(milliseconds: try row.int(12)), executedAt: executedAt,
            finishedAt: Timestamp(milliseconds: try row.int(2)), reason: try row.text(15),
            fingerprint: try row.text(16))
    }
}
