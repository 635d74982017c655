// SPDX-License-Identifier: Apache-2.0
import Godwit

/// A history in ClickHouse, over HTTP: for many machines and many runs.
///
/// An insert is not atomic there: a connection that is cut keeps the rows that had arrived. So the
/// whole batch is sent again, and the table keeps one of each key; every question is asked so that
/// two copies count as one. Tables are made when they are not there.
///
///     run      one row per run, by week; of rows with one key one stays
///     pane     hour, queue, kind → how many runs had which verdict, wait and length: values and counts
///     touched  hour → a random mark for each insert into it
///     summed   hour → the sum of the marks that its panes were made from
///
/// Panes are made from the rows of an hour that is over, by ``prune(_:now:)``. An hour whose marks
/// have another sum than its panes were made from is answered from its rows.
public final class ClickHouseHistory: HistoryStore {
    let server: ClickHouseServer
    /// A name that was checked to be plain.
    let database: String

    /// Connects, and makes the database and the tables if they are not there; with `creates` false it
    /// only reads, so that a user who may do no more can look, and a mistyped name makes nothing.
    ///
    /// Throws `unavailable` with the address when nobody answers, `invalid` for wrong credentials, or
    /// where there is no history and none is to be made.
    public init(
        host: String, port: Int, database: String = "godwit", user: String? = nil,
        password: String? = nil, isTLS: Bool = false, creates: Bool = true
    ) async throws(HistoryError) {
        server = ClickHouseServer(
            host: host, port: port, database: database.escapedForDisplay, user: user,
            password: password, isTLS: isTLS)
        guard let name = ClickHouseLiteral.database(database) else {
            await server.shutdown()
            throw .invalid(
                .init(
                    what: "open the history", location: server.location,
                    cause: "that is not the name of a database",
                    advice: "Use 1 to 64 letters, digits and _."))
        }
        self.database = name
        do {
            guard creates else {
                try await find(database)
                return
            }
            try await server.run("CREATE DATABASE IF NOT EXISTS \(name)", for: "open the history")
            for table in Self.tables {
                try await server.run(
                    "CREATE TABLE IF NOT EXISTS \(name).\(table)", for: "open the history")
            }
        } catch {
            await server.shutdown()
            throw error
        }
    }

    private func find(_ database: String) async throws(HistoryError) {
        // Why not EXISTS: the old versions fail where there is no such database.
        let sql =
            "SELECT count() FROM system.tables WHERE database = '\(database)' AND name = 'run'"
        if try await server.ask(sql, for: "open the history").first?.int(0) ?? 0 > 0 { return }
        throw .invalid(
            .init(
                what: "open the history", location: server.location,
                cause: "there is no history in the database '\(database)'",
                advice:
                    "Check its name and the user's rights; an Archiver makes it at its first start."
            ))
    }

    /// Why 50,000: each insert becomes a part on disk, and parts have a price of their own.
    public var batchRows: Int { 50_000 }

    public func shutdown() async { await server.shutdown() }

    static let week: Int64 = 604_800_000

    /// Only what 18.16.1 has. Times are milliseconds, so that no time zone plays a part.
    private static let tables = [
        """
        run (queue String, kind String, finished_at Int64, id UUID, generation UInt8, run UInt32,
            verdict UInt8, attempt UInt8, lost UInt8, reserves UInt16, worker UInt32,
            inserted_at Int64, ready_at Int64, executed_at Int64, ran UInt8, reason String,
            fingerprint String)
        ENGINE = ReplacingMergeTree() PARTITION BY intDiv(finished_at, \(week))
        ORDER BY (queue, kind, finished_at, id, generation, run)
        """,
        """
        pane (hour Int64, queue String, kind String, what UInt8, n UInt64, total Int64, top Int64,
            values Array(Int64), counts Array(UInt64))
        ENGINE = ReplacingMergeTree(n) PARTITION BY intDiv(hour, 720)
        ORDER BY (hour, queue, kind, what)
        """,
        """
        touched (hour Int64, mark UInt64)
        ENGINE = MergeTree() PARTITION BY intDiv(hour, 168) ORDER BY hour
        """,
        """
        summed (hour Int64, mark UInt64)
        ENGINE = ReplacingMergeTree() PARTITION BY intDiv(hour, 720) ORDER BY (hour, mark)
        """,
        """
        sample (at Int64, queue String, ready Int64, scheduled Int64, leased Int64, dead Int64,
            enqueued Int64, ended Int64, oldest_ready_ms Int64, slots Int64, busy_slots Int64)
        ENGINE = ReplacingMergeTree() PARTITION BY intDiv(at, \(week)) ORDER BY (at, queue)
        """,
        """
        audit (at Int64, nonce UInt64, who String, verb String, queue String, what String,
            affected Int64)
        ENGINE = ReplacingMergeTree() PARTITION BY intDiv(at, \(4 * week)) ORDER BY (at, nonce)
        """,
    ]

