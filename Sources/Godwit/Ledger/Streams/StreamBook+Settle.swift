// SPDX-License-Identifier: Apache-2.0
import DequeModule

extension StreamBook {
    /// Leased → where each end sends the lane; a token that is not the current one changes nothing.
    ///
    /// `canEmit` says whether the emissions of an entry have room; they go out when its outcome is
    /// `done`, by `emit`.
    package mutating func settle(
        _ settlements: [LaneSettlement], now: Timestamp, canEmit: (LaneSettlement) -> Bool,
        emit: (LaneSettlement) -> Void
    ) -> [SettleOutcome] {
        var outcomes: [SettleOutcome] = []
        var released: [Int] = []
        for settlement in settlements {
            guard let number = holder(of: settlement.token) else {
                outcomes.append(.stale)
                continue
            }
            if !canEmit(settlement) {
                outcomes.append(.targetBusy)
                continue
            }
            settle(settlement, number, now, &released)
            emit(settlement)
            outcomes.append(.done)
        }
        returnToHead(released)
        return outcomes
    }

    private mutating func settle(
        _ settlement: LaneSettlement, _ number: Int, _ now: Timestamp, _ released: inout [Int]
    ) {
        guard var lane = lanes[number] else { return }
        leased.remove(number)
        let handled = min(settlement.handled, lane.pending.count)
        for point in lane.pending.prefix(handled) {
            lane.window.append(point)
            lane.newest = max(lane.newest, point.id)
        }
        lane.pending.removeFirst(handled)
        lane.position += UInt64(handled)
        if handled > 0 {
            lane.attempt = 0
            lane.lost = 0
            lane.reason = ""
            lane.handledAt = now
            tally.handled += handled
            lane.window.removeFirst(max(0, lane.window.count - settlement.windowCount))
        }
        if let state = settlement.state { lane.state = state }
        let end = lane.pending.isEmpty ? .next : settlement.end
        switch end {
        case .next: break
        case .skip: Self.pass(&lane, now, &tally)
        case .retry(let delay, let reason):
            lane.attempt = min(255, lane.attempt + 1)
            lane.reason = reason.cut(to: Event.textBytes)
            lane.phase = .parked
            lane.due = Timestamp.moment(delay, after: now)
            parked.insert(number)
        case .block(let reason):
            lane.attempt = min(255, lane.attempt + 1)
            lane.reason = reason.cut(to: Event.textBytes)
            lane.phase = .blocked
            lane.due = now
            blocked.insert(number)
        case .release:
            lane.phase = .ready
            released.append(number)
        }
        if end == .next || end == .skip {
            lane.phase = lane.pending.isEmpty ? .idle : .ready
            if lane.phase == .ready {
                if lane.isSuspect { suspects.append(number) } else { ready.append(number) }
            }
        }
        lanes[number] = lane
    }

    /// The first waiting point is given up: the position passes it, the window never sees it.
    static func pass(_ lane: inout Lane, _ now: Timestamp, _ tally: inout StreamCounts) {
        guard let point = lane.pending.popFirst() else { return }
        lane.handledAt = now
        lane.newest = max(lane.newest, point.id)
        lane.position += 1
        lane.attempt = 0
        lane.lost = 0
        lane.reason = ""
        tally.dead += 1
    }

    // MARK: renew, reclaim, expire

    /// Extends leases to `lease` from now; never shortens one.
    package mutating func renew(
        _ tokens: [LaneToken], for lease: Duration, now: Timestamp
    ) -> [SettleOutcome] {
        tokens.map { token in
            guard let number = holder(of: token), let due = lanes[number]?.due else {
                return .stale
            }
            lanes[number]?.due = max(due, Timestamp.moment(lease, after: now))
            return .done
        }
    }

    /// Takes back leases that ran out, oldest deadline first.
    package mutating func reclaim(_ limit: Int, now: Timestamp) -> Int {
        let expired = leased.filter { (lanes[$0]?.due ?? now) <= now }
            .sorted { left, right in
                guard let left = lanes[left], let right = lanes[right] else { return false }
                return (left.due, left.order) < (right.due, right.order)
            }
            .prefix(min(limit, Ledger.upkeepLimit))
        for number in expired {
            leased.remove(number)
            let lost = lanes[number]?.lost ?? 0
            lanes[number]?.lost = min(255, lost + 1)
        }
        returnToHead(Array(expired))
        return expired.count
    }

    /// Drops keys that have been idle for longer than `idle`.
    package mutating func expire(idleFor idle: Duration, limit: Int, now: Timestamp) -> Int {
        let old = lanes.filter { _, lane in
            guard lane.phase == .idle, let handledAt = lane.handledAt else { return false }
            return now - handledAt > idle
        }
        .keys.sorted().prefix(min(limit, Ledger.upkeepLimit))
        for number in old { drop(number, now) }
        return old.count
    }
}
