// SPDX-License-Identifier: Apache-2.0
import GRDB
import Godwit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Slices of a search: one walk along one index, every value bound, each row judged as it is read.
extension Database {
    /// A walk's statement, and what its cursor is made of.
    struct SearchStatement: Sendable {
        var index: String
        var condition: String
        var order: [String]
        var isDown = false
        /// Whether it is bounded by time.
        var hasTimes = false

        /// Arguments: queue, what `condition` asks, the times or the one that is not the cursor's,
        /// the cursor, the limit.
        func sql(isContinued: Bool, withBody: Bool) -> String {
            let columns = order.joined(separator: ", ")
            let marks = order.map { _ in "?" }.joined(separator: ", ")
            let times =
                !hasTimes
                ? "" : !isContinued ? "AND at >= ? AND at <= ?" : "AND at \(isDown ? ">=" : "<=") ?"
            let direction = isDown ? " DESC" : ""
            return """
                SELECT \(Database.recordColumns), lane\(withBody ? ", body" : "")
                FROM message INDEXED BY \(index) WHERE \(condition) \(times)
                \(isContinued ? "AND (\(columns)) \(isDown ? "<" : ">") (\(marks))" : "")
                ORDER BY \(order.map { $0 + direction }.joined(separator: ", ")) LIMIT ?
                """
        }
    }

    static let leasedSearch = SearchStatement(
        index: "message_leased", condition: "state = 1 AND queue = ?",
        order: ["at", "place", "id_high", "id_low"])
    static let readySearch = SearchStatement(
        index: "message_ready", condition: "state = 0 AND queue = ?", order: ["lane", "place"])
    static let readyLaneSearch = SearchStatement(
        index: "message_ready", condition: "state = 0 AND queue = ? AND lane = ?", order: ["place"])
    static let scheduledSearch = SearchStatement(
        index: "message_scheduled", condition: "state = 2 AND queue = ?",
        order: ["at", "id_high", "id_low"], hasTimes: true)
    static let deadSearch = SearchStatement(
        index: "message_dead", condition: "state = 3 AND queue = ?",
        order: ["at", "id_high", "id_low"], isDown: true, hasTimes: true)
    static let deadKindSearch = SearchStatement(
        index: "message_dead_kind",
        condition: "state = 3 AND queue = ? AND lane & 4294967295 = ?",
        order: ["at", "id_high", "id_low"], isDown: true, hasTimes: true)
    static let endedSearch = SearchStatement(
        index: "message_ended", condition: "state > 3 AND queue = ?", order: ["place"],
        isDown: true)

    static let searchTexts: [(name: String, sql: String)] = [
        ("leased", leasedSearch), ("ready", readySearch), ("ready lane", readyLaneSearch),
        ("scheduled", scheduledSearch), ("dead", deadSearch), ("dead kind", deadKindSearch),
        ("ended", endedSearch),
    ].flatMap { name, statement in
        [false, true].map { isContinued in
            (
                name: "search: \(name)\(isContinued ? ", next" : "")",
                sql: statement.sql(isContinued: isContinued, withBody: true)
            )
        }
    }

    /// A cursor is a few numbers with points between: which part of the walk, and its last row.
    func slice(_ step: SearchStep, _ queue: Int64) throws -> SearchSlice {
        let numbers = step.after?.split(separator: ".").compactMap { Int64($0) } ?? []
        let full = Int64.min...Int64.max
        var looking = SearchLook(step: step, queue: queue)
        switch step.walk {
        case .leased: try looking.walk(self, [[]], Self.leasedSearch, full, numbers)
        case .scheduled:
            try looking.walk(self, [[]], Self.scheduledSearch, step.plan.due, numbers)
        case .ended: try looking.walk(self, [[]], Self.endedSearch, full, numbers)
        case .ready:
            guard let hashes = step.hashes else {
                try looking.walk(self, [[]], Self.readySearch, full, numbers)
                break
            }
            let lanes = [0, Lane.suspects].flatMap { suspects in
                (Int64(0)..<8).flatMap { band in hashes.map { [suspects | band << 32 | $0] } }
            }
            try looking.walk(self, lanes, Self.readyLaneSearch, full, numbers)
        case .dead:
            if let hashes = step.hashes {
                try looking.walk(
                    self, hashes.map { [$0] }, Self.deadKindSearch, step.plan.finished, numbers)
            } else {
                try looking.walk(self, [[]], Self.deadSearch, step.plan.finished, numbers)
            }
        }
        return looking.slice
    }
}

extension SearchStep {
    /// The kinds that the query names, as they stand in lanes; a text that names none has no messages.
    var hashes: [Int64]? {
        plan.kinds.map { names in names.compactMap { try? Kind($0) }.map { Int64($0.hash) }.sorted()
        }
    }
}

/// What a slice has seen so far.
private struct SearchLook {
    let step: SearchStep
    let queue: Int64
    var slice = SearchSlice()
    private var kinds: [UInt32: String?] = [:]
    /// Of the bodies read.
    private var bytes = 0

    init(step: SearchStep, queue: Int64) {
        self.step = step
        self.queue = queue
    }

    /// Walks through `parts` of an index one after the other, until the slice is full.
    mutating func walk(
        _ db: Database, _ parts: [[Int64]], _ statement: Database.SearchStatement,
        _ times: ClosedRange<Int64>, _ cursor: [Int64]
    ) throws {
        var start = 0
        var last: [Int64]?
        // The part may stand alone: then the walk goes on at its beginning.
        if let part = cursor.first, parts.indices.contains(Int(clamping: part)) {
            start = Int(part)
            if cursor.count == statement.order.count + 1 { last = Array(cursor.dropFirst()) }
        }
        let withBody = step.matcher.stage == .body
        for part in parts.indices.dropFirst(start) {
            var arguments = [queue] + parts[part]
            if statement.hasTimes {
                if last == nil {
                    arguments += [times.lowerBound, times.upperBound]
                } else {
                    arguments.append(statement.isDown ? times.lowerBound : times.upperBound)
                }
            }
            arguments += last ?? []
            // One more, to know whether this is the end.
            arguments.append(Int64(step.records - slice.scanned) + 1)
            let rows = try Row.fetchCursor(
                db.cachedStatement(
                    sql: statement.sql(isContinued: last != nil, withBody: withBody)),
                arguments: StatementArguments(arguments))
            while let row = try rows.next() {
                if slice.scanned >= step.records || slice.found.count >= step.messages
                    || bytes >= step.bytes
                {
                    slice.next = ([Int64(part)] + (last ?? [])).map(String.init).joined(
                        separator: ".")
                    return
                }
                try look(db, row)
                last = statement.order.map { row[$0] as Int64 }
            }
            last = nil
        }
    }

    private mutating func look(_ db: Database, _ row: Row) throws {
        slice.scanned += 1
        var record = try db.bareRecord(from: row) { hash, queue in
            if let name = kinds[hash] { return name }
            let name = try db.kindName(hash, queue)
            kinds[hash] = .some(name)
            return name
        }
        guard step.mayMatch(record) else { return }
        try db.addAside(from: row, to: &record)
        guard step.matcher.matches(record, in: step.queue, at: .record) else { return }
        if step.matcher.stage == .body, !record.state.hasEnded {
            let isLarge = (row["aside"] as Int64) & Aside.body != 0
            record.body =
                isLarge ? try db.body(row["body"]) : (row["body"] as Data?).map { [UInt8]($0) }
        }
        bytes += record.body?.count ?? 0
        guard step.matches(record) else { return }
        record.body = nil
        slice.found.append(record)
    }
}
