// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRDB
import Godwit
import GodwitSQLite
import GodwitTesting
import Testing

/// Search on big files. The plans of its statements are in ``PlanTests``.
@Suite("SQLite: search", .timeLimit(.minutes(10))) struct SearchTests {
    @Test func `a kind among the dead is found without looking at the others`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            for index in 0..<1500 {
                let kind: Kind = index % 500 == 0 ? "rare" : "mail"
                _ = try await broker.enqueue(
                    [NewMessage(id: MessageID(at: scene.clock.now()), kind: kind, body: [1])],
                    to: .work)
            }
            while true {
                let taken = try await broker.reserve(
                    ReserveRequest(128, bytes: 1 << 20, lease: .seconds(30)), from: .work
                ).messages
                if taken.isEmpty { break }
                _ = try await broker.settle(
                    taken.map { Settlement($0.token, .reject("no")) }, in: .work)
            }
            let plan = QueryPlan(try Query("kind:rare,none state:dead"), now: scene.clock.now())
            let page = try await broker.inspector.search(plan, after: nil, budget: SearchBudget())
            #expect(page.messages.count == 3)
            #expect(page.scanned == 3)
            #expect(page.isComplete)
            await broker.shutdown()
        }
    }

    /// `GODWIT_MANY=1000000 swift test … --filter 'a million'`: prints how long searches take.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["GODWIT_MANY"] != nil))
    func `a million jobs are searched in time`() async throws {
        let many = Int(ProcessInfo.processInfo.environment["GODWIT_MANY"] ?? "") ?? 1_000_000
        try await withScene { scene in
            let broker = try await SQLiteBroker(path: scene.path)
            try await scene.fill(broker, many)
            let texts = [
                "kind:kind.7 state:dead", "state:dead", "state:dead kind:kind.7 attempt:0",
                "state:ready kind:kind.7", "finished>-1h state:dead", "state:dead unique:x",
                "args.n:5", "nowhere", "id:\(MessageID(at: broker.time.now()))",
                "kind:none state:dead",
            ]
            for text in texts {
                let plan = QueryPlan(try Query(text), now: broker.time.now())
                var times: [Duration] = []
                var page = SearchPage(messages: [], scanned: 0)
                for _ in 0..<5 {
                    let began = ContinuousClock.now
                    page = try await broker.inspector.search(
                        plan, after: nil, budget: SearchBudget())
                    times.append(ContinuousClock.now - began)
                }
                print(
                    "\(text): first \(times[0]), best \(times.min() ?? .zero); "
                        + "found \(page.messages.count), scanned \(page.scanned), "
                        + "complete \(page.isComplete)")
            }
            await broker.shutdown()
        }
    }
}

extension Scene {
    /// Half of them dead, half of them ready, of a hundred kinds; written behind the broker's back.
    func fill(_ broker: SQLiteBroker, _ count: Int) async throws {
        for index in 0..<100 {
            let kind = try Kind("kind.\(index)")
            let body = Envelope.body(
                kind: kind, contentType: .json, headers: [:],
                payload: [UInt8](
                    "{\"n\": \(index), \"text\": \"\(String(repeating: "x", count: 80))\"}".utf8))
            _ = try await broker.enqueue(
                [NewMessage(id: MessageID(at: broker.time.now()), kind: kind, body: body)],
                to: .work)
        }
        let taken = try await broker.reserve(
            ReserveRequest(50, bytes: 1 << 20, lease: .seconds(30)), from: .work
        ).messages
        _ = try await broker.settle(
            taken.map { Settlement($0.token, .reject("timed out")) }, in: .work)
        let database = try DatabaseQueue(path: path)
        try await database.write { db in
            try db.execute(
                sql: """
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
                    INSERT INTO message
                        (id_high, id_low, queue, state, lane, place, at, tail, letter, aside, reason, body)
                    SELECT id_high, id_low + i, queue, state, lane, place + i, at + i / 100, tail,
                        letter, aside, reason, body
                    FROM message, n
                    """, arguments: [count / 100])
        }
        try database.close()
    }
}
