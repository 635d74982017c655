// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRDB
import Godwit

extension SQLiteHistory {
    /// Ranges up to this long are answered from rows, exactly, when they are not too many.
    private static let short: Int64 = 10 * HistorySpan.minute
    private static let shortRows = 20_000

    /// Hours inside, minutes at their edges, rows at the edges of those; short ranges from rows.
    public func stats(_ range: HistoryRange) async throws(HistoryError) -> [RunStats] {
        let span = HistorySpan(range)
        return try await reader.use("read statistics") { db in
            let pairs = try PairNames(db)
            let wanted = pairs.numbers(range)
            if span.length <= Self.short, let exact = try Exact(db, span, wanted) {
                return exact.stats(pairs)
            }
            let panes = try Self.panes(db, span, wanted.map(Set.init))
            var byName: [PairNumbers.Pair: Pane] = [:]
            for (number, pane) in panes { byName[pairs.name(number)] = pane }
            return byName.map { $0.value.stats(queue: $0.key.queue, kind: $0.key.kind) }
                .filter { $0.runs > 0 }.sorted { ($0.queue, $0.kind) < ($1.queue, $1.kind) }
        }
    }

    private static func panes(
        _ db: Database, _ span: HistorySpan, _ wanted: Set<Int64>?
    ) throws -> [Int64: Pane] {
        var panes: [Int64: Pane] = [:]
        let hours = span.cut(by: HistorySpan.hour)
        try add("hour", HistorySpan.hour, hours.inside, wanted, to: &panes, db)
        for edge in [hours.before, hours.behind] where !edge.isEmpty {
            let minutes = edge.cut(by: HistorySpan.minute)
            try add("minute", HistorySpan.minute, minutes.inside, wanted, to: &panes, db)
            for rest in [minutes.before, minutes.behind] where !rest.isEmpty {
                try addRows(rest, wanted, to: &panes, db)
            }
        }
        return panes
    }

    private static func add(
        _ table: String, _ unit: Int64, _ span: HistorySpan, _ wanted: Set<Int64>?,
        to panes: inout [Int64: Pane], _ db: Database
    ) throws {
        guard !span.isEmpty else { return }
        let rows = try Row.fetchCursor(
            try db.cachedStatement(
                sql: "SELECT * FROM \(table) WHERE place >= ? AND place < ?"),
            arguments: [Place.pane(span.from / unit, 0), Place.pane(span.to / unit, 0)])
        while let row = try rows.next() {
            let pair = Place.pair(row[0])
            if let wanted, !wanted.contains(pair) { continue }
            try panes[pair, default: Pane()].add(row)
        }
    }

    private static func addRows(
        _ span: HistorySpan, _ wanted: Set<Int64>?, to panes: inout [Int64: Pane], _ db: Database
    ) throws {
        let rows = try cursor(db, span)
        while let row = try rows.next() {
            let pair: Int64 = row[0]
            if let wanted, !wanted.contains(pair) { continue }
            let verdict: Int = row[1]
            guard Pane.moves.indices.contains(verdict) else { continue }
            panes[pair, default: Pane()].verdicts[verdict] += 1
            if let times = times(row) {
                panes[pair, default: Pane()].add(wait: times.wait, run: times.run)
            }
        }
    }

    private static func cursor(_ db: Database, _ span: HistorySpan) throws -> RowCursor {
        try Row.fetchCursor(
            try db.cachedStatement(
                sql: """
                    SELECT pair, verdict, ready_ago, executed_ago FROM run
                    WHERE seq >= ? AND seq < ?
                    """),
            arguments: [Place.run(span.from, 0), Place.run(span.to, 0)])
    }

    private static func times(_ row: Row) -> (wait: Int64, run: Int64)? {
        guard let executedAgo = row[3] as Int64? else { return nil }
        let readyAgo: Int64 = row[2]
        return (max(0, readyAgo &- executedAgo), max(0, executedAgo))
    }

    /// Every duration of a short range, so that percentiles are those of the runs themselves.
    private struct Exact {
        var panes: [Int64: (pane: Pane, waits: [Int64], runs: [Int64])] = [:]

        /// Nil when there are too many rows, or rows of the range may be gone already.
        init?(_ db: Database, _ span: HistorySpan, _ wanted: [Int64]?) throws {
            let oldest = try Int64.fetchOne(db, sql: "SELECT min(seq) FROM run")
            guard let oldest, oldest < Place.run(span.from, 0) else { return nil }
            let rows = try SQLiteHistory.cursor(db, span)
            let wanted = wanted.map(Set.init)
            var count = 0
            while let row = try rows.next() {
                count += 1
                guard count <= SQLiteHistory.shortRows else { return nil }
                let pair: Int64 = row[0]
                if let wanted, !wanted.contains(pair) { continue }
                let verdict: Int = row[1]
                guard Pane.moves.indices.contains(verdict) else { continue }
                panes[pair, default: (Pane(), [], [])].pane.verdicts[verdict] += 1
                if let times = SQLiteHistory.times(row) {
                    panes[pair, default: (Pane(), [], [])].waits.append(times.wait)
                    panes[pair, default: (Pane(), [], [])].runs.append(times.run)
                }
            }
        }

        func stats(_ pairs: PairNames) -> [RunStats] {
            panes.map { number, part in
                let name = pairs.name(number)
                var stats = part.pane.stats(queue: name.queue, kind: name.kind)
                stats.wait = Spread(exactly: part.waits)
                stats.run = Spread(exactly: part.runs)
                return stats
            }.sorted { ($0.queue, $0.kind) < ($1.queue, $1.kind) }
        }
    }

    // MARK: Rates

    public func rate(
        _ range: HistoryRange, step: Duration
    ) async throws(HistoryError) -> [RunRate] {
        let span = HistorySpan(range)
        let steps = try RateSteps(span, step, at: "the history file '\(path)'")
        return try await reader.use("read the rate") { db in
            let wanted = try PairNames(db).numbers(range).map(Set.init)
            var counts = steps.zeros
            let parts = steps.parts
            func add(_ table: String, _ unit: Int64, _ span: HistorySpan) throws {
                guard !span.isEmpty else { return }
                let rows = try Row.fetchCursor(
                    db, sql: "SELECT place, verdicts FROM \(table) WHERE place >= ? AND place < ?",
                    arguments: [Place.pane(span.from / unit, 0), Place.pane(span.to / unit, 0)])
                while let row = try rows.next() {
                    let place: Int64 = row[0]
                    if let wanted, !wanted.contains(Place.pair(place)) { continue }
                    var pane = Pane()
                    let data: Data = row[1]
                    _ = data.withUnsafeBytes { pane.add(packedVerdicts: $0) }
                    let index = steps.index(Place.slot(place) * unit)
                    counts[index].runs += pane.runs
                    counts[index].failures += pane.failures
                }
            }
            try add("hour", HistorySpan.hour, parts.hours)
            for minutes in parts.minutes { try add("minute", HistorySpan.minute, minutes) }
            for span in parts.rows {
                let rows = try Row.fetchCursor(
                    db, sql: "SELECT seq, pair, verdict FROM run WHERE seq >= ? AND seq < ?",
                    arguments: [Place.run(span.from, 0), Place.run(span.to, 0)])
                while let row = try rows.next() {
                    if let wanted, !wanted.contains(row[1]) { continue }
                    let verdict: Int = row[2]
                    guard Pane.moves.indices.contains(verdict) else { continue }
                    let index = steps.index((row[0] as Int64) >> 21)
                    counts[index].runs += 1
                    counts[index].failures += Pane.isFailure(verdict) ? 1 : 0
                }
            }
            return counts
        }
    }
}
