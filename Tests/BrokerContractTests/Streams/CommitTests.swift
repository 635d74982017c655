// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

@Suite struct `Commit: position, window, state and messages advance in one step` {
    @Test(.tags(.i7), arguments: BrokerKind.streamStores)
    func `handled points enter the window, the rest waits`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            try await broker.append("a", 1, 2, 3, 4, 5)
            clock.advance(by: .seconds(1))
            let lane = try await broker.lane()
            #expect(try await broker.commit(lane, 2, state: "two") == .done)
            #expect(try await broker.window("a") == [1, 2])
            #expect(try await broker.waiting("a") == [3, 4, 5])
            #expect(try await broker.state("a") == "two")
            let record = try await broker.record("a")
            #expect(record.summary.position == 2)
            #expect(record.summary.handledAt == clock.now())
            let next = try await broker.lane()
            #expect(next.position == 2)
            #expect(next.newest == .number(2))
            #expect(next.numbers == [3, 4, 5])
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.streamStores)
    func `the window keeps the last N handled points and no more`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            for number in 1...20 {
                try await broker.append("a", number)
                try await broker.commit(try await broker.lane(), window: 3)
                let expected = Array(max(1, number - 2)...number)
                #expect(try await broker.window("a", 3) == expected)
            }
            #expect(try await broker.record("a").summary.position == 20)
        }
    }

    @Test(.tags(.i7), arguments: BrokerKind.streamStores)
    func `what is loaded of a key says at which position it is`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            try await broker.append("a", 1, 2, 3)
            let old = try await broker.lane(points: 1)
            var memory = try await broker.memories(of: ["a"], window: 3, in: .meters)[0]
            #expect(memory.position == old.position && memory.birth == old.birth)
            clock.advance(by: .seconds(31))
            try await broker.reclaimLanes(64, in: .meters)
            try await broker.commit(try await broker.lane(), state: "newer")
            memory = try await broker.memories(of: ["a"], window: 3, in: .meters)[0]
            #expect(memory.position == old.position + 1, "whose lease was lost can see it")
            #expect(memory.birth == old.birth)
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `a large window keeps what it should`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            for start in stride(from: 0, to: 600, by: 16) {
                let points = (start..<start + 16).map { NewPoint.point("a", $0 + 1) }
                _ = try await broker.append(points, to: .meters, options: AppendOptions())
                try await broker.commit(try await broker.lane(), window: 100)
                let last = start + 16
                #expect(try await broker.window("a", 100) == Array(max(1, last - 99)...last))
            }
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `a window of nothing keeps nothing`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1, 2)
            try await broker.commit(try await broker.lane(), window: 0)
            #expect(try await broker.window("a") == [])
            #expect(try await broker.append("a", 3) == [.appended])
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.streamStores)
    func `a stale token changes nothing, and only its own entry fails`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            try await broker.append("a", 1)
            try await broker.append("b", 1)
            let old = try await broker.lanes()
            clock.advance(by: .seconds(31))
            #expect(try await broker.reclaimLanes(64, in: .meters) == 2)
            let current = try await broker.lanes()
            #expect(current.map(\.key) == ["a", "b"])
            let before = try await broker.view()
            for end in [
                LaneEnd.next, .retry(after: .zero, reason: "x"), .skip, .block(reason: "x"),
                .release,
            ] {
                let outcome = try await broker.commit(
                    old[0], end == .next ? 1 : 0, state: "stale", end, emit: [.message(1)])
                #expect(outcome == .stale)
            }
            #expect(try await broker.view() == before)
            #expect(try await broker.counts(of: .alerts).enqueued == 0)
            let mixed = [old[0], current[1]].map { lane in
                LaneSettlement(
                    lane.token, handled: 1, newest: .number(1), windowCount: 3,
                    windowBytes: lane.points[0].size, end: .next)
            }
            #expect(try await broker.settleLanes(mixed, in: .meters) == [.stale, .done])
            #expect(try await broker.phase("a") == .leased)
            #expect(try await broker.phase("b") == .idle)
            #expect(try await broker.commit(current[1]) == .stale, "a commit is done once")
        }
    }

    @Test(.tags(.i7), arguments: BrokerKind.streamStores)
    func `messages go out with the commit or not at all`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            try await broker.append("a", 1)
            let lane = try await broker.lane()
            let emissions = [Emission.message(1), .message(2, to: .other)]
            #expect(try await broker.commit(lane, state: "s", emit: emissions) == .done)
            #expect(try await broker.reserve(from: .alerts).numbers == [1])
            #expect(try await broker.reserve(from: .other).numbers == [2])
            try await broker.append("a", 2)
            let second = try await broker.lane()
            #expect(try await broker.commit(second, emit: [.message(1)]) == .done)
            #expect(try await broker.counts(of: .alerts).enqueued == 1, "a known id adds nothing")
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.streamStores)
    func `a full target holds the commit back, and it changes nothing`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            var settings = QueueSettings()
            settings.maxMessages = 1
            try await broker.operator.apply(settings, to: .alerts)
            try await broker.append("a", 1)
            let lane = try await broker.lane()
            let emissions = [Emission.message(1), .message(2)]
            #expect(try await broker.commit(lane, state: "s", emit: emissions) == .targetBusy)
            #expect(try await broker.phase("a") == .leased)
            #expect(try await broker.state("a") == "")
            #expect(try await broker.counts(of: .alerts).enqueued == 0)
            #expect(try await broker.commit(lane, emit: [.message(1)]) == .done)
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.streamStores)
    func `a skipped point is a dead letter with its bytes, and its key goes on`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1, 2, 3)
            let lane = try await broker.lane()
            let letter = Emission.message(7, to: .meters, dead: "unreadable")
            #expect(try await broker.commit(lane, 1, state: "one", .skip, emit: [letter]) == .done)
            #expect(try await broker.window("a") == [1], "the window never sees it")
            #expect(try await broker.waiting("a") == [3])
            #expect(try await broker.record("a").summary.position == 2)
            let dead = try await broker.record(7, in: .meters)
            #expect(dead.state == .dead)
            #expect(dead.reason == "unreadable")
            #expect(try await broker.numbers(.dead, in: .meters) == [7])
            #expect(try await broker.streamCounts().dead == 1)
            #expect(try await broker.lane().numbers == [3])
            #expect(try await broker.append("a", 2) == [.appendedLate])
            let outcome = try await broker.operator.redrive([Sample.id(7)], in: .meters)
            #expect(outcome == [.redriven])
            #expect(try await broker.reserve(from: .meters).numbers == [7])
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.streamStores)
    func `a failed point keeps its key waiting, one point at a time`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, clock) async throws in
            try await broker.append("a", 1, 2, 3)
            let end = LaneEnd.retry(after: .seconds(10), reason: "timeout")
            try await broker.commit(try await broker.lane(), 1, end)
            var record = try await broker.record("a")
            #expect(record.summary.phase == .parked)
            #expect(record.summary.attempt == 1)
            #expect(record.reason == "timeout")
            #expect(record.due == clock.now() + .seconds(10))
            let reservation = try await broker.reserveLanes(LaneRequest(1), from: .meters)
            #expect(reservation.lanes.isEmpty)
            #expect(reservation.nextDue == clock.now() + .seconds(10))
            clock.advance(by: .seconds(9))
            #expect(try await broker.lanes().isEmpty, "never early")
            clock.advance(by: .seconds(1))
            let again = try await broker.lane()
            #expect(again.numbers == [2])
            #expect(again.attempt == 1)
            try await broker.commit(again, 0, end)
            record = try await broker.record("a")
            #expect(record.summary.attempt == 2)
            clock.advance(by: .seconds(10))
            try await broker.commit(try await broker.lane())
            record = try await broker.record("a")
            #expect(record.summary.attempt == 0, "a point that passes leaves no debt")
            #expect(record.reason == "")
            #expect(try await broker.lane().numbers == [3])
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `a released lane stands first again and no attempt is used`(
        kind: BrokerKind
    ) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            for key in ["a", "b", "c"] { try await broker.append(key, 1, 2) }
            let taken = try await broker.lanes(2)
            let settlements = taken.map {
                LaneSettlement(
                    $0.token, handled: 1, newest: .number(1), windowCount: 3,
                    windowBytes: $0.points[0].size, end: .release)
            }
            #expect(try await broker.settleLanes(settlements, in: .meters) == [.done, .done])
            let again = try await broker.lanes()
            #expect(again.map(\.key) == ["a", "b", "c"])
            #expect(again.map(\.numbers) == [[2], [2], [1, 2]])
            #expect(again.map(\.attempt) == [0, 0, 0])
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `one trip commits and reserves`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1, 2)
            let lane = try await broker.lane(points: 1)
            let settlement = LaneSettlement(
                lane.token, handled: 1, newest: .number(1), state: [1], windowCount: 3,
                windowBytes: lane.points[0].size, end: .next)
            let both = await broker.settleLanes(
                [settlement], thenReserve: LaneRequest(4), from: .meters)
            #expect(try both.settled.get() == [.done])
            #expect(try both.reserved.get().lanes.map(\.numbers) == [[2]])
        }
    }

    @Test(arguments: BrokerKind.streamStores)
    func `state and window are bounded`(kind: BrokerKind) async throws {
        try await withStreams(kind) { (broker, _) async throws in
            try await broker.append("a", 1)
            let lane = try await broker.lane()
            await expectInvalid {
                try await broker.commit(lane, state: String(repeating: "s", count: (64 << 10) + 1))
            }
            await expectInvalid { try await broker.commit(lane, window: 10_001) }
            #expect(try await broker.phase("a") == .leased)
        }
    }
}
