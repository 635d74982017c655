// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRDB
import Godwit
import GodwitSQLite
import GodwitTesting
import Testing

/// Streams in a file: shared, kept, and looked through. Their plans are read in ``PlanTests``.
@Suite("SQLite: streams", .timeLimit(.minutes(2))) struct StreamTests {
    @Test(arguments: [
        ("pickLanes", "lane_next (stream=? AND phase=?)"),
        ("pickParked", "lane_next (stream=? AND phase=? AND ord<?)"),
        ("pickLost", "lane_next (stream=? AND phase=? AND ord<?)"),
        ("pickIdle", "lane_next (stream=? AND phase=? AND ord<?)"),
        ("selectLane", "lane_key (stream=? AND key=?)"),
        ("pickPoints", "PRIMARY KEY (lane=? AND place>?)"),
        ("deletePoints", "PRIMARY KEY (lane=? AND place>? AND place<?)"),
        ("read: window", "PRIMARY KEY (lane=? AND place>? AND place<?)"),
        ("findLate", "point_late (lane=? AND id=?"),
    ])
    func `a statement uses the index that was made for it`(
        _ name: String, _ index: String
    ) async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            let text = try #require(SQLiteBroker.statementTexts.first { $0.name == name }?.sql)
            let database = try DatabaseQueue(path: broker.path)
            let plan = try await database.read { db in
                try Row.fetchAll(
                    db, sql: "EXPLAIN QUERY PLAN " + text.replacing("?", with: "1")
                ).map { $0["detail"] as String }
            }
            #expect(plan.contains { $0.contains(index) }, "\(plan)")
            await broker.shutdown()
        }
    }

    @Test func `two brokers never hand out one lane twice`() async throws {
        try await withScene { scene in
            let (one, two) = (try await scene.open(), try await scene.open())
            try await one.append(keys: 500, each: 2)
            let taken = try await withThrowingTaskGroup(of: [String].self) { group in
                for broker in [one, two, one, two] {
                    group.addTask {
                        var mine: [String] = []
                        while true {
                            let some = try await broker.reserveLanes(LaneRequest(7), from: .meters)
                            if some.lanes.isEmpty { return mine }
                            mine += some.lanes.map(\.token.key)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(taken.count == 500)
            #expect(Set(taken).count == 500)
            #expect(try await two.counts(ofStream: .meters).leased == 500)
            #expect(try await one.complaints() == [])
            await one.shutdown()
            await two.shutdown()
        }
    }

    @Test func `an append of another broker ends a wait`() async throws {
        try await withScene { scene in
            let (one, two) = (try await scene.open(), try await scene.open())
            let clock = ContinuousClock()
            let start = clock.now
            async let woken: Void = two.waitForLanes(in: .meters, upTo: .seconds(3600))
            while !two.isWatching, !Task.isCancelled { await Task.yield() }
            try await one.append(keys: 1, each: 1)
            await woken
            // 250 ms on a machine at rest; the virtual hour would never pass.
            #expect(clock.now - start < .seconds(300))
            #expect(!two.isWatching, "nobody waits, so nothing is watched")
            await one.shutdown()
            await two.shutdown()
        }
    }

    @Test func `a parked lane that comes due ends a wait`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            try await broker.append(keys: 1, each: 1)
            let lane = try #require(
                try await broker.reserveLanes(LaneRequest(1), from: .meters).lanes.first)
            let retry = LaneEnd.retry(after: .seconds(60), reason: "x")
            _ = try await broker.settleLanes([lane.commit(0, retry)], in: .meters)
            // A wait may end for nothing: our own commit is a change of the file too.
            async let again = {
                while true {
                    await broker.waitForLanes(in: .meters, upTo: .seconds(3600))
                    let lanes = try await broker.reserveLanes(LaneRequest(1), from: .meters).lanes
                    if !lanes.isEmpty || Task.isCancelled { return lanes }
                }
            }()
            while scene.clock.pendingTimers < 2, !Task.isCancelled { await Task.yield() }
            scene.clock.advance(by: .seconds(60))
            #expect(try await again.map(\.attempt) == [1])
            await broker.shutdown()
        }
    }

    @Test func `a file that is opened again has everything`() async throws {
        try await withScene { scene in
            var broker = try await scene.open()
            try await broker.append(keys: 20, each: 5)
            let lanes = try await broker.reserveLanes(
                LaneRequest(9, points: 3), from: .meters
            ).lanes
            let ends: [LaneEnd] = [
                .next, .release, .block(reason: "b"), .retry(after: .seconds(9), reason: "r"),
            ]
            for (lane, end) in zip(lanes, ends) {
                _ = try await broker.settleLanes([lane.commit(2, end)], in: .meters)
            }
            let before = try await broker.everything()
            await broker.shutdown()
            broker = try await scene.open()
            #expect(try await broker.everything() == before)
            #expect(try await broker.complaints() == [])
            let held = try #require(lanes.last)
            #expect(
                try await broker.settleLanes([held.commit(3, .next)], in: .meters) == [.done],
                "a lease outlives its broker")
            await broker.shutdown()
        }
    }

    @Test(arguments: [
        "DELETE FROM point WHERE place = 1", "DELETE FROM point WHERE place = 4",
        "DELETE FROM lane WHERE number = 3", "UPDATE lane SET phase = 0 WHERE phase = 1",
        "UPDATE lane SET lost = 2 WHERE phase = 1",
    ])
    func `what was changed by hand is found`(_ sql: String) async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            try await broker.append(keys: 5, each: 5)
            let lanes = try await broker.reserveLanes(LaneRequest(5, points: 3), from: .meters)
            _ = try await broker.settleLanes(lanes.lanes.map { $0.commit(3, .next) }, in: .meters)
            #expect(try await broker.complaints() == [])
            let database = try DatabaseQueue(path: broker.path)
            try await database.write { try $0.execute(sql: sql) }
            #expect(try await broker.complaints() != [])
            await broker.shutdown()
        }
    }

    @Test func `callers at once share commits`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            try await broker.append(keys: 1, each: 1)
            let before = broker.commitCount
            await withThrowingTaskGroup(of: Void.self) { group in
                for key in 1...200 {
                    group.addTask { try await broker.append(keys: 1, each: 1, from: key * 10) }
                }
            }
            let commits = broker.commitCount - before
            #expect(commits < 150, "200 appends took \(commits) commits")
            await broker.shutdown()
        }
    }

    @Test func `what a window no longer holds leaves the file`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            for round in 0..<50 {
                try await broker.append(keys: 1, each: 10, id: UInt64(round) * 100 + 1)
                let lane = try #require(
                    try await broker.reserveLanes(LaneRequest(1), from: .meters).lanes.first)
                _ = try await broker.settleLanes(
                    [lane.commit(10, .next, window: 20)], in: .meters)
            }
            let database = try DatabaseQueue(path: broker.path)
            let count = try await database.read { db in
                try Int.fetchOne(db, sql: "SELECT count(*) FROM point") ?? 0
            }
            #expect((20..<60).contains(count), "\(count) of 500 points are in the file")
            let memory = try await broker.memories(of: ["key 0"], window: 100, in: .meters)
            #expect(memory[0].window.count == 20)
            await broker.shutdown()
        }
    }
}

