// SPDX-License-Identifier: Apache-2.0
import DequeModule

extension StreamBook {
    /// Blocked or parked → ready at the tail, attempt and lost back to zero.
    package mutating func redrive(_ key: String) -> Bool {
        guard let number = numbers[key], leaveSide(number) else { return false }
        lanes[number]?.attempt = 0
        lanes[number]?.lost = 0
        joinTail(number)
        return true
    }

    /// Blocked → ready or idle, its first point passed.
    package mutating func skip(_ key: String, at position: UInt64, now: Timestamp) -> Bool {
        guard let number = numbers[key], var lane = lanes[number], lane.phase == .blocked,
            lane.position == position
        else { return false }
        blocked.remove(number)
        Self.pass(&lane, now, &tally)
        lane.phase = .idle
        let waits = !lane.pending.isEmpty
        lanes[number] = lane
        if waits { joinTail(number) }
        return true
    }

    /// The kept window goes back before what waits and the state is forgotten.
    package mutating func replay(_ key: String, window: Int) -> Bool {
        guard let number = numbers[key], var lane = lanes[number], lane.phase != .leased else {
            return false
        }
        let again = Array(lane.window.suffix(window))
        if again.isEmpty { return false }
        lane.window = []
        lane.state = []
        lane.position -= UInt64(again.count)
        births &+= 1
        lane.birth = births
        for point in again.reversed() { lane.pending.prepend(point) }
        lane.attempt = 0
        lane.lost = 0
        lane.reason = ""
        let wasIdle = lane.phase == .idle
        lanes[number] = lane
        if wasIdle {
            joinTail(number)
        } else if leaveSide(number) {
            joinTail(number)
        } else if let place = suspects.firstIndex(of: number) {
            suspects.remove(at: place)
            joinTail(number)
        }
        return true
    }

    /// Idle → gone.
    package mutating func forget(_ key: String, now: Timestamp) -> Bool {
        guard let number = numbers[key], lanes[number]?.phase == .idle else { return false }
        drop(number, now)
        return true
    }

    private mutating func leaveSide(_ number: Int) -> Bool {
        parked.remove(number) != nil || blocked.remove(number) != nil
    }

    // MARK: reads

    package var counts: StreamCounts {
        var counts = tally
        counts.ready = ready.count + suspects.count
        counts.leased = leased.count
        counts.parked = parked.count
        counts.blocked = blocked.count
        counts.idle = lanes.count - counts.ready - leased.count - parked.count - blocked.count
        counts.pending = lanes.values.reduce(0) { $0 + $1.pending.count }
        return counts
    }

    package var hasReady: Bool { !ready.isEmpty || !suspects.isEmpty }
    package var nextDue: Timestamp? { parked.compactMap { lanes[$0]?.due }.min() }

    package func lanes(by order: LaneOrder, limit: Int) -> [LaneSummary] {
        let all = lanes.values.map { $0.summary }
        return Array(all.sorted(by: order.precedes).prefix(max(0, limit)))
    }

    package func lane(_ key: String, window: Int) -> LaneRecord? {
        guard let number = numbers[key], let lane = lanes[number] else { return nil }
        let hasDue = lane.phase != .idle && lane.phase != .ready
        return LaneRecord(
            summary: lane.summary, reason: lane.reason, due: hasDue ? lane.due : nil,
            memory: memory(of: key, window: window), pending: Array(lane.pending.prefix(100)))
    }

    package func memory(of key: String, window: Int) -> LaneMemory {
        guard let number = numbers[key], let lane = lanes[number] else { return LaneMemory() }
        return LaneMemory(
            position: lane.position, birth: lane.birth,
            window: Array(lane.window.suffix(window)), state: lane.state)
    }

    package var droppedKeys: [DroppedKey] { Array(dropped) }

    /// What does not fit together; empty when all is well.
    package func check() -> [String] {
        var problems: [String] = []
        for (number, lane) in lanes {
            let places = [
                ready.contains(number) || suspects.contains(number), leased.contains(number),
                parked.contains(number), blocked.contains(number),
            ]
            let expected: [LanePhase] = [.ready, .leased, .parked, .blocked]
            for (isThere, phase) in zip(places, expected) where isThere != (lane.phase == phase) {
                problems.append("key '\(lane.key)' is \(lane.phase) and its index says otherwise")
            }
            if lane.pending.isEmpty != (lane.phase == .idle) {
                problems.append("key '\(lane.key)' is \(lane.phase) with \(lane.pending.count)")
            }
        }
        return problems.sorted()
    }
}

extension StreamBook.Lane {
    var summary: LaneSummary {
        LaneSummary(
            key: key, phase: phase, pending: pending.count, position: position, attempt: attempt,
            lost: lost, handledAt: handledAt)
    }
}

extension LaneOrder {
    /// Ties by key, so that a list of keys stands still.
    package var precedes: (LaneSummary, LaneSummary) -> Bool {
        switch self {
        case .lag: { ($1.pending, $0.key) < ($0.pending, $1.key) }
        case .activity:
            {
                let left = $0.handledAt?.milliseconds ?? .min
                let right = $1.handledAt?.milliseconds ?? .min
                return (right, $0.key) < (left, $1.key)
            }
        }
    }
}
