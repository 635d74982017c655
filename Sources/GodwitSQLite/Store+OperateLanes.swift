// SPDX-License-Identifier: Apache-2.0
import Godwit

extension Store {
    /// Blocked or parked → ready at the tail, attempt and lost back to zero.
    func redriveLane(_ key: String, in name: QueueName) throws(StoreFault) -> Bool {
        guard var (stream, lane) = try lane(key, in: name),
            lane.phase == Phase.blocked || lane.phase == Phase.parked
        else { return false }
        lane.attempt = 0
        lane.lost = 0
        joinTail(&lane, &stream)
        try save(lane)
        wake(stream: name)
        put(stream)
        return true
    }

    /// Blocked → ready or idle, its first point passed as a dead letter.
    func skipPoint(
        of key: String, at position: UInt64, _ emission: Emission, in name: QueueName
    ) throws(StoreFault) -> Bool {
        try registerKinds(of: [emission])
        guard var (stream, lane) = try lane(key, in: name), lane.phase == Phase.blocked,
            lane.position == position, try hasRoom(for: [emission])
        else { return false }
        try pass(&lane, &stream)
        rest(&lane, &stream)
        try save(lane)
        try emit([emission])
        wake(stream: name)
        put(stream)
        return true
    }

    /// The kept window goes back before what waits and the state is forgotten.
    func replayLane(
        _ key: String, window: Int, in name: QueueName
    ) throws(StoreFault) -> Bool {
        guard var (stream, lane) = try lane(key, in: name), lane.phase != Phase.leased,
            window > 0, lane.kept > 0
        else { return false }
        let again = min(Int64(window), lane.kept)
        let place = try placeBefore(again, in: lane)
        lane.first = place
        try trim(&lane)
        // Why moved: a gap that a skipped point left must not lie among those that wait.
        try closeGaps(&lane, again)
        lane.head = lane.first
        lane.kept = 0
        lane.position -= UInt64(again)
        lane.clearDebt()
        stream.births += 1
        lane.birth = stream.births
        stream.pending += again
        try setState([], of: &lane)
        if lane.phase != Phase.ready { joinTail(&lane, &stream) }
        try save(lane)
        wake(stream: name)
        put(stream)
        return true
    }

    /// Idle → gone.
    func forgetLane(_ key: String, in name: QueueName) throws(StoreFault) -> Bool {
        guard let (found, lane) = try lane(key, in: name), lane.phase == Phase.idle else {
            return false
        }
        var stream = found
        try drop(lane, &stream)
        put(stream)
        return true
    }

    /// The place of the `count`th point from the end of the window.
    private func placeBefore(_ count: Int64, in lane: LaneRow) throws(StoreFault) -> Int64 {
        let select = try streamSQL().placeBefore
        select.bind(1, lane.number)
        select.bind(2, lane.first)
        select.bind(3, lane.head)
        select.bind(4, count - 1)
        defer { select.reset() }
        return try select.step() ? select.int(0) : lane.first
    }

    /// Moves the window's last `count` points up to the first that waits, without a gap between.
    private func closeGaps(_ lane: inout LaneRow, _ count: Int64) throws(StoreFault) {
        var target = lane.head - 1
        guard lane.head - lane.first > count else { return }
        let sql = try streamSQL()
        var places: [Int64] = []
        sql.places.bind(1, lane.number)
        sql.places.bind(2, lane.first)
        sql.places.bind(3, lane.head)
        while try sql.places.step() { places.append(sql.places.int(0)) }
        sql.places.reset()
        for place in places {
            if place != target {
                sql.movePoint.bind(1, target)
                sql.movePoint.bind(2, lane.number)
                sql.movePoint.bind(3, place)
                try sql.movePoint.run()
            }
            target -= 1
        }
        lane.first = target + 1
        lane.bottom = lane.first
    }
}
