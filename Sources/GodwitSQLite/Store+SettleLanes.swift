// SPDX-License-Identifier: Apache-2.0
import Godwit

extension Store {
    /// Points that a lane may hold below its window before they are taken out of the file.
    static let trimSlack: Int64 = 32

    /// Leased → where each end sends the lane; a token that is not the current one changes nothing.
    func settleLanes(
        _ settlements: [LaneSettlement], in name: QueueName
    ) throws(StoreFault) -> [SettleOutcome] {
        guard var stream = try find(stream: name) else {
            return settlements.map { _ in .stale }
        }
        // Why before all: a refusal must find nothing changed.
        for settlement in settlements { try registerKinds(of: settlement.emissions) }
        var outcomes: [SettleOutcome] = []
        outcomes.reserveCapacity(settlements.count)
        // Why counted first: released lanes stand at the head in the order of their tokens.
        var place = stream.head - Int64(settlements.count)
        stream.head = place
        for settlement in settlements {
            let key = [UInt8](settlement.token.key.utf8)
            guard var lane = try lane(key, stream.number),
                lane.isHeld(by: settlement.token.nonce)
            else {
                outcomes.append(.stale)
                continue
            }
            guard try hasRoom(for: settlement.emissions) else {
                outcomes.append(.targetBusy)
                continue
            }
            try settle(settlement, &lane, &place, &stream)
            try emit(settlement.emissions)
            outcomes.append(.done)
        }
        wake(stream: name)
        put(stream)
        return outcomes
    }

    private func settle(
        _ settlement: LaneSettlement, _ lane: inout LaneRow, _ place: inout Int64,
        _ stream: inout StreamState
    ) throws(StoreFault) {
        if settlement.handled > 0, lane.pending > 0 {
            try advance(&lane, settlement, &stream)
        }
        if let state = settlement.state { try setState(state, of: &lane) }
        switch lane.pending > 0 ? settlement.end : .next {
        case .next:
            rest(&lane, &stream)
        case .skip:
            try pass(&lane, &stream)
            rest(&lane, &stream)
        case .retry(let delay, let reason):
            lane.fail(reason)
            move(
                &lane, to: Phase.parked, order: Timestamp.milliseconds(delay, after: now),
                turn: lane.keyTurn, &stream)
        case .block(let reason):
            lane.fail(reason)
            move(&lane, to: Phase.blocked, order: now, &stream)
        case .release:
            move(
                &lane, to: lane.isSuspect ? Phase.suspect : Phase.ready, order: place, &stream)
            place += 1
        }
        try save(lane)
    }

    /// The first `handled` points enter the window, and what is too much leaves it.
    private func advance(
        _ lane: inout LaneRow, _ settlement: LaneSettlement, _ stream: inout StreamState
    ) throws(StoreFault) {
        let handled = min(Int64(settlement.handled), lane.pending)
        lane.head += handled
        lane.kept += handled
        lane.position += UInt64(handled)
        // Nothing is newer than the newest of all, whatever the caller believes.
        lane.newest = min(max(lane.newest, settlement.newest), lane.last)
        lane.clearDebt()
        lane.handledAt = now
        stream.handled += handled
        stream.pending -= handled
        let excess = lane.kept - Int64(settlement.windowCount)
        if excess > 0 {
            let isWhole = lane.kept == lane.head - lane.first
            lane.first =
                isWhole
                ? lane.first + excess
                : try placeAfter(excess, in: lane) ?? lane.head
            lane.kept -= excess
        }
        if lane.first - lane.bottom >= Self.trimSlack { try trim(&lane) }
    }

    /// Takes what is below the window out of the file.
    func trim(_ lane: inout LaneRow) throws(StoreFault) {
        try deletePoints(of: lane, from: lane.bottom, to: lane.first)
        lane.bottom = lane.first
    }

    func deletePoints(
        of lane: LaneRow, from start: Int64, to end: Int64
    ) throws(StoreFault) {
        let delete = try streamSQL().deletePoints
        delete.bind(1, lane.number)
        delete.bind(2, start)
        delete.bind(3, end)
        try delete.run()
    }

    /// Where a skipped point left a gap, places and points of the window are not the same number.
    private func placeAfter(_ count: Int64, in lane: LaneRow) throws(StoreFault) -> Int64? {
        let select = try streamSQL().placeAfter
        select.bind(1, lane.number)
        select.bind(2, lane.first)
        select.bind(3, lane.head)
        select.bind(4, count)
        defer { select.reset() }
        return try select.step() ? select.int(0) : nil
    }

    /// The first waiting point is given up: the position passes it, the window never sees it.
    func pass(_ lane: inout LaneRow, _ stream: inout StreamState) throws(StoreFault) {
        let probe = try streamSQL().probePoint
        probe.bind(1, lane.number)
        probe.bind(2, lane.head)
        if try probe.step() {
            lane.newest = max(lane.newest, PointID(stored: probe.int(1)))
        }
        probe.reset()
        try deletePoints(of: lane, from: lane.head, to: lane.head + 1)
        lane.head += 1
        if lane.kept == 0 { lane.first = lane.head }
        lane.position += 1
        lane.clearDebt()
        // A key grows old from here too: one whose points are all given up is dropped like any other.
        lane.handledAt = now
        stream.dead += 1
        stream.pending -= 1
    }
}

extension LaneRow {
    /// Its first point failed once more.
    fileprivate mutating func fail(_ reason: String) {
        attempt = min(255, attempt + 1)
        self.reason = [UInt8](reason.cut(to: Event.textBytes).utf8)
    }
}
