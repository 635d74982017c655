// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRDB
public import Godwit

extension SQLiteHistory {
    public func runs(_ query: RunQuery) async throws(HistoryError) -> RunPage {
        let span = HistorySpan(query.range)
        let limit = HistoryBounds.page(query.limit)
        var end = Place.run(span.to, 0)
        if let cursor = query.after {
            guard let place = Int64(cursor.text), place >= 0 else {
                throw Self.unknown(cursor, path)
            }
            end = min(end, place)
        }
        let begin = Place.run(span.from, 0)
        let last = end
        return try await reader.use("read runs") { db in
            let pairs = try PairNames(db)
            let filter = Filter(query)
            var places: [Int64] = []
            switch pairs.numbers(query.range) {
            case nil:
                places = try filter.places(db, pair: nil, begin..<max(begin, last), limit + 1)
            case let numbers?:
                // The newest of each pair, then the newest of all.
                for number in numbers {
                    places += try filter.places(
                        db, pair: number, begin..<max(begin, last), limit + 1)
                    if places.count > 4 * limit {
                        places = Array(places.sorted(by: >).prefix(limit + 1))
                    }
                }
                places = Array(places.sorted(by: >).prefix(limit + 1))
            }
            let rows = try places.prefix(limit).compactMap { try Self.row(db, at: $0, pairs) }
            let hasMore = places.count > limit
            return RunPage(
                runs: rows, next: hasMore ? PageCursor("\(places[limit - 1])") : nil)
        }
    }

    static func unknown(_ cursor: PageCursor, _ path: String) -> HistoryError {
        .invalid(
            .init(
                what: "read runs", location: "the history file '\(path)'",
                cause:
                    "'\(String(cursor.text.prefix(40)).escapedForDisplay)' is no place it gave out",
                advice: "Begin again without a cursor."))
    }

    /// What a query asks of a row beside its time and its pair.
    private struct Filter {
        var sql = ""
        var arguments: [any DatabaseValueConvertible] = []

        init(_ query: RunQuery) {
            if let verdicts = query.verdicts {
                let numbers = verdicts.map { String(Pane.number(of: $0)) }
                sql += " AND verdict IN (\(numbers.joined(separator: ", ")))"
            }
            if let fingerprint = query.fingerprint {
                sql += " AND fingerprint = ?"
                arguments.append(Data(fingerprint.utf8))
            }
            if let worker = query.worker {
                sql += " AND worker = ?"
                arguments.append(Int64(worker))
            }
            if let reason = query.reason, !reason.isEmpty {
                sql += " AND reason IS NOT NULL AND godwit_holds(reason, ?)"
                arguments.append(Data(reason.lowercased().utf8))
            }
        }

        func places(
            _ db: Database, pair: Int64?, _ range: Range<Int64>, _ limit: Int
        ) throws -> [Int64] {
            var sql = "SELECT seq FROM run WHERE seq >= ? AND seq < ?"
            var all: [any DatabaseValueConvertible] = [range.lowerBound, range.upperBound]
            if let pair {
                sql += " AND pair = ?"
                all.append(pair)
            }
            sql += self.sql + " ORDER BY seq DESC LIMIT ?"
            all += arguments
            all.append(limit)
            return try Int64.fetchAll(
                try db.cachedStatement(sql: sql), arguments: StatementArguments(all))
        }
    }

    public func runs(of id: MessageID) async throws(HistoryError) -> [RunRow] {
        try await reader.use("read the runs of \(id)") { db in
            let pairs = try PairNames(db)
            let places = try Int64.fetchAll(
                db,
                sql: """
                    SELECT seq FROM run WHERE id_high = ? AND id_low = ? ORDER BY seq LIMIT ?
                    """,
                arguments: [
                    Int64(bitPattern: id.high), Int64(bitPattern: id.low),
                    HistoryBounds.rowsPerPage,
                ])
            return try places.compactMap { try Self.row(db, at: $0, pairs) }
        }
    }

