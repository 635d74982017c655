// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import Godwit

/// What a ``Store`` knows of streams during a transaction, and what never changes between them.
struct StreamRows {
    /// Nil until the first word on a stream.
    var statements: StreamStatements?
    /// Streams that this transaction has read, and whether it changed them.
    fileprivate var states: [(state: StreamState, isDirty: Bool)] = []
    /// Streams in which a lane may be ready, or due earlier than thought, after the commit.
    fileprivate(set) var woken: [QueueName] = []
    /// Emptied when a transaction is rolled back.
    fileprivate var numbers: [QueueName: Int64] = [:]

    mutating func begin() {
        states.removeAll(keepingCapacity: true)
        woken.removeAll(keepingCapacity: true)
    }

    mutating func rollback() { numbers.removeAll() }
}

extension Store {
    /// The statements of streams, prepared by the first who asks.
    func streamSQL() throws(StoreFault) -> StreamStatements {
        if let statements = streams.statements { return statements }
        let statements = try StreamStatements(in: database)
        streams.statements = statements
        return statements
    }

    /// The stream as this transaction sees it; nil when nobody ever appended to it.
    func find(stream name: QueueName) throws(StoreFault) -> StreamState? {
        let sql = try streamSQL()
        if let number = streams.numbers[name] { return try load(stream: number) }
        sql.findStream.bind(1, text: name.text)
        let number = try sql.findStream.step() ? sql.findStream.int(0) : nil
        sql.findStream.reset()
        guard let number else { return nil }
        streams.numbers[name] = number
        return try load(stream: number)
    }

    /// The stream as this transaction sees it, registered when it is new.
    func open(stream name: QueueName) throws(StoreFault) -> StreamState {
        if let state = try find(stream: name) { return state }
        let insert = try streamSQL().insertStream
        StreamState(number: 0).save(into: insert)
        let count = Int32(StreamState.columns.count)
        insert.bindNull(count + 1)
        insert.bind(count + 2, text: name.text)
        try insert.run()
        let number = sqlite3_last_insert_rowid(database)
        streams.numbers[name] = number
        return try load(stream: number)
    }

    /// Puts a changed stream back; it is written before the commit.
    func put(_ state: StreamState) {
        for index in streams.states.indices where streams.states[index].state.number == state.number
        {
            streams.states[index] = (state, true)
        }
    }

    func wake(stream name: QueueName) {
        if !streams.woken.contains(name) { streams.woken.append(name) }
    }

    /// Writes the streams that changed; a part of ``flush()``.
    func flushStreams() throws(StoreFault) {
        for index in streams.states.indices where streams.states[index].isDirty {
            streams.states[index].state.clock = max(streams.states[index].state.clock, now)
            let update = try streamSQL().updateStream
            streams.states[index].state.save(into: update)
            try update.run()
        }
    }

    private func load(stream number: Int64) throws(StoreFault) -> StreamState {
        for stream in streams.states where stream.state.number == number { return stream.state }
        let select = try streamSQL().selectStream
        select.bind(1, number)
        defer { select.reset() }
        guard try select.step() else {
            throw .sqlite(code: SQLITE_CORRUPT, message: "the row of stream \(number) is gone")
        }
        let state = StreamState { select.int($0) }
        // As for queues: a clock that was set back by a little gives out no times in the past.
        if state.clock > now, state.clock - now <= 60_000 { now = state.clock }
        streams.states.append((state, false))
        return state
    }

    // MARK: Lanes

    /// The lane of a key; nil when there is none.
    func lane(_ key: [UInt8], _ stream: Int64) throws(StoreFault) -> LaneRow? {
        let select = try streamSQL().selectLane
        select.bind(1, stream)
        select.bind(2, copy: key)
        defer { select.reset() }
        return try select.step() ? LaneRow(from: select) : nil
    }

    func lane(_ key: String, in name: QueueName) throws(StoreFault) -> (StreamState, LaneRow)? {
        guard let stream = try find(stream: name),
            let lane = try lane([UInt8](key.utf8), stream.number)
        else { return nil }
        return (stream, lane)
    }

    /// The lanes of one phase, first in order, up to a moment where that phase has one.
    func lanes(
        _ select: Statement, _ stream: Int64, _ bound: Int64, _ limit: Int
    ) throws(StoreFault) -> [LaneRow] {
        var lanes: [LaneRow] = []
        select.bind(1, stream)
        select.bind(2, bound)
        select.bind(3, limit)
        while try select.step() { lanes.append(LaneRow(from: select)) }
        select.reset()
        return lanes
    }

    /// Writes all of a lane but its key and state.
    func save(_ lane: LaneRow) throws(StoreFault) {
        let update = try streamSQL().saveLane
        update.bind(1, lane.phase)
        update.bind(2, lane.order)
        update.bind(3, lane.turn)
        update.bind(4, Int64(bitPattern: lane.nonce))
        update.bind(5, lane.attempt)
        update.bind(6, lane.lost)
        update.bind(7, Int64(bitPattern: lane.position))
        update.bind(8, lane.bottom)
        update.bind(9, lane.first)
        update.bind(10, lane.kept)
        update.bind(11, lane.head)
        update.bind(12, lane.next)
        update.bind(13, lane.newest.stored)
        update.bind(14, lane.last.stored)
        if let handledAt = lane.handledAt {
            update.bind(15, handledAt)
        } else {
            update.bindNull(15)
        }
        if let reason = lane.reason { update.bind(16, copy: reason) } else { update.bindNull(16) }
        update.bind(17, lane.birth)
        update.bind(18, lane.number)
        try update.run()
    }

    /// Writes the state of a lane, in its row or aside by its size.
    func setState(_ bytes: [UInt8], of lane: inout LaneRow) throws(StoreFault) {
        let sql = try streamSQL()
        let isLarge = bytes.count > Schema.inlineBody
        if isLarge {
            sql.insertLargeState.bind(1, lane.number)
            sql.insertLargeState.bind(2, copy: bytes)
            try sql.insertLargeState.run()
        } else if lane.hasLargeState {
            sql.deleteLargeState.bind(1, lane.number)
            try sql.deleteLargeState.run()
        }
        if isLarge, lane.hasLargeState { return }
        if isLarge {
            sql.saveState.bind(1, 1)
        } else if bytes.isEmpty {
            sql.saveState.bindNull(1)
        } else {
            sql.saveState.bind(1, copy: bytes)
        }
        sql.saveState.bind(2, lane.number)
        try sql.saveState.run()
        lane.hasLargeState = isLarge
    }

    /// Moves a lane to a phase, in memory; the caller saves it.
    func move(
        _ lane: inout LaneRow, to phase: Int64, order: Int64, turn: Int64 = 0,
        _ stream: inout StreamState
    ) {
        stream.count(lane.phase, -1)
        lane.phase = phase
        lane.order = order
        lane.turn = turn
        stream.count(phase, 1)
    }

    /// → ready behind all others.
    func joinTail(_ lane: inout LaneRow, _ stream: inout StreamState) {
        stream.tail += 1
        move(
            &lane, to: lane.isSuspect ? Phase.suspect : Phase.ready, order: stream.tail, &stream)
    }

    /// → ready at the tail, or idle when nothing waits.
    func rest(_ lane: inout LaneRow, _ stream: inout StreamState) {
        if lane.pending > 0 { return joinTail(&lane, &stream) }
        // A key of which nothing was ever handled does not grow old.
        move(&lane, to: Phase.idle, order: lane.handledAt ?? Int64.max, &stream)
    }
}
