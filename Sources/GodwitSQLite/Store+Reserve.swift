// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import Godwit

extension Store {
    /// Ready → leased.
    func reserve(
        _ request: ReserveRequest, from name: QueueName
    ) throws(StoreFault) -> Reservation {
        var queue = try open(name)
        let promoted = try promote(Upkeep.limit, &queue)
        let deadline = Timestamp.milliseconds(request.lease, after: now)
        var reservation = Reservation(
            now: Timestamp(milliseconds: now), deadline: Timestamp(milliseconds: deadline),
            messages: [])
        var pick = Pick(
            count: min(request.count, queue.leasesLeft), bytes: request.bytes,
            nonce: UInt64(request.worker) << 32 | random.next() >> 32, deadline: deadline)
        pick.free = request.freeSlots ?? pick.count
        turn &+= 1
        if pick.count > 0, queue.ready > 0 {
            try take(request, &pick, &queue)
        }
        reservation.messages = pick.taken
        reservation.suspectsWaiting = Int(queue.suspects)
        if pick.taken.isEmpty {
            if let due = try nextDue(queue.number) {
                reservation.nextDue = Timestamp(milliseconds: due)
            }
        }
        if promoted > 0 || pick.hasChanged { put(queue) }
        return reservation
    }

    /// What one reserve has taken so far.
    private struct Pick {
        var count: Int
        var bytes: Int
        var free = 0
        let nonce: UInt64
        let deadline: Int64
        var taken: [LeasedMessage] = []
        var hasChanged = false

        init(count: Int, bytes: Int, nonce: UInt64, deadline: Int64) {
            self.count = count
            self.bytes = bytes
            self.nonce = nonce
            self.deadline = deadline
        }
    }

    private func take(
        _ request: ReserveRequest, _ pick: inout Pick, _ queue: inout QueueState
    ) throws(StoreFault) {
        let asked = request.kinds.map { Set($0.map(\.hash)) }
        if request.takesSuspects, queue.suspects > 0 {
            let (all, free) = (pick.count, pick.free)
            pick.count = 1
            pick.free = 1
            try takeBands(from: Lane.suspects, to: Lane.suspects << 1, asked, &pick, &queue)
            if !pick.taken.isEmpty { return }
            pick.count = all
            pick.free = free
        }
        if queue.ready > queue.suspects {
            try takeBands(from: 0, to: Lane.suspects, asked, &pick, &queue)
        }
    }

    /// Band by band, the lanes of one band in turn.
    private func takeBands(
        from first: Int64, to end: Int64, _ asked: Set<UInt32>?, _ pick: inout Pick,
        _ queue: inout QueueState
    ) throws(StoreFault) {
        var next = try lane(after: first - 1, before: end, queue.number)
        while let start = next {
            var lanes: [Int64] = []
            let band = Lane.band(start)
            next = start
            while let lane = next, Lane.band(lane) == band {
                if asked?.contains(Lane.kind(lane)) ?? true { lanes.append(lane) }
                if asked?.count == 1, let kind = asked?.first, lanes.isEmpty,
                    Lane.kind(lane) < kind
                {
                    next = try self.lane(
                        after: (band << 32 | Int64(kind)) - 1, before: end, queue.number)
                } else if asked?.count == 1 {
                    // Nothing else of this band can be meant.
                    next = nil
                    break
                } else {
                    next = try self.lane(after: lane, before: end, queue.number)
                }
            }
            for index in lanes.indices {
                let lane = lanes[(index + turn) % lanes.count]
                if try take(from: lane, &pick, &queue) { return }
            }
            if next == nil, asked?.count == 1 {
                next = try self.lane(after: band << 32 | 0xFFFF_FFFF, before: end, queue.number)
            }
        }
    }

    /// The first lane after `lane` that holds something.
    private func lane(
        after lane: Int64, before end: Int64, _ queue: Int64
    ) throws(StoreFault) -> Int64? {
        sql.nextLane.bind(1, queue)
        sql.nextLane.bind(2, lane)
        defer { sql.nextLane.reset() }
        guard try sql.nextLane.step() else { return nil }
        let found = sql.nextLane.int(0)
        return found < end ? found : nil
    }

