// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import Godwit

extension Store {
    /// Nothing → waiting, each point by itself, in their order.
    func append(
        _ points: ArraySlice<NewPoint>, to name: QueueName, _ options: AppendOptions
    ) throws(StoreFault) -> [AppendOutcome] {
        var stream = try open(stream: name)
        var touched = Touched()
        var outcomes: [AppendOutcome] = []
        outcomes.reserveCapacity(points.count)
        for point in points {
            outcomes.append(try append(point, options, &stream, &touched))
        }
        for (lane, isMoved) in touched.lanes {
            if isMoved {
                try save(lane)
            } else {
                let grow = try streamSQL().growLane
                grow.bind(1, lane.next)
                grow.bind(2, lane.last.stored)
                grow.bind(3, lane.number)
                try grow.run()
            }
        }
        if !touched.lanes.isEmpty { wake(stream: name) }
        put(stream)
        return outcomes
    }

    /// The lanes of one append, each read once and written once.
    private struct Touched {
        var lanes: [(row: LaneRow, isMoved: Bool)] = []
        var places: [[UInt8]: Int] = [:]
        /// The order that a key gets when its lane becomes ready: by the first point that names it.
        var turns: [[UInt8]: Int64] = [:]
    }

    private func append(
        _ point: NewPoint, _ options: AppendOptions, _ stream: inout StreamState,
        _ touched: inout Touched
    ) throws(StoreFault) -> AppendOutcome {
        let key = [UInt8](point.key.utf8)
        if touched.turns[key] == nil {
            stream.tail += 1
            touched.turns[key] = stream.tail
        }
        if point.id.time - Timestamp(milliseconds: now) > StreamLimits.ahead { return .ahead }
        var place = touched.places[key]
        var found: LaneRow?
        if let place {
            found = touched.lanes[place].row
        } else {
            found = try lane(key, stream.number)
        }
        var lane = found ?? LaneRow(key: key)
        let isLate = point.id <= lane.last
        if isLate {
            // Why also the newest: it is the first that a producer sends again, and its key may have
            // a window of nothing.
            if point.id == lane.last, lane.last != .none, !options.isRedrive { return .duplicate }
            if found != nil, try holds(point.id, lane) { return .duplicate }
            if !options.acceptsLate { return .late }
        }
        if lane.pending >= options.maxPending { return .full }
        var isMoved = false
        if found == nil {
            stream.idle += 1
            stream.births += 1
            lane.birth = stream.births
            move(&lane, to: Phase.ready, order: touched.turns[key] ?? stream.tail, &stream)
            lane.number = try insert(lane, stream.number)
        } else if lane.phase == Phase.idle {
            move(&lane, to: Phase.ready, order: touched.turns[key] ?? stream.tail, &stream)
            isMoved = true
        }
        try insert(point, isLate ? lane.last : nil, lane)
        lane.next += 1
        if isLate { stream.late += 1 } else { lane.last = point.id }
        stream.appended += 1
        stream.pending += 1
        if place == nil {
            place = touched.lanes.count
            touched.places[key] = place
            touched.lanes.append((lane, isMoved))
        }
        if let place {
            touched.lanes[place].row = lane
            touched.lanes[place].isMoved = touched.lanes[place].isMoved || isMoved
        }
        return isLate ? .appendedLate : .appended
    }

    private func insert(_ lane: LaneRow, _ stream: Int64) throws(StoreFault) -> Int64 {
        let insert = try streamSQL().insertLane
        insert.bind(1, stream)
        insert.bind(2, copy: lane.key)
        insert.bind(3, lane.phase)
        insert.bind(4, lane.order)
        insert.bind(5, lane.birth)
        try insert.run()
        return sqlite3_last_insert_rowid(database)
    }

    private func insert(
        _ point: NewPoint, _ newest: PointID?, _ lane: LaneRow
    ) throws(StoreFault) {
        let insert = try streamSQL().insertPoint
        insert.bind(1, lane.number)
        insert.bind(2, lane.next)
        insert.bind(3, point.id.stored)
        if let newest { insert.bind(4, newest.stored) } else { insert.bindNull(4) }
        insert.bind(5, copy: point.body)
        try insert.run()
    }

    /// Whether the window or what waits has this id (I12).
    ///
    /// Points that came in time rise with their places and are found by halving; a late one counts
    /// there as what was newest before it, and has an index of its own.
    private func holds(_ id: PointID, _ lane: LaneRow) throws(StoreFault) -> Bool {
        let sql = try streamSQL()
        var low = lane.first
        var high = lane.next
        while low < high {
            let middle = low + (high - low) / 2
            sql.probePoint.bind(1, lane.number)
            sql.probePoint.bind(2, middle)
            guard try sql.probePoint.step() else {
                sql.probePoint.reset()
                high = middle
                continue
            }
            let place = sql.probePoint.int(0)
            let own = PointID(stored: sql.probePoint.int(1))
            let isLate = !sql.probePoint.isNull(2)
            let top = isLate ? PointID(stored: sql.probePoint.int(2)) : own
            sql.probePoint.reset()
            if !isLate, own == id { return true }
            if top < id { low = place + 1 } else { high = middle }
        }
        sql.findLate.bind(1, lane.number)
        sql.findLate.bind(2, id.stored)
        sql.findLate.bind(3, lane.first)
        defer { sql.findLate.reset() }
        return try sql.findLate.step()
    }
}
