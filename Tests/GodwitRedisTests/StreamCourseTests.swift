// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import GodwitTesting
import TestRedis
import Testing

/// Random words on Redis and on the memory broker, which is the model: both answer the same and look
/// the same after each.
@Suite(.timeLimit(.minutes(3))) struct `Streams on Redis do as the model does` {
    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func `a course of random words`(_ seed: UInt64) async throws {
        try await withServer { server in
            let clock = VirtualClock()
            let redis = try await RedisBroker(server.url, time: clock)
            var course = Course(
                clock: clock, redis: redis, model: MemoryBroker(time: clock),
                random: Random(state: seed))
            do {
                for step in 0..<400 where course.isGood {
                    try await course.step()
                    if step % 5 == 0 { try await course.compare() }
                }
                try await course.compare()
                #expect(try await redis.check(stream: "s", limit: 1000) == [], "seed \(seed)")
            } catch {
                await redis.shutdown()
                throw error
            }
            await redis.shutdown()
        }
    }
}

private struct Random: RandomNumberGenerator {
    var state: UInt64

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

private struct Course {
    let clock: VirtualClock
    let redis: RedisBroker
    let model: MemoryBroker
    var random: Random
    /// The same leases, of both; also those that ran out.
    var leased: [(redis: LeasedLane, model: LeasedLane)] = []
    var fresh = 1000
    var number = 0
    var isGood = true
    var story: [String] = []

