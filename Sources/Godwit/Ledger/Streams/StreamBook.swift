// SPDX-License-Identifier: Apache-2.0
import DequeModule

/// One stream as a pure value: what every broker must do with lanes, without a store or a clock.
///
/// Each word takes the time and says what became of each entry. Emissions are not its business: who
/// holds the books of queues puts them there when, and only when, the lane's commit was `done`.
package struct StreamBook: Sendable {
    /// What is kept of a key.
    struct Lane: Sendable {
        var key: String
        var phase = LanePhase.idle
        var position: UInt64 = 0
        var birth: UInt32 = 0
        /// The newest id among the handled ones.
        var newest = PointID.none
        var attempt = 0
        var lost = 0
        var reason = ""
        var state: [UInt8] = []
        var window = Deque<StoredPoint>()
        var pending = Deque<StoredPoint>()
        var nonce: UInt64 = 0
        /// Rises with each lease: which of two was handed out first.
        var order: UInt64 = 0
        /// End of the lease, of the parking, or since when it is blocked.
        var due = Timestamp(milliseconds: 0)
        var handledAt: Timestamp?

        /// The newest id of all.
        var last: PointID {
            pending.lazy.filter { !$0.isLate }.last.map { max($0.id, newest) } ?? newest
        }

        var isSuspect: Bool { lost >= 2 }
    }

    var lanes: [Int: Lane] = [:]
    var numbers: [String: Int] = [:]
    private var nextNumber = 0
    var ready = Deque<Int>()
    var suspects = Deque<Int>()
    var leased: Set<Int> = []
    var parked: Set<Int> = []
    var blocked: Set<Int> = []
    var leases: UInt64 = 0
    var births: UInt32 = 0
    var tally = StreamCounts()
    var dropped = Deque<DroppedKey>()

    package init() {}

    // MARK: append

    /// Nothing → waiting, each point by itself, in their order.
    package mutating func append(
        _ points: [NewPoint], _ options: AppendOptions, now: Timestamp
    ) -> [AppendOutcome] {
        // Which lane came up when: idle ones join the tail in this order.
        var named: [String: Int] = [:]
        var moved: [(number: Int, place: Int)] = []
        let outcomes = points.map { point in
            let place = named[point.key] ?? named.count
            named[point.key] = place
            return append(point, options, now) { moved.append(($0, place)) }
        }
        moved.sort { $0.place < $1.place }
        ready += moved.map(\.number)
        return outcomes
    }

    private mutating func append(
        _ point: NewPoint, _ options: AppendOptions, _ now: Timestamp, moves: (Int) -> Void
    ) -> AppendOutcome {
        if point.id.time - now > StreamLimits.ahead { return .ahead }
        let known = numbers[point.key]
        var lane = known.flatMap { lanes[$0] } ?? Lane(key: point.key)
        let last = lane.last
        let isLate = point.id <= last
        if isLate {
            // Why also the newest: it is the first that a producer sends again, and its key may have
            // a window of nothing.
            if point.id == last, last != .none, !options.isRedrive { return .duplicate }
            let holds =
                lane.pending.contains { $0.id == point.id }
                || lane.window.contains { $0.id == point.id }
            if holds { return .duplicate }
            if !options.acceptsLate { return .late }
        }
        if lane.pending.count >= options.maxPending { return .full }
        lane.pending.append(StoredPoint(id: point.id, isLate: isLate, body: point.body))
        let number = known ?? nextNumber
        if known == nil {
            nextNumber += 1
            numbers[point.key] = number
            births &+= 1
            lane.birth = births
        }
        if lane.phase == .idle {
            lane.phase = .ready
            moves(number)
        }
        lanes[number] = lane
        tally.appended += 1
        if isLate { tally.late += 1 }
        return isLate ? .appendedLate : .appended
    }

    // MARK: reserve

    /// Ready → leased. `nonce` is unique for each lane of each call.
    package mutating func reserve(
        _ request: LaneRequest, now: Timestamp, nonce: (Int) -> UInt64
    ) -> LaneReservation {
        promote(now)
        let deadline = Timestamp.moment(request.lease, after: now)
        var answer = LaneReservation(now: now, deadline: deadline, lanes: [])
        var bytes = 0
        if request.takesSuspects, request.lanes > 0, let number = suspects.popFirst() {
            lease(number, request, deadline, nonce(0), &bytes, &answer)
        } else {
            while answer.lanes.count < min(request.lanes, StreamLimits.lanes),
                let number = ready.first
            {
                guard lease(number, request, deadline, nonce(answer.lanes.count), &bytes, &answer)
                else { break }
                ready.removeFirst()
            }
        }
        answer.suspectsWaiting = suspects.count
        if answer.lanes.isEmpty {
            answer.nextDue = parked.compactMap { lanes[$0]?.due }.min()
        }
        return answer
    }

    /// False when not even one point fits into the bytes that are left.
    @discardableResult
    private mutating func lease(
        _ number: Int, _ request: LaneRequest, _ deadline: Timestamp, _ nonce: UInt64,
        _ bytes: inout Int, _ answer: inout LaneReservation
    ) -> Bool {
        guard var lane = lanes[number] else { return true }
        let failed = lane.attempt > 0 || lane.lost > 0
        let most = failed ? 1 : max(1, min(request.points, StreamLimits.pointsPerLane))
        var points: [StoredPoint] = []
        for point in lane.pending.prefix(most) {
            if bytes > 0, bytes + point.size > request.bytes { break }
            bytes += point.size
            points.append(point)
        }
        if points.isEmpty { return false }
        leases += 1
        lane.phase = .leased
        lane.nonce = nonce
        lane.order = leases
        lane.due = deadline
        lanes[number] = lane
        leased.insert(number)
        answer.lanes.append(
            LeasedLane(
                token: LaneToken(key: lane.key, nonce: nonce), position: lane.position,
                birth: lane.birth, newest: lane.newest, attempt: lane.attempt, lost: lane.lost,
                points: points))
        return true
    }

    /// Parked lanes that are due join the tail, in due order, then by key.
    mutating func promote(_ now: Timestamp) {
        if parked.isEmpty { return }
        let due = parked.filter { (lanes[$0]?.due ?? now) <= now }
            .sorted { left, right in
                guard let left = lanes[left], let right = lanes[right] else { return false }
                if left.due != right.due { return left.due < right.due }
                return left.key.utf8.lexicographicallyPrecedes(right.key.utf8)
            }
        for number in due.prefix(Ledger.upkeepLimit) {
            parked.remove(number)
            joinTail(number)
        }
    }

    mutating func joinTail(_ number: Int) {
        guard let isSuspect = lanes[number]?.isSuspect else { return }
        lanes[number]?.phase = .ready
        if isSuspect { suspects.append(number) } else { ready.append(number) }
    }

    /// Puts them before all others; the first of `returned` stands first.
    mutating func returnToHead(_ returned: [Int]) {
        for number in returned.reversed() {
            guard let isSuspect = lanes[number]?.isSuspect else { continue }
            lanes[number]?.phase = .ready
            if isSuspect { suspects.prepend(number) } else { ready.prepend(number) }
        }
    }

    // MARK: keys

    /// The number of the lane whose lease this token is; nil when it is nobody's (I3).
    func holder(of token: LaneToken) -> Int? {
        guard let number = numbers[token.key], let lane = lanes[number], lane.phase == .leased,
            lane.nonce == token.nonce
        else { return nil }
        return number
    }

    mutating func drop(_ number: Int, _ now: Timestamp) {
        guard let lane = lanes.removeValue(forKey: number) else { return }
        numbers[lane.key] = nil
        tally.dropped += 1
        if dropped.count >= StreamLimits.droppedKept { dropped.removeLast() }
        dropped.prepend(
            DroppedKey(
                key: lane.key, position: lane.position, handledAt: lane.handledAt, droppedAt: now))
    }
}
