// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

@Suite struct `Lanes: blocked, replayed, dropped, looked at` {
    @Test(.tags(.i1), arguments: BrokerKind.streamStores)
    func `a blocked key waits for an operator's redrive`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            try await broker.append("a", 1, 2)
            try await broker.commit(try await broker.lane(), 1, .block(reason: "look at this"))
            let record = try await broker.record("a")
            #expect(record.summary.phase == .blocked)
            #expect(record.reason == "look at this")
            #expect(record.due == clock.now())
            clock.advance(by: .seconds(100_000))
            #expect(try await broker.append("a", 3) == [.appended])
            #expect(try await broker.lanes(suspects: true).isEmpty)
            #expect(try await broker.streamOperator.redriveLane("a", in: .meters))
            let lane = try await broker.lane()
            #expect(lane.numbers == [2, 3])
            #expect(lane.attempt == 0)
            #expect(try await broker.streamOperator.redriveLane("a", in: .meters) == false)
            #expect(try await broker.streamOperator.redriveLane("nobody", in: .meters) == false)
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.streamStores)
    func `an operator skips the point that blocks`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1, 2)
            try await broker.append("b", 1)
            for lane in try await broker.lanes() {
                try await broker.commit(lane, 0, .block(reason: "x"))
            }
            let letter = Emission.message(5, to: .meters, dead: "skipped by hand")
            let door = broker.streamOperator
            #expect(try await door.skipPoint(of: "a", at: 7, letter, in: .meters) == false)
            #expect(try await broker.counts(of: .meters).dead == 0)
            #expect(try await door.skipPoint(of: "a", at: 0, letter, in: .meters))
            #expect(try await broker.state(5, in: .meters) == .dead)
            #expect(try await broker.lane().numbers == [2])
            let other = Emission.message(6, to: .meters, dead: "skipped by hand")
            #expect(try await door.skipPoint(of: "b", at: 0, other, in: .meters))
            #expect(try await broker.phase("b") == .idle)
            #expect(try await broker.streamCounts().dead == 2)
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `a replay runs the kept window again from an empty state`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1, 2, 3, 4)
            try await broker.commit(try await broker.lane(), state: "four", window: 3)
            try await broker.append("a", 5)
            let held = try await broker.lane()
            #expect(
                try await broker.streamOperator.replayLane("a", window: 3, in: .meters) == false,
                "not while it is leased")
            try await broker.commit(held, 0, .release)
            #expect(try await broker.streamOperator.replayLane("a", window: 2, in: .meters))
            let lane = try await broker.lane()
            #expect(lane.numbers == [3, 4, 5])
            #expect(lane.position == 2)
            #expect(try await broker.state("a") == "")
            #expect(try await broker.window("a") == [])
            #expect(try await broker.append("a", 5, 6) == [.duplicate, .appended])
            try await broker.commit(lane, state: "again")
            try await broker.commit(try await broker.lane())
            #expect(try await broker.window("a") == [4, 5, 6])
            #expect(try await broker.streamOperator.replayLane("a", window: 3, in: .meters))
            #expect(try await broker.lane().numbers == [4, 5, 6])
            #expect(
                try await broker.streamOperator.replayLane("b", window: 3, in: .meters) == false)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.streamStores)
    func `a key that was idle for too long is dropped whole and remembered`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            for key in ["old", "busy", "young"] { try await broker.append(key, 1) }
            let start = clock.now()
            for lane in try await broker.lanes() {
                if lane.key == "young" { clock.advance(by: .seconds(50)) }
                try await broker.commit(lane, state: "s")
            }
            try await broker.append("busy", 2)
            clock.advance(by: .seconds(60))
            #expect(try await broker.expire(after: .seconds(200)) == 0)
            #expect(try await broker.expire(after: .seconds(100)) == 1)
            #expect(try await broker.streamInspector.lane("old", window: 3, in: .meters) == nil)
            #expect(try await broker.state("busy") == "s", "what waits keeps its key")
            #expect(try await broker.state("young") == "s")
            #expect(
                try await broker.streamInspector.droppedKeys(of: .meters) == [
                    DroppedKey(key: "old", position: 1, handledAt: start, droppedAt: clock.now())
                ])
            #expect(
                try await broker.append("old", 1) == [.appended], "its memory of ids went along")
            #expect(try await broker.streamCounts().dropped == 1)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.streamStores)
    func `a key whose points were all given up grows old like any other`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            try await broker.append("passed", 1)
            let letter = Emission.message(7, to: .meters, dead: "unreadable")
            try await broker.commit(try await broker.lane(), 0, .skip, emit: [letter])
            #expect(try await broker.record("passed").summary.handledAt == clock.now())
            try await broker.append("by hand", 1)
            try await broker.commit(try await broker.lane(), 0, .block(reason: "x"))
            clock.advance(by: .seconds(50))
            let other = Emission.message(8, to: .meters, dead: "unreadable")
            #expect(
                try await broker.streamOperator.skipPoint(of: "by hand", at: 0, other, in: .meters))
            #expect(try await broker.record("by hand").summary.handledAt == clock.now())
            clock.advance(by: .seconds(60))
            #expect(try await broker.expire(after: .seconds(100)) == 1)
            clock.advance(by: .seconds(60))
            #expect(try await broker.expire(after: .seconds(100)) == 1)
            #expect(
                try await broker.streamInspector.droppedKeys(of: .meters).map(\.key) == [
                    "by hand", "passed",
                ])
        }
    }

    @Test(.tags(.i7), arguments: BrokerKind.streamStores)
    func `a key that was replayed or made anew has another birth`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            var births: [UInt32] = []
            try await broker.append("a", 1)
            births.append(try await broker.lane().birth)
            try await broker.append("b", 1)
            let first = try await broker.lane()
            try await broker.commit(first)
            try await broker.append("b", 2)
            let second = try await broker.lane()
            #expect(first.birth == second.birth)
            births.append(second.birth)
            try await broker.commit(second)
            _ = try await broker.streamOperator.replayLane("b", window: 3, in: .meters)
            let third = try await broker.lane()
            births.append(third.birth)
            try await broker.commit(third)
            _ = try await broker.streamOperator.forgetLane("b", in: .meters)
            try await broker.append("b", 1)
            births.append(try await broker.lane().birth)
            #expect(Set(births[1...]).count == 3)
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `an operator forgets an idle key, no other`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1)
            #expect(try await broker.streamOperator.forgetLane("a", in: .meters) == false)
            try await broker.commit(try await broker.lane(), state: "s")
            #expect(try await broker.streamOperator.forgetLane("a", in: .meters))
            #expect(try await broker.streamInspector.lane("a", window: 3, in: .meters) == nil)
            #expect(try await broker.streamOperator.forgetLane("a", in: .meters) == false)
            let memory = try await broker.memories(of: ["a"], window: 3, in: .meters)
            #expect(memory.map(\.state) == [[]])
            #expect(memory.map(\.window) == [[]])
        }
    }

    @Test(.tags(.i2), arguments: BrokerKind.streamStores)
    func `counts add up and keys are listed by lag and activity`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            try await broker.append("idle", 1)
            try await broker.commit(try await broker.lane())
            clock.advance(by: .seconds(1))
            try await broker.append("parked", 1)
            try await broker.commit(
                try await broker.lane(), 0, .retry(after: .seconds(9), reason: "x"))
            try await broker.append("blocked", 1, 2)
            try await broker.commit(try await broker.lane(), 1, .block(reason: "x"))
            clock.advance(by: .seconds(1))
            try await broker.append("leased", 1, 2, 3)
            _ = try await broker.lane()
            try await broker.append("ready", 1, 2)
            var counts = StreamCounts()
            counts.idle = 1
            counts.ready = 1
            counts.leased = 1
            counts.parked = 1
            counts.blocked = 1
            counts.pending = 7
            counts.appended = 9
            counts.handled = 2
            #expect(try await broker.streamCounts() == counts)
            let inspector = broker.streamInspector
            let byLag = try await inspector.lanes(of: .meters, by: .lag, limit: 3)
            #expect(byLag.map(\.key) == ["leased", "ready", "blocked"])
            #expect(byLag.map(\.pending) == [3, 2, 1])
            #expect(byLag.map(\.phase) == [.leased, .ready, .blocked])
            let byActivity = try await inspector.lanes(of: .meters, by: .activity, limit: 2)
            #expect(byActivity.map(\.key) == ["blocked", "idle"])
            #expect(try await inspector.lanes(of: .other, by: .lag, limit: 3) == [])
        }
    }
}

extension StreamBroker {
    /// A sweep over all keys: one call may look at a part of them.
    func expire(after idle: Duration) async throws -> Int {
        var dropped = 0
        for _ in 0..<4 {
            dropped += try await expireLanes(idleFor: idle, limit: 64, in: .meters)
        }
        return dropped
    }
}
