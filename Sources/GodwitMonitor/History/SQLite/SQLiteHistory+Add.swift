// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import Foundation
import GRDB
import Godwit
import Synchronization

extension SQLiteHistory {
    public func add(_ rows: [RunRow], _ samples: [QueueSample]) async throws(HistoryError) {
        guard rows.count <= HistoryBounds.rowsPerCall else {
            throw .invalid(
                .init(
                    what: "add \(rows.count) runs", location: "the history file '\(path)'",
                    cause: "a call takes \(HistoryBounds.rowsPerCall)",
                    advice: "Send them in parts; nothing was kept."))
        }
        guard !rows.isEmpty || !samples.isEmpty else { return }
        try await writer.use("add \(rows.count) runs") { [self] db in
            // Why a copy: what a transaction that is rolled back has numbered has no number.
            var numbers = pairs.withLock { $0 }
            try db.inTransaction(.immediate) {
                var batch = Batch(db, numbers)
                try batch.insert(rows)
                try batch.mergePanes()
                for sample in samples { try Self.insert(sample, db) }
                numbers = batch.pairs
                return .commit
            }
            pairs.withLock { $0 = numbers }
        }
    }

    private static func insert(_ sample: QueueSample, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """
        ).execute(arguments: [
            sample.at.milliseconds, Data(sample.queue.utf8), sample.ready, sample.scheduled,
            sample.leased, sample.dead, sample.enqueued, sample.ended,
            sample.oldestReadyMilliseconds, sample.slots, sample.busySlots,
        ])
    }
}

/// The rows of one transaction and what they change in the panes.
private struct Batch {
    /// What the new rows of one pair add to one minute.
    struct Delta {
        var verdicts: [Int] = []
        /// Wait and run of those that ran.
        var times: [(Int64, Int64)] = []
    }

    let db: Database
    var pairs: PairNumbers
    var deltas: [Int64: Delta] = [:]
    private var ordinal = Int64.random(in: 0..<Place.ordinals)

    init(_ db: Database, _ pairs: PairNumbers) {
        self.db = db
        self.pairs = pairs
    }

    mutating func insert(_ rows: [RunRow]) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id_high, id_low, turn) DO NOTHING
                """)
        let handle = statement.sqliteStatement
        var lastPair = PairNumbers.Pair(queue: "", kind: "")
        var lastNumber: Int64 = -1
        for row in rows {
            if lastNumber < 0 || row.kind != lastPair.kind || row.queue != lastPair.queue {
                lastPair = PairNumbers.Pair(queue: row.queue, kind: row.kind)
                lastNumber = try number(of: lastPair)
            }
            guard try insert(row, lastNumber, handle) else { continue }
            let minute =
                min(HistorySpan.last, max(0, row.finishedAt.milliseconds))
                / HistorySpan.minute
            let place = Place.pane(minute, lastNumber)
            deltas[place, default: Delta()].verdicts.append(Pane.number(of: row.verdict))
            if let wait = row.waitMilliseconds, let run = row.runMilliseconds {
                deltas[place]?.times.append((wait, run))
            }
        }
    }

    /// True when the row was not there. Why SQLite's own calls: GRDB's box every value.
    private mutating func insert(
        _ row: RunRow, _ pair: Int64, _ handle: OpaquePointer
    ) throws -> Bool {
        let finished = row.finishedAt.milliseconds
        var values: (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64) = (
            Int64(bitPattern: row.id.high), Int64(bitPattern: row.id.low),
            Int64(row.generation) << 32 | Int64(row.run), pair,
            Int64(Pane.number(of: row.verdict)), Int64(row.attempt), Int64(row.lost),
            Int64(row.count), Int64(row.worker)
        )
        withUnsafeBytes(of: &values) { bytes in
            let values = bytes.bindMemory(to: Int64.self)
            for index in values.indices {
                sqlite3_bind_int64(handle, Int32(index + 2), values[index])
            }
        }
        sqlite3_bind_int64(handle, 11, finished)
        sqlite3_bind_int64(handle, 12, finished &- row.insertedAt.milliseconds)
        sqlite3_bind_int64(handle, 13, finished &- row.readyAt.milliseconds)
        if let executedAt = row.executedAt {
            sqlite3_bind_int64(handle, 14, finished &- executedAt.milliseconds)
        } else {
            sqlite3_bind_null(handle, 14)
        }
        Self.bind(row.fingerprint, 15, handle)
        Self.bind(row.reason, 16, handle)
        // Why a bound: a millisecond has two million places, and they may all be taken.
        for _ in 0..<4096 {
            ordinal &+= 1
            sqlite3_bind_int64(handle, 1, Place.run(finished, ordinal))
            let code = sqlite3_step(handle)
            let changed = sqlite3_changes(sqlite3_db_handle(handle))
            let extended = sqlite3_extended_errcode(sqlite3_db_handle(handle))
            sqlite3_reset(handle)
            if code == SQLITE_DONE { return changed > 0 }
            // Another row of this millisecond has the ordinal.
            if extended == primaryKeyTaken || extended == rowTaken { continue }
            throw DatabaseError(
                resultCode: ResultCode(rawValue: extended),
                message: String(cString: sqlite3_errstr(extended)))
        }
        throw DatabaseError(
            resultCode: .SQLITE_FULL, message: "too many runs ended in millisecond \(finished)")
    }

    private static func bind(_ text: String, _ index: Int32, _ handle: OpaquePointer) {
        guard !text.isEmpty else {
            sqlite3_bind_null(handle, index)
            return
        }
        var text = text
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        text.withUTF8 {
            _ = sqlite3_bind_blob(handle, index, $0.baseAddress, Int32($0.count), transient)
        }
    }

    private mutating func number(of pair: PairNumbers.Pair) throws -> Int64 {
        if let number = pairs.numbers[pair] { return number }
        let (queue, kind) = (Data(pair.queue.utf8), Data(pair.kind.utf8))
        var number = try Int64.fetchOne(
            db, sql: "SELECT number FROM pair WHERE queue = ? AND kind = ?",
            arguments: [queue, kind])
        if number == nil {
            let last = try Int64.fetchOne(db, sql: "SELECT max(number) FROM pair") ?? 0
            let isOther = pair.kind == otherName && pair.queue == otherName
            guard last < PairNumbers.limit || isOther else {
                return try self.number(of: .init(queue: otherName, kind: otherName))
            }
            try db.execute(
                sql: "INSERT INTO pair VALUES (?, ?, ?)", arguments: [last + 1, queue, kind])
            number = last + 1
        }
        pairs.numbers[pair] = number
        return number ?? 0
    }

    // MARK: Panes

    mutating func mergePanes() throws {
        // Why minutes first: what is `_other` in a minute may still have a pane of its own hour.
        var hours: [Int64: [Delta]] = [:]
        var minutes: [Int64: [Delta]] = [:]
        for (place, delta) in deltas {
            minutes[place, default: []].append(delta)
            let hour = Place.pane(Place.slot(place) / 60, Place.pair(place))
            hours[hour, default: []].append(delta)
        }
        try merge(minutes, into: "minute")
        try merge(hours, into: "hour")
    }

    private mutating func merge(_ changes: [Int64: [Delta]], into table: String) throws {
        let find = try db.cachedStatement(sql: "SELECT * FROM \(table) WHERE place = ?")
        let put = try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO \(table) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        var counts: [Int64: Int] = [:]
        var others: [Int64: [Delta]] = [:]
        for (place, deltas) in changes.sorted(by: { $0.key < $1.key }) {
            let row = try Row.fetchOne(find, arguments: [place])
            if row == nil {
                let slot = Place.slot(place)
                let count = try counts[slot] ?? paneCount(table, slot)
                guard count < HistoryBounds.pairsPerMinute else {
                    counts[slot] = count
                    others[slot, default: []] += deltas
                    continue
                }
                counts[slot] = count + 1
            }
            try write(try Pane(row, at: db), deltas, place, put)
        }
        guard !others.isEmpty else { return }
        let pair = try number(of: .init(queue: otherName, kind: otherName))
        for (slot, deltas) in others {
            let place = Place.pane(slot, pair)
            let row = try Row.fetchOne(find, arguments: [place])
            try write(try Pane(row, at: db), deltas, place, put)
        }
    }

    private func paneCount(_ table: String, _ slot: Int64) throws -> Int {
        try Int.fetchOne(
            db, sql: "SELECT count(*) FROM \(table) WHERE place >= ? AND place < ?",
            arguments: [Place.pane(slot, 0), Place.pane(slot + 1, 0)]) ?? 0
    }

    private func write(
        _ old: Pane, _ deltas: [Delta], _ place: Int64, _ put: Statement
    ) throws {
        var pane = old
        for delta in deltas {
            for verdict in delta.verdicts { pane.verdicts[verdict] += 1 }
            for (wait, run) in delta.times { pane.add(wait: wait, run: run) }
        }
        try put.execute(arguments: [
            place, Data(pane.packedVerdicts), pane.waitSum, pane.waitMax, pane.runSum,
            pane.runMax, Data(pane.wait.sparse), Data(pane.run.sparse),
        ])
    }
}

extension Pane {
    /// What a row of `minute` or `hour` holds; an empty pane for nil.
    init(_ row: Row?, at db: Database) throws {
        self.init()
        if let row { try add(row) }
    }

    mutating func add(_ row: Row) throws {
        waitSum &+= row[2]
        waitMax = max(waitMax, row[3])
        runSum &+= row[4]
        runMax = max(runMax, row[5])
        let isWhole =
            try row.withUnsafeData(atIndex: 1) { data in
                data.map { $0.withUnsafeBytes { add(packedVerdicts: $0) } } ?? false
            }
            && row.withUnsafeData(atIndex: 6) { data in
                data.map { $0.withUnsafeBytes { wait.add(sparse: $0) } } ?? true
            }
            && row.withUnsafeData(atIndex: 7) { data in
                data.map { $0.withUnsafeBytes { run.add(sparse: $0) } } ?? true
            }
        guard isWhole else {
            throw DatabaseError(
                resultCode: .SQLITE_CORRUPT, message: "a pane's counts can't be read")
        }
    }
}

/// SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_ROWID, macros that Swift does not see.
private let primaryKeyTaken = SQLITE_CONSTRAINT | 6 << 8
private let rowTaken = SQLITE_CONSTRAINT | 10 << 8
