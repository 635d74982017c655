// SPDX-License-Identifier: Apache-2.0
import Godwit

extension Store {
    /// Ready → leased.
    func reserveLanes(
        _ request: LaneRequest, from name: QueueName
    ) throws(StoreFault) -> LaneReservation {
        let found = try find(stream: name)
        // Why here: a clock that was set back has been put right by reading the stream.
        let deadline = Timestamp.milliseconds(request.lease, after: now)
        guard var stream = found else {
            return LaneReservation(
                now: Timestamp(milliseconds: now), deadline: Timestamp(milliseconds: deadline),
                lanes: [])
        }
        let hasPromoted = try promoteLanes(&stream)
        var pick = Pick(deadline: deadline, nonce: random.next() << 8)
        let most = min(request.lanes, StreamLimits.lanes)
        if request.takesSuspects, most > 0, stream.suspects > 0 {
            try take(Phase.suspect, 1, request, &pick, &stream)
        } else if most > 0, stream.ready > 0 {
            try take(Phase.ready, most, request, &pick, &stream)
        }
        var answer = LaneReservation(
            now: Timestamp(milliseconds: now), deadline: Timestamp(milliseconds: pick.deadline),
            lanes: pick.taken, suspectsWaiting: Int(stream.suspects))
        if pick.taken.isEmpty { answer.nextDue = try nextDueLane(stream) }
        if hasPromoted || !pick.taken.isEmpty { put(stream) }
        return answer
    }

    /// What one reserve has taken so far.
    private struct Pick {
        let deadline: Int64
        /// Its last 8 bits tell the lanes of one call apart.
        let nonce: UInt64
        var bytes = 0
        var taken: [LeasedLane] = []
    }

    private func take(
        _ phase: Int64, _ most: Int, _ request: LaneRequest, _ pick: inout Pick,
        _ stream: inout StreamState
    ) throws(StoreFault) {
        // Why two passes: the update takes rows out of the very index that the select walks.
        for var lane in try lanes(streamSQL().pickLanes, stream.number, phase, most) {
            let hasFailed = lane.attempt > 0 || lane.lost > 0
            let count = hasFailed ? 1 : max(1, min(request.points, StreamLimits.pointsPerLane))
            let points = try self.points(lane, count, request.bytes, &pick.bytes)
            if points.isEmpty { return }
            stream.leases += 1
            lane.nonce = pick.nonce | UInt64(pick.taken.count)
            move(
                &lane, to: Phase.leased, order: pick.deadline, turn: stream.leases, &stream)
            try save(lane)
            pick.taken.append(
                LeasedLane(
                    token: LaneToken(
                        key: String(decoding: lane.key, as: UTF8.self), nonce: lane.nonce),
                    position: lane.position, birth: UInt32(truncatingIfNeeded: lane.birth),
                    newest: lane.newest, attempt: Int(lane.attempt),
                    lost: Int(lane.lost), points: points))
        }
    }

    /// The first waiting points, up to `limit` bytes over all lanes of the answer.
    private func points(
        _ lane: LaneRow, _ count: Int, _ limit: Int, _ bytes: inout Int
    ) throws(StoreFault) -> [StoredPoint] {
        let select = try streamSQL().pickPoints
        var points: [StoredPoint] = []
        points.reserveCapacity(min(count, Int(lane.pending)))
        select.bind(1, lane.number)
        select.bind(2, lane.head)
        select.bind(3, count)
        defer { select.reset() }
        while try select.step() {
            let isLate = !select.isNull(1)
            let body = select.raw(2)
            let size = StoredPoint.size(ofBody: body.count, isLate: isLate)
            if bytes > 0, bytes + size > limit { break }
            bytes += size
            points.append(
                StoredPoint(
                    id: PointID(stored: select.int(0)), isLate: isLate, body: [UInt8](body)))
        }
        return points
    }

    /// Parked → ready at the tail, what is due, in due order.
    private func promoteLanes(_ stream: inout StreamState) throws(StoreFault) -> Bool {
        guard stream.parked > 0 else { return false }
        let due = try lanes(streamSQL().pickParked, stream.number, now, Upkeep.limit)
        for var lane in due {
            joinTail(&lane, &stream)
            try save(lane)
        }
        return !due.isEmpty
    }

    private func nextDueLane(_ stream: StreamState) throws(StoreFault) -> Timestamp? {
        guard stream.parked > 0 else { return nil }
        return try lanes(streamSQL().pickParked, stream.number, Int64.max, 1).first.map {
            Timestamp(milliseconds: $0.order)
        }
    }
}