extension QueueName {
    fileprivate static let meters: QueueName = "meters"
}

extension LeasedLane {
    fileprivate func commit(_ handled: Int, _ end: LaneEnd, window: Int = 10) -> LaneSettlement {
        LaneSettlement(
            token, handled: handled, newest: points[max(0, handled - 1)].id, state: [1, 2],
            windowCount: window, windowBytes: 1000, end: end)
    }
}

extension SQLiteBroker {
    fileprivate func append(
        keys: Int, each: Int, from first: Int = 0, id: UInt64 = 1
    ) async throws {
        var points: [NewPoint] = []
        for key in first..<first + keys {
            for place in 0..<UInt64(each) {
                points.append(
                    NewPoint(key: "key \(key)", id: PointID(rawValue: id + place), body: [7]))
            }
        }
        let outcomes = try await append(points, to: .meters, options: AppendOptions())
        #expect(outcomes.allSatisfy { $0 == .appended })
    }

    fileprivate func complaints() async throws -> [String] {
        try await inspector.check(.meters, limit: 10_000)
    }

    fileprivate func everything() async throws -> [LaneRecord] {
        var records: [LaneRecord] = []
        for lane in try await lanes(of: .meters, by: .lag, limit: 100) {
            let record = try await self.lane(lane.key, window: 100, in: .meters)
            records.append(try #require(record))
        }
        return records
    }
}
