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
        guard let walk = Self.walks[state] else {
            return try endedPage(state, queue, numbers, limit)
        }
        return try self.page(walk, queue, numbers, limit)
    }

    /// The index that lists a state, and its order.
    struct Walk: Sendable {
        var index: String
        var condition: String
        var order: [String]

        func sql(isContinued: Bool) -> String {
            let columns = order.joined(separator: ", ")
            let marks = order.map { _ in "?" }.joined(separator: ", ")
            return """
                SELECT \(Database.recordColumns), lane FROM message INDEXED BY \(index)
                WHERE \(condition) AND queue = ? \(isContinued ? "AND (\(columns)) > (\(marks))" : "")
                ORDER BY \(columns) LIMIT ?
                """
        }
    }

    static let walks: [MessageState: Walk] = [
        .ready: Walk(index: "message_ready", condition: "state = 0", order: ["lane", "place"]),
        .scheduled: Walk(
            index: "message_scheduled", condition: "state = 2", order: ["at", "id_high", "id_low"]),
        .leased: Walk(
            index: "message_leased", condition: "state = 1",
            order: ["at", "place", "id_high", "id_low"]),
        .dead: Walk(
            index: "message_dead", condition: "state = 3", order: ["at", "id_high", "id_low"]),
    ]

    private static let endedSQL = """
        SELECT \(recordColumns) FROM message INDEXED BY message_ended
        WHERE state > 3 AND queue = ? AND place > ? ORDER BY place
        """

    static let pageTexts: [(name: String, sql: String)] =
        walks.flatMap { state, walk in
            [
                (name: "first page: \(state)", sql: walk.sql(isContinued: false)),
                (name: "next page: \(state)", sql: walk.sql(isContinued: true)),
            ]
        } + [(name: "page: ended", sql: endedSQL)]

    private func page(
        _ walk: Walk, _ queue: Int64, _ numbers: [Int64], _ limit: Int
    ) throws -> MessagePage {
        let isContinued = numbers.count == walk.order.count
        let rows = try Row.fetchAll(
            cachedStatement(sql: walk.sql(isContinued: isContinued)),
            arguments: StatementArguments(
                [queue] + (isContinued ? numbers : []) + [Int64(limit) + 1]))
        var page = MessagePage(messages: try rows.prefix(limit).map(record(from:)))
        if rows.count > limit {
            let last = rows[limit - 1]
            page.next = PageCursor(
                walk.order.map { "\(last[$0] as Int64)" }.joined(separator: "."))
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
            cachedStatement(sql: Self.endedSQL), arguments: [queue, last])
        while let row = try rows.next() {
            if page.messages.count == limit || looks == 0 {
                page.next = PageCursor("\(last)")
                return page
            }
            looks -= 1
            last = row["place"]
            if (row["state"] as Int64) == state.stage {
                page.messages.append(try record(from: row))
            }
        }
        return page
    }
}
