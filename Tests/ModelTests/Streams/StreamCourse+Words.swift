// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting

extension StreamCourse {
    mutating func runWord() async throws {
        switch roll(0..<100) {
        case 0..<28: try await append()
        case 28..<52: try await reserve()
        case 52..<78: try await settle()
        case 78..<82: try await renew()
        case 82..<87:
            word = "reclaim"
            let limit = chance(30) ? 1 : 64
            let own = book.reclaim(limit, now: now)
            meet(own > 1 ? "reclaim several" : "reclaim \(own)")
            try expect(try await door.reclaim(limit, in: stream), own)
        case 87..<89: try await expire()
        case 89..<91:
            word = "redrive"
            let key = key()
            let own = book.redrive(key)
            meet("redrive \(own)")
            try expect(try await door.broker.streamOperator.redriveLane(key, in: stream), own)
        case 91..<93: try await skip()
        case 93..<95:
            word = "replay"
            let (key, window) = (key(), chance(20) ? 100 : roll(0..<5))
            let own = book.replay(key, window: window)
            meet("replay \(own)")
            try expect(try await door.replay(key, window: window, in: stream), own)
        case 95..<97:
            word = "forget"
            let key = key()
            let own = book.forget(key, now: now)
            meet("forget \(own)")
            try expect(try await door.forget(key, in: stream), own)
        default: try await remember()
        }
    }

    private mutating func append() async throws {
        word = "append"
        var points: [NewPoint] = []
        let common = key()
        for _ in 0..<roll(1..<8) {
            let key = chance(60) ? common : key()
            let id: PointID
            let known = sent[key] ?? []
            switch roll(0..<20) {
            case 0..<3 where !known.isEmpty: id = known[roll(0..<known.count)]
            case 3..<5 where !known.isEmpty:
                id = PointID(rawValue: known[roll(0..<known.count)].rawValue &- 1)
            case 5: id = PointID(now + .seconds(25 * 3600))
            default:
                lastID += UInt64(roll(2..<9))
                id = PointID(rawValue: lastID)
            }
            let body = [UInt8](repeating: UInt8(roll(0..<256)), count: roll(0..<40))
            points.append(NewPoint(key: key, id: id, body: body))
            if id.time <= now + .seconds(3600) { sent[key, default: []].append(id) }
        }
        let options = AppendOptions(
            acceptsLate: chance(80), maxPending: chance(30) ? roll(0..<10) : 100_000,
            isRedrive: chance(10))
        let own = book.append(points, options, now: now)
        for outcome in own { meet("append \(outcome)") }
        try expect(try await door.append(points, options, to: stream), own)
    }

    private mutating func reserve() async throws {
        word = "reserve"
        let request = LaneRequest(
            roll(0..<5), points: roll(1..<8), bytes: chance(30) ? roll(1..<200) : 256 << 10,
            lease: .milliseconds(roll(3000..<20_000)), takesSuspects: chance(40))
        var answer = try await door.reserve(request, from: stream)
        let own = book.reserve(request, now: now) { place in
            // A nonce of the broker's choice, so that tokens are the same on both sides.
            place < answer.lanes.count ? answer.lanes[place].token.nonce : UInt64.max
        }
        for lane in own.lanes {
            if lane.lost >= 2 { meet("reserve a suspect") }
            if lane.attempt > 0 { meet("reserve a failed one") }
            meet("reserve something")
        }
        if own.nextDue != nil { meet("reserve tells what is due") }
        for (index, lane) in answer.lanes.enumerated() where index < own.lanes.count {
            answer.lanes[index].birth = birth(
                lane.birth, of: lane.token.key, own.lanes[index].birth)
        }
        try expect(answer, own)
        taken += answer.lanes
    }

    private mutating func settle() async throws {
        word = "settle"
        var settlements: [LaneSettlement] = []
        let common: LaneEnd? = chance(30) ? end() : nil
        for _ in 0..<roll(1..<5) where !taken.isEmpty {
            let lane = taken[max(0, taken.count - 1 - roll(0..<7))]
            if chance(90), settlements.contains(where: { $0.token.key == lane.token.key }) {
                continue
            }
            settlements.append(settlement(of: lane, common ?? end()))
        }
        // Emissions of a busy target change nothing; the book asks before each lane as stores do.
        let before = ledger
        var ledger = before
        let now = now
        let own = book.settle(
            settlements, now: now, canEmit: { ledger.hasRoom(for: $0.emissions) },
            emit: { ledger.emit($0.emissions, now: now) })
        self.ledger = ledger
        for (settlement, outcome) in zip(settlements, own) {
            meet("settle \(outcome)")
            let name = "\(settlement.end)".prefix { $0 != "(" }
            if outcome == .done { meet("\(name)") }
        }
        try expect(try await door.settle(settlements, in: stream), own)
    }