    // MARK: Adding

    public func add(_ rows: [RunRow], _ samples: [QueueSample]) async throws(HistoryError) {
        guard rows.count <= HistoryBounds.rowsPerCall else {
            throw .invalid(
                .init(
                    what: "add \(rows.count) runs", location: server.location,
                    cause: "a call takes \(HistoryBounds.rowsPerCall)",
                    advice: "Send them in parts; nothing was kept."))
        }
        if !rows.isEmpty {
            let what = "add \(rows.count) runs"
            try await server.insert(into: "\(database).run", Self.lines(rows), for: what)
            // Why after: a mark says that panes made before it lack something.
            var marks = JSONLines()
            for hour in Set(rows.map { Self.hour($0.finishedAt) }) {
                marks.open()
                marks.add("hour", hour)
                marks.add("mark", Int64.random(in: 1..<1 << 48))
                marks.close()
            }
            try await server.insert(into: "\(database).touched", marks.bytes, for: what)
        }
        guard !samples.isEmpty else { return }
        var lines = JSONLines()
        for sample in samples {
            lines.open()
            lines.add("at", sample.at.milliseconds)
            lines.add("queue", sample.queue)
            lines.add("ready", Int64(sample.ready))
            lines.add("scheduled", Int64(sample.scheduled))
            lines.add("leased", Int64(sample.leased))
            lines.add("dead", Int64(sample.dead))
            lines.add("enqueued", Int64(sample.enqueued))
            lines.add("ended", Int64(sample.ended))
            lines.add("oldest_ready_ms", sample.oldestReadyMilliseconds)
            lines.add("slots", Int64(sample.slots))
            lines.add("busy_slots", Int64(sample.busySlots))
            lines.close()
        }
        try await server.insert(
            into: "\(database).sample", lines.bytes, for: "add \(samples.count) samples")
    }

    static func hour(_ moment: Timestamp) -> Int64 { moment.milliseconds / HistorySpan.hour }

    private static func lines(_ rows: [RunRow]) -> [UInt8] {
        var lines = JSONLines()
        for row in rows {
            lines.open()
            lines.add("queue", row.queue)
            lines.add("kind", row.kind)
            lines.add("finished_at", row.finishedAt.milliseconds)
            lines.add("id", row.id)
            lines.add("generation", Int64(row.generation))
            lines.add("run", Int64(row.run))
            lines.add("verdict", Int64(Pane.number(of: row.verdict)))
            lines.add("attempt", Int64(row.attempt))
            lines.add("lost", Int64(row.lost))
            lines.add("reserves", Int64(row.count))
            lines.add("worker", Int64(row.worker))
            lines.add("inserted_at", row.insertedAt.milliseconds)
            lines.add("ready_at", row.readyAt.milliseconds)
            if let executedAt = row.executedAt {
                lines.add("executed_at", executedAt.milliseconds)
                lines.add("ran", 1)
            }
            if !row.reason.isEmpty { lines.add("reason", row.reason) }
            if !row.fingerprint.isEmpty { lines.add("fingerprint", row.fingerprint) }
            lines.close()
        }
        return lines.bytes
    }
}
