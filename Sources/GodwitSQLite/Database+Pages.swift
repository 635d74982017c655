// SPDX-License-Identifier: Apache-2.0
import GRDB
import Godwit

/// Pages of the messages in one state: one walk along one index, from where the last page ended.
extension Database {
    func page(
        of state: MessageState, _ queue: Int64, after cursor: PageCursor?, _ limit: Int
    ) throws -> MessagePage {
        // A cursor is a few numbers with points between them; one that can't be read begins anew.
        let numbers = cursor?.text.split(separator: ".").compactMap { Int64($0) } ?? []
        switch state {
        case .ready:
            return try walk(
                "message_ready", "state = 0", ["lane", "place"], queue, numbers, limit)
        case .scheduled:
            return try walk(
                "message_scheduled", "state = 2", ["at", "id_high", "id_low"], queue, numbers, limit)
        case .leased:
            return try walk(
                "message_leased", "state = 1", ["at", "place", "id_high", "id_low"], queue, numbers,
                limit)
        case .dead:
            return try walk(
                "message_dead", "state = 3", ["at", "id_high", "id_low"], queue, numbers, limit)
        case .completed, .cancelled, .forwarded:
            return try endedPage(state, queue, numbers, limit)
        }
    }

    static func walkSQL(
        _ index: String, _ condition: String, _ order: [String], isContinued: Bool
    ) -> String {
        let columns = order.joined(separator: ", ")
        let marks = order.map { _ in "?" }.joined(separator: ", ")
        return """
            SELECT \(recordColumns), lane FROM message INDEXED BY \(index)
            WHERE \(condition) AND queue = ? \(isContinued ? "AND (\(columns)) > (\(marks))" : "")
            ORDER BY \(columns) LIMIT ?
            """
    }

    private func walk(
        _ index: String, _ condition: String, _ order: [String], _ queue: Int64,
        _ numbers: [Int64], _ limit: Int
    ) throws -> MessagePage {
        let isContinued = numbers.count == order.count
        let rows = try Row.fetchAll(
            cachedStatement(
                sql: Self.walkSQL(index, condition, order, isContinued: isContinued)),
            arguments: StatementArguments(
                [queue] + (isContinued ? numbers : []) + [Int64(limit) + 1]))
        var page = MessagePage(messages: try rows.prefix(limit).map(record(from:)))
        if rows.count > limit {
            let last = rows[limit - 1]
            page.next = PageCursor(order.map { "\(last[$0] as Int64)" }.joined(separator: "."))
        }
        return page
    }

    /// Why not an index per ending: retention drops all three in the order they ended. So a page
    /// looks past a bounded number of others.
    private func endedPage(
        _ state: MessageState, _ queue: Int64, _ numbers: [Int64], _ limit: Int
    ) throws -> MessagePage {
        var page = MessagePage(messages: [])
        var looks = max(10_000, 10 * limit)
        var last = numbers.first ?? Int64.min
        let rows = try Row.fetchCursor(
            cachedStatement(
                sql: """
                    SELECT \(Self.recordColumns) FROM message INDEXED BY message_ended
                    WHERE state > 3 AND queue = ? AND place > ? ORDER BY place
                    """), arguments: [queue, last])
        while let row = try rows.next() {
            if page.messages.count == limit || looks == 0 {
                page.next = PageCursor("\(last)")
                return page
            }
            looks -= 1
            last = row["place"]
            if (row["state"] as Int64) == state.stage { page.messages.append(try record(from: row)) }
        }
        return page
    }
}