    private mutating func end() -> LaneEnd {
        switch roll(0..<12) {
        case 0..<6: .next
        case 6, 7: .retry(after: .milliseconds(chance(30) ? 0 : roll(1..<8000)), reason: "failed")
        case 8: .skip
        case 9: .block(reason: chance(20) ? String(repeating: "langer Grund ", count: 60) : "no")
        default: .release
        }
    }

    private mutating func settlement(of lane: LeasedLane, _ end: LaneEnd) -> LaneSettlement {
        let handled = chance(50) ? lane.points.count : roll(0..<lane.points.count + 1)
        var seen = lane.points.prefix(handled).map(\.id)
        if end == .skip, handled < lane.points.count { seen.append(lane.points[handled].id) }
        var settlement = LaneSettlement(
            chance(4) ? LaneToken(key: lane.token.key, nonce: lane.token.nonce ^ 1) : lane.token,
            handled: handled, newest: seen.reduce(lane.newest) { max($0, $1) },
            windowCount: chance(20) ? roll(0..<60) : roll(0..<7), windowBytes: 0, end: end)
        let past = book.memory(of: lane.token.key, window: StreamLimits.window).window
        let sizes = (past + lane.points.prefix(handled)).map(\.size)
        // Why no more: a store may keep a larger window for longer than it must.
        while sizes.suffix(settlement.windowCount).reduce(0, +) > 1024 {
            settlement.windowCount -= 1
        }
        settlement.windowBytes = sizes.suffix(settlement.windowCount).reduce(0, +)
        if chance(60) {
            let size = chance(10) ? roll(500..<3000) : roll(0..<20)
            settlement.state = [UInt8](repeating: UInt8(roll(0..<256)), count: size)
        }
        if chance(30) {
            for _ in 0..<roll(1..<3) { settlement.emissions.append(emission(isDead: end == .skip)) }
        }
        return settlement
    }

    private mutating func emission(isDead: Bool) -> Emission {
        let id = MessageID(
            high: UInt64(now.milliseconds) << 16 | 0x7000 | UInt64(roll(0..<0x1000)),
            low: random.next() >> 2 | 1 << 63)
        let message = NewMessage(id: id, kind: "alert", body: [1, 2, 3])
        return Emission(message, to: chance(70) ? queue : stream, deadReason: isDead ? "bad" : nil)
    }

    private mutating func renew() async throws {
        word = "renew"
        let tokens = taken.suffix(4).map(\.token)
        let lease = Duration.milliseconds(roll(1000..<20_000))
        let own = book.renew(tokens, for: lease, now: now)
        for outcome in own { meet("renew \(outcome)") }
        try expect(try await door.renew(tokens, for: lease, in: stream), own)
    }

    private mutating func expire() async throws {
        word = "expire"
        let idle = Duration.milliseconds(roll(0..<5000))
        let own = book.expire(idleFor: idle, limit: 64, now: now)
        meet(own > 0 ? "expire something" : "expire nothing")
        try expect(
            try await door.broker.expireLanes(idleFor: idle, limit: 64, in: stream), own)
    }

    private mutating func skip() async throws {
        word = "skip"
        let key = key()
        let position = book.lane(key, window: 0)?.summary.position ?? 0
        let wanted = chance(80) ? position : position + 1
        let emission = emission(isDead: true)
        var own = false
        if ledger.hasRoom(for: [emission]) {
            own = book.skip(key, at: wanted, now: now)
            if own { ledger.emit([emission], now: now) }
        }
        meet("skip by hand \(own)")
        try expect(
            try await door.broker.streamOperator.skipPoint(
                of: key, at: wanted, emission, in: stream), own)
    }

    private mutating func remember() async throws {
        word = "memories"
        let keys = Self.keys + ["nobody"]
        let window = chance(30) ? 100 : roll(0..<6)
        var memories = try await door.broker.memories(of: keys, window: window, in: stream)
        let own = keys.map { book.memory(of: $0, window: window) }
        for index in memories.indices {
            memories[index].bytesMoved = 0
            memories[index].birth = birth(memories[index].birth, of: keys[index], own[index].birth)
        }
        try expect(memories, own)
    }
}