    public func slowest(
        _ range: HistoryRange, limit: Int
    ) async throws(HistoryError) -> [RunRow] {
        let span = HistorySpan(range)
        return try await reader.use("find the slowest runs") { db in
            let pairs = try PairNames(db)
            var sql = """
                SELECT seq FROM run WHERE seq >= ? AND seq < ? AND executed_ago IS NOT NULL
                """
            if let numbers = pairs.numbers(range) { sql += " AND +pair IN \(list(numbers))" }
            sql += " ORDER BY executed_ago DESC, seq DESC LIMIT ?"
            let places = try Int64.fetchAll(
                db, sql: sql,
                arguments: [
                    Place.run(span.from, 0), Place.run(span.to, 0), HistoryBounds.page(limit),
                ])
            return try places.compactMap { try Self.row(db, at: $0, pairs) }
        }
    }

    static func row(_ db: Database, at place: Int64, _ pairs: PairNames) throws -> RunRow? {
        let statement = try db.cachedStatement(sql: "SELECT * FROM run WHERE seq = ?")
        guard let row = try Row.fetchOne(statement, arguments: [place]) else { return nil }
        let finished: Int64 = row[10]
        let turn: Int64 = row[3]
        let verdict: Int = row[5]
        guard Pane.moves.indices.contains(verdict) else {
            throw DatabaseError(
                resultCode: .SQLITE_CORRUPT,
                message: "run \(place) has the verdict \(verdict), of a newer version or broken")
        }
        let pair = pairs.name(row[4])
        func text(_ index: Int) -> String {
            (row[index] as Data?).map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        let executedAgo: Int64? = row[13]
        return RunRow(
            id: MessageID(
                high: UInt64(bitPattern: row[1] as Int64), low: UInt64(bitPattern: row[2] as Int64)),
            generation: UInt8(truncatingIfNeeded: turn >> 32),
            run: UInt32(truncatingIfNeeded: turn), queue: pair.queue, kind: pair.kind,
            verdict: Pane.moves[verdict], attempt: UInt8(truncatingIfNeeded: row[6] as Int64),
            lost: UInt8(truncatingIfNeeded: row[7] as Int64),
            count: UInt16(truncatingIfNeeded: row[8] as Int64),
            worker: UInt32(truncatingIfNeeded: row[9] as Int64),
            insertedAt: Timestamp(milliseconds: finished &- (row[11] as Int64)),
            readyAt: Timestamp(milliseconds: finished &- (row[12] as Int64)),
            executedAt: executedAgo.map { Timestamp(milliseconds: finished &- $0) },
            finishedAt: Timestamp(milliseconds: finished), reason: text(15),
            fingerprint: text(14))
    }
}

/// `(1, 2, 3)`: numbers that the database itself gave out.
func list(_ numbers: [Int64]) -> String {
    "(\(numbers.map(String.init).joined(separator: ", ")))"
}

/// The pairs of a file by number.
struct PairNames {
    private var names: [Int64: PairNumbers.Pair] = [:]

    init(_ db: Database) throws {
        let rows = try Row.fetchCursor(
            try db.cachedStatement(sql: "SELECT number, queue, kind FROM pair"))
        while let row = try rows.next() {
            names[row[0]] = PairNumbers.Pair(
                queue: String(decoding: row[1] as Data, as: UTF8.self),
                kind: String(decoding: row[2] as Data, as: UTF8.self))
        }
    }

    func name(_ number: Int64) -> PairNumbers.Pair {
        names[number] ?? PairNumbers.Pair(queue: otherName, kind: otherName)
    }

    /// Those that a range asks for; nil when it asks for all.
    func numbers(_ range: HistoryRange) -> [Int64]? {
        guard range.queue != nil || range.kind != nil else { return nil }
        return names.filter {
            (range.queue ?? $0.value.queue) == $0.value.queue
                && (range.kind ?? $0.value.kind) == $0.value.kind
        }.map(\.key).sorted()
    }
}