    /// Takes from one lane until it is empty; true when the reserve is full.
    private func take(
        from lane: Int64, _ pick: inout Pick, _ queue: inout QueueState
    ) throws(StoreFault) -> Bool {
        // Why two passes: the update takes rows out of the very index that the select walks.
        var rows: [(key: Key, token: LeaseToken, aside: Int64, body: [UInt8]?, number: Int64)] = []
        rows.reserveCapacity(min(pick.count - pick.taken.count, Int(queue.ready)))
        var isFull = false
        let select = sql.pickLane
        select.bind(1, queue.number)
        select.bind(2, lane)
        select.bind(3, pick.count - pick.taken.count)
        while try select.step() {
            let key = Key(high: select.int(0), low: select.int(1))
            guard let kept = Tail.token(key, select.raw(2)) else {
                select.reset()
                throw damaged(key)
            }
            let entry = kept.entry
            let place = pick.taken.count + rows.count
            if (place > 0 && entry.sizeBound > pick.bytes)
                || (entry.maxAttempts == 1 && place >= pick.free)
            {
                isFull = true
                break
            }
            pick.bytes -= entry.sizeBound
            let aside = select.int(3)
            let isLarge = aside & Aside.body != 0
            rows.append(
                (
                    key,
                    LeaseToken(
                        entry: entry, executedAt: Timestamp(milliseconds: now), nonce: pick.nonce),
                    aside, isLarge || select.isNull(4) ? nil : select.bytes(4),
                    isLarge ? select.int(4) : 0
                ))
        }
        select.reset()
        for row in rows {
            pick.hasChanged = true
            queue.ready -= 1
            if lane >= Lane.suspects { queue.suspects -= 1 }
            var body = row.body
            if row.number != 0 { body = try self.body(row.number) }
            guard let body else {
                try bury(payloadLost: row.key, row.token.entry, row.aside, &queue)
                continue
            }
            let update = sql.lease
            update.bind(1, QueueState.middle + Int64(pick.taken.count))
            update.bind(2, pick.deadline)
            update.bind(4, id: row.key.pair)
            update.bind(6, queue.number)
            try row.token.withTail { (tail) throws(StoreFault) in
                update.bind(3, pinned: tail)
                try update.run()
            }
            queue.leased += 1
            pick.taken.append(
                LeasedMessage(
                    token: row.token, body: body,
                    checkpoint: row.aside & Aside.row == 0
                        ? nil : try aside(row.key, queue.number)?.checkpoint))
        }
        return isFull || pick.taken.count >= pick.count
    }

    /// A message whose bytes are gone can't be worked: it ends in the dead letters, and says so.
    private func bury(
        payloadLost key: Key, _ entry: Entry, _ aside: Int64, _ queue: inout QueueState
    ) throws(StoreFault) {
        var row = MessageRow(
            key: key, state: Stage.ready, at: 0, letter: Letter.none, aside: aside & Aside.row,
            token: .unused(entry))
        try requeue(
            &row, Stage.dead, queue.tail, now, Letter.none, "payload lost", queue.number)
        try freeUnique(row, queue.number)
        queue.dead += 1
        queue.note(.payloadLost, row.token, "payload lost")
    }

    func nextDue(_ queue: Int64) throws(StoreFault) -> Int64? {
        sql.pickDue.bind(1, queue)
        sql.pickDue.bind(2, Int64.max)
        sql.pickDue.bind(3, 1)
        defer { sql.pickDue.reset() }
        return try sql.pickDue.step() ? sql.pickDue.int(2) : nil
    }
}

extension QueueState {
    /// How many leases may still be given out.
    var leasesLeft: Int {
        if paused != 0 { return 0 }
        return settings.maxLeased.map { max(0, $0 - Int(leased)) } ?? .max
    }
}