    mutating func roll(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

    mutating func key() -> String { "k\(roll(6))" }

    mutating func expect(_ isSame: Bool, _ what: @autoclosure () -> String) {
        if isSame || !isGood { return }
        isGood = false
        Issue.record("\(what())\nafter \(story.suffix(12).joined(separator: "\n"))")
    }

    mutating func step() async throws {
        switch roll(20) {
        case 0..<6: try await append()
        case 6..<10: try await reserve()
        case 10..<15: try await settle()
        case 15: clock.advance(by: .milliseconds(roll(8000)))
        case 16: try await reclaim()
        case 17: try await renew()
        case 18: try await operate()
        default: try await expire()
        }
        clock.advance(by: .milliseconds(1))
    }

    mutating func append() async throws {
        var points: [NewPoint] = []
        var options = AppendOptions(acceptsLate: roll(4) > 0, maxPending: 8)
        if roll(3) == 0 {
            // Several keys, none of their points refused.
            options = AppendOptions()
            for _ in 0..<1 + roll(8) {
                fresh += 1
                points.append(point(key(), fresh))
            }
        } else {
            let name = key()
            for _ in 0..<1 + roll(5) {
                fresh += 1
                let id = roll(3) == 0 ? fresh - roll(60) : roll(30) == 0 ? 400_000_000 : fresh
                points.append(point(name, id))
            }
        }
        story.append("append \(points.map { "\($0.key) \($0.id)" }) \(options)")
        let found = try await redis.append(points, to: "s", options: options)
        let expected = try await model.append(points, to: "s", options: options)
        expect(found == expected, "append \(found) instead of \(expected)")
    }

    func point(_ key: String, _ id: Int) -> NewPoint {
        let start: Int64 = 1_700_000_000_000
        return NewPoint(
            key: key, id: PointID(Timestamp(milliseconds: start + Int64(id))),
            body: Array(repeating: UInt8(truncatingIfNeeded: id), count: id % 20))
    }

    mutating func reserve() async throws {
        let request = LaneRequest(
            1 + roll(4), points: 1 + roll(6), bytes: roll(4) == 0 ? 60 : 4096,
            lease: .milliseconds(1000 + roll(9000)), takesSuspects: roll(2) == 0)
        story.append("reserve \(request)")
        let found = try await redis.reserveLanes(request, from: "s")
        let expected = try await model.reserveLanes(request, from: "s")
        expect(found.bare == expected.bare, "reserve \(found) instead of \(expected)")
        leased += zip(found.lanes, expected.lanes).map { ($0, $1) }
    }

    mutating func settle() async throws {
        var ours: [LaneSettlement] = []
        var theirs: [LaneSettlement] = []
        for _ in 0..<1 + roll(3) where !leased.isEmpty {
            let place = roll(leased.count)
            // Some stay, so that their tokens come again and are stale.
            let lane = roll(8) == 0 ? leased[place] : leased.remove(at: place)
            let handled = roll(lane.redis.points.count + 1)
            let left = handled < lane.redis.points.count
            let end: LaneEnd =
                switch roll(left ? 7 : 1) {
                case 1: .retry(after: .milliseconds(roll(3000)), reason: "late \(place)")
                case 2: .skip
                case 3: .block(reason: "broken")
                case 4: .release
                default: .next
                }
            var emissions: [Emission] = []
            if roll(4) == 0 {
                number += roll(2)
                let id = MessageID(high: 0x0190_0000_0000_7000, low: UInt64(number))
                let message = NewMessage(id: id, kind: "mail", body: [1, 2])
                emissions.append(
                    Emission(message, to: "alerts", deadReason: roll(2) == 0 ? "given up" : nil))
            }
            let done = lane.redis.points.prefix(handled)
            let kept =
                try await model.memories(of: [lane.redis.token.key], window: 4, in: "s")[0].window
            var settlement = LaneSettlement(
                lane.redis.token, handled: handled,
                newest: done.map(\.id).reduce(lane.redis.newest) { max($0, $1) },
                state: roll(2) == 0
                    ? nil : Array(repeating: UInt8(roll(256)), count: [0, 5, 42, 43, 90][roll(5)]),
                windowCount: 4,
                windowBytes: (kept + done).suffix(4).reduce(0) { $0 + $1.size }, end: end,
                emissions: emissions)
            ours.append(settlement)
            settlement.token = lane.model.token
            theirs.append(settlement)
        }
        story.append("settle \(ours)")
        let found = try await redis.settleLanes(ours, in: "s")
        let expected = try await model.settleLanes(theirs, in: "s")
        expect(found == expected, "settle \(found) instead of \(expected)")
    }

    mutating func reclaim() async throws {
        let limit = 1 + roll(4)
        story.append("reclaim \(limit)")
        let found = try await redis.reclaimLanes(limit, in: "s")
        let expected = try await model.reclaimLanes(limit, in: "s")
        expect(found == expected, "reclaim \(found) instead of \(expected)")
    }

    mutating func renew() async throws {
        let lease = Duration.milliseconds(1000 + roll(9000))
        story.append("renew \(leased.map(\.redis.token.key)) \(lease)")
        let found = try await redis.renewed(leased.map(\.redis.token), for: lease)
        let expected = try await model.renewed(leased.map(\.model.token), for: lease)
        expect(found == expected, "renew \(found) instead of \(expected)")
    }

    mutating func operate() async throws {
        let name = key()
        let word = roll(4)
        let record = try await model.lane(name, window: 4, in: "s")
        let position = (record?.summary.position ?? 0) + (roll(4) == 0 ? 1 : 0)
        let window = roll(5)
        number += 1
        let letter = Emission(
            NewMessage(
                id: MessageID(high: 0x0190_0000_0000_7000, low: UInt64(number)), kind: "mail",
                body: [3]), to: "s", deadReason: "by hand")
        story.append("operate \(word) \(name) \(position) \(window)")
        func move(_ door: any StreamOperator) async throws -> Bool {
            switch word {
            case 0: try await door.redriveLane(name, in: "s")
            case 1: try await door.skipPoint(of: name, at: position, letter, in: "s")
            case 2: try await door.replayLane(name, window: window, in: "s")
            default: try await door.forgetLane(name, in: "s")
            }
        }
        let found = try await move(redis)
        let expected = try await move(model)
        expect(found == expected, "operate \(found) instead of \(expected)")
    }

    mutating func expire() async throws {
        let idle = Duration.milliseconds(roll(30_000))
        story.append("expire \(idle)")
        let found = try await redis.expireLanes(idleFor: idle, limit: 64, in: "s")
        let expected = try await model.expireLanes(idleFor: idle, limit: 64, in: "s")
        expect(found == expected, "expire \(found) instead of \(expected)")
    }

    mutating func compare() async throws {
        let found = try await redis.counts(ofStream: "s")
        let expected = try await model.counts(ofStream: "s")
        expect(found == expected, "counts \(found) instead of \(expected)")
        for order in LaneOrder.allCases {
            let found = try await redis.lanes(of: "s", by: order, limit: 4)
            let expected = try await model.lanes(of: "s", by: order, limit: 4)
            expect(found == expected, "\(order): \(found) instead of \(expected)")
        }
        for number in 0..<6 {
            var found = try await redis.lane("k\(number)", window: 4, in: "s")
            let expected = try await model.lane("k\(number)", window: 4, in: "s")
            found?.memory.bytesMoved = 0
            expect(
                found == expected,
                "lane \(String(describing: found)) instead of \(String(describing: expected))")
        }
        for queue in ["s", "alerts"] as [QueueName] {
            let found = try await redis.inspector.counts(of: queue)
            let expected = try await model.inspector.counts(of: queue)
            expect(found == expected, "\(queue): \(found) instead of \(expected)")
            let complaints = try await redis.check(queue, limit: 1000)
            expect(complaints.isEmpty, "\(complaints)")
        }
        // Of one sweep the order is the store's.
        func dropped(_ inspector: any StreamInspector) async throws -> Set<DroppedKey> {
            Set(try await inspector.droppedKeys(of: "s"))
        }
        let isSame = try await dropped(redis) == dropped(model)
        expect(isSame, "other keys were dropped")
    }
}

extension LaneReservation {
    /// Without what each store makes for itself.
    fileprivate var bare: LaneReservation {
        var bare = self
        for index in lanes.indices {
            bare.lanes[index].token = LaneToken(key: lanes[index].token.key, nonce: 0)
        }
        return bare
    }
}

extension StreamBroker {
    fileprivate func renewed(
        _ tokens: [LaneToken], for lease: Duration
    ) async throws -> [SettleOutcome] {
        try await withCheckedThrowingContinuation { continuation in
            renewLanes(tokens, for: lease, in: "s") { continuation.resume(with: $0) }
        }
    }
}
