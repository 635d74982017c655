// SPDX-License-Identifier: Apache-2.0
import Godwit

extension Store {
    /// Leased → leased, later deadline; never an earlier one.
    func renewLanes(
        _ tokens: [LaneToken], for lease: Duration, in name: QueueName
    ) throws(StoreFault) -> [SettleOutcome] {
        guard let stream = try find(stream: name) else { return tokens.map { _ in .stale } }
        let deadline = Timestamp.milliseconds(lease, after: now)
        var outcomes: [SettleOutcome] = []
        outcomes.reserveCapacity(tokens.count)
        for token in tokens {
            guard var lane = try lane([UInt8](token.key.utf8), stream.number),
                lane.isHeld(by: token.nonce)
            else {
                outcomes.append(.stale)
                continue
            }
            if lane.order < deadline {
                lane.order = deadline
                try save(lane)
            }
            outcomes.append(.done)
        }
        return outcomes
    }

    /// Lease ran out → ready at the head, in the order they were handed out.
    func reclaimLanes(_ limit: Int, in name: QueueName) throws(StoreFault) -> Int {
        guard limit > 0, var stream = try find(stream: name), stream.leased > 0 else { return 0 }
        let expired = try lanes(
            streamSQL().pickLost, stream.number, now, min(limit, Upkeep.limit))
        if expired.isEmpty { return 0 }
        stream.head -= Int64(expired.count)
        for (index, lane) in expired.enumerated() {
            var lane = lane
            lane.lost = min(255, lane.lost + 1)
            move(
                &lane, to: lane.isSuspect ? Phase.suspect : Phase.ready,
                order: stream.head + Int64(index), &stream)
            try save(lane)
        }
        wake(stream: name)
        put(stream)
        return expired.count
    }

    /// Idle for too long → gone, the longest idle first.
    func expireLanes(
        idleFor idle: Duration, _ limit: Int, in name: QueueName
    ) throws(StoreFault) -> Int {
        guard limit > 0, var stream = try find(stream: name), stream.idle > 0 else { return 0 }
        let cut = (Timestamp(milliseconds: now) + (.zero - idle)).milliseconds
        let old = try lanes(streamSQL().pickIdle, stream.number, cut, min(limit, Upkeep.limit))
        for lane in old { try drop(lane, &stream) }
        if !old.isEmpty { put(stream) }
        return old.count
    }

    /// → gone: window, state and memory of ids; the key joins the dropped ones.
    func drop(_ lane: LaneRow, _ stream: inout StreamState) throws(StoreFault) {
        let sql = try streamSQL()
        try deletePoints(of: lane, from: lane.bottom, to: lane.next)
        if lane.hasLargeState {
            sql.deleteLargeState.bind(1, lane.number)
            try sql.deleteLargeState.run()
        }
        sql.deleteLane.bind(1, lane.number)
        try sql.deleteLane.run()
        stream.count(lane.phase, -1)
        stream.dropped += 1
        let insert = sql.insertDropped
        insert.bind(1, stream.number)
        insert.bind(2, stream.dropped)
        insert.bind(3, copy: lane.key)
        insert.bind(4, Int64(bitPattern: lane.position))
        if let handledAt = lane.handledAt { insert.bind(5, handledAt) } else { insert.bindNull(5) }
        insert.bind(6, now)
        try insert.run()
        sql.deleteDropped.bind(1, stream.number)
        sql.deleteDropped.bind(2, stream.dropped - Int64(StreamLimits.droppedKept))
        try sql.deleteDropped.run()
    }
}
