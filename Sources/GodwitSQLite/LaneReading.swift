// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import GRDB
import Godwit

/// Windows, states and waiting points of lanes, read with SQLite's own calls: a worker that takes
/// over many keys loads thousands of points.
struct LaneReading {
    private let selectLane, selectState, selectLargeState, selectWindow, selectPending: Statement

    static let texts: [(name: String, sql: String)] = [
        (
            "read: lane",
            "SELECT \(LaneRow.columns) FROM lane INDEXED BY lane_key WHERE stream = ? AND key = ?"
        ),
        ("read: state", "SELECT state FROM lane WHERE number = ?"),
        ("read: large state", "SELECT bytes FROM lane_state WHERE lane = ?"),
        (
            "read: window",
            """
            SELECT id, late, body FROM point WHERE lane = ? AND place >= ? AND place < ?
            ORDER BY place DESC LIMIT ?
            """
        ),
        (
            "read: pending",
            """
            SELECT id, late, body FROM point WHERE lane = ? AND place >= ? AND place < ?
            ORDER BY place LIMIT ?
            """
        ),
    ]

    init(_ database: Database) throws(StoreFault) {
        guard let connection = database.sqliteConnection else { throw .closed }
        var made: [Statement] = []
        do throws(StoreFault) {
            for text in Self.texts { made.append(try Statement(text.sql, in: connection)) }
        } catch {
            for statement in made { statement.finalize() }
            throw error
        }
        selectLane = made[0]
        selectState = made[1]
        selectLargeState = made[2]
        selectWindow = made[3]
        selectPending = made[4]
    }

    func finalize() {
        for statement in [selectLane, selectState, selectLargeState, selectWindow, selectPending] {
            statement.finalize()
        }
    }

    func lane(_ key: String, _ stream: Int64) throws(StoreFault) -> LaneRow? {
        selectLane.bind(1, stream)
        selectLane.bind(2, utf8: key)
        defer { selectLane.reset() }
        return try selectLane.step() ? LaneRow(from: selectLane) : nil
    }

    func memory(_ lane: LaneRow, _ window: Int) throws(StoreFault) -> LaneMemory {
        var memory = LaneMemory(
            position: lane.position, birth: UInt32(truncatingIfNeeded: lane.birth),
            state: try state(lane))
        if window > 0, lane.kept > 0 {
            memory.window = try points(selectWindow, lane, lane.first, lane.head, window)
            memory.window.reverse()
        }
        memory.bytesMoved = memory.window.reduce(memory.state.count) { $0 + $1.size }
        return memory
    }

    func pending(_ lane: LaneRow, _ limit: Int) throws(StoreFault) -> [StoredPoint] {
        try points(selectPending, lane, lane.head, lane.next, limit)
    }

    private func state(_ lane: LaneRow) throws(StoreFault) -> [UInt8] {
        let select = lane.hasLargeState ? selectLargeState : selectState
        select.bind(1, lane.number)
        defer { select.reset() }
        return try select.step() ? select.bytes(0) : []
    }

    private func points(
        _ select: Statement, _ lane: LaneRow, _ start: Int64, _ end: Int64, _ limit: Int
    ) throws(StoreFault) -> [StoredPoint] {
        var points: [StoredPoint] = []
        select.bind(1, lane.number)
        select.bind(2, start)
        select.bind(3, end)
        select.bind(4, limit)
        defer { select.reset() }
        while try select.step() {
            points.append(
                StoredPoint(
                    id: PointID(stored: select.int(0)), isLate: !select.isNull(1),
                    body: select.bytes(2)))
        }
        return points
    }
}
