// SPDX-License-Identifier: Apache-2.0
import GRDB
import Godwit
import GodwitSQLite
import Testing

/// What each statement costs does not grow with the table.
@Suite("SQLite: query plans", .timeLimit(.minutes(1))) struct PlanTests {
    @Test(arguments: SQLiteBroker.statementTexts.map(\.name))
    func `a statement neither scans nor sorts`(_ name: String) async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            let text = try #require(SQLiteBroker.statementTexts.first { $0.name == name }?.sql)
            let database = try DatabaseQueue(path: broker.path)
            let plan = try await database.read { db in
                try Row.fetchAll(
                    db, sql: "EXPLAIN QUERY PLAN " + text.replacing("?", with: "1")
                ).map { $0["detail"] as String }
            }
            for step in plan {
                #expect(!step.contains("SCAN"), "\(name): \(step)")
                #expect(!step.contains("TEMP B-TREE"), "\(name): \(step)")
            }
            await broker.shutdown()
        }
    }
}
