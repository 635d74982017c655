// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite

/// The statements of streams, prepared when the first word on a stream runs, so that who only has
/// queues pays nothing for them. As in ``Statements`` a test reads the plan of each.
struct StreamStatements {
    let findStream, selectStream, insertStream, updateStream: Statement
    let selectLane, insertLane, growLane, saveLane, saveState, deleteLane: Statement
    let pickLanes, pickParked, pickLost, pickIdle: Statement
    let insertPoint, pickPoints, probePoint, findLate, placeAfter, placeBefore: Statement
    let places, movePoint, deletePoints: Statement
    let insertLargeState, deleteLargeState: Statement
    let insertDropped, deleteDropped: Statement

    private let all: StatementList

    static let texts: [(name: String, sql: String)] = [
        ("findStream", "SELECT number FROM stream WHERE name = ?"),
        ("selectStream", StreamState.select),
        ("insertStream", StreamState.insert),
        ("updateStream", StreamState.update),
        (
            "selectLane",
            """
            SELECT \(LaneRow.columns) FROM lane INDEXED BY lane_key WHERE stream = ? AND key = ?
            """
        ),
        (
            "insertLane",
            """
            INSERT INTO lane
                (stream, key, phase, ord, turn, nonce, attempt, lost, position, bottom, first,
                kept, head, next, newest, last, birth)
            VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ?)
            """
        ),
        // Why apart: who names a column of an index writes that index anew.
        ("growLane", "UPDATE lane SET next = ?, last = ? WHERE number = ?"),
        (
            "saveLane",
            """
            UPDATE lane
            SET phase = ?, ord = ?, turn = ?, nonce = ?, attempt = ?, lost = ?, position = ?,
                bottom = ?, first = ?, kept = ?, head = ?, next = ?, newest = ?, last = ?,
                handled_at = ?, reason = ?, birth = ?
            WHERE number = ?
            """
        ),
        ("saveState", "UPDATE lane SET state = ? WHERE number = ?"),
        ("deleteLane", "DELETE FROM lane WHERE number = ?"),
        (
            "pickLanes",
            """
            SELECT \(LaneRow.columns) FROM lane INDEXED BY lane_next
            WHERE stream = ? AND phase = ? ORDER BY ord LIMIT ?
            """
        ),
        (
            "pickParked",
            """
            SELECT \(LaneRow.columns) FROM lane INDEXED BY lane_next
            WHERE stream = ? AND phase = 4 AND ord <= ? ORDER BY ord, turn LIMIT ?
            """
        ),
        (
            "pickLost",
            """
            SELECT \(LaneRow.columns) FROM lane INDEXED BY lane_next
            WHERE stream = ? AND phase = 3 AND ord <= ? ORDER BY ord, turn LIMIT ?
            """
        ),
        (
            "pickIdle",
            """
            SELECT \(LaneRow.columns) FROM lane INDEXED BY lane_next
            WHERE stream = ? AND phase = 0 AND ord < ? ORDER BY ord LIMIT ?
            """
        ),
        ("insertPoint", "INSERT INTO point (lane, place, id, late, body) VALUES (?, ?, ?, ?, ?)"),
        (
            "pickPoints",
            "SELECT id, late, body FROM point WHERE lane = ? AND place >= ? ORDER BY place LIMIT ?"
        ),
        (
            "probePoint",
            "SELECT place, id, late FROM point WHERE lane = ? AND place >= ? ORDER BY place LIMIT 1"
        ),
        (
            "findLate",
            """
            SELECT 1 FROM point INDEXED BY point_late
            WHERE lane = ? AND id = ? AND late IS NOT NULL AND place >= ? LIMIT 1
            """
        ),
        (
            "placeAfter",
            """
            SELECT place FROM point WHERE lane = ? AND place >= ? AND place < ?
            ORDER BY place LIMIT 1 OFFSET ?
            """
        ),
        (
            "placeBefore",
            """
            SELECT place FROM point WHERE lane = ? AND place >= ? AND place < ?
            ORDER BY place DESC LIMIT 1 OFFSET ?
            """
        ),
        (
            "places",
            """
            SELECT place FROM point WHERE lane = ? AND place >= ? AND place < ?
            ORDER BY place DESC
            """
        ),
        ("movePoint", "UPDATE point SET place = ? WHERE lane = ? AND place = ?"),
        ("deletePoints", "DELETE FROM point WHERE lane = ? AND place >= ? AND place < ?"),
        ("insertLargeState", "INSERT OR REPLACE INTO lane_state (lane, bytes) VALUES (?, ?)"),
        ("deleteLargeState", "DELETE FROM lane_state WHERE lane = ?"),
        (
            "insertDropped",
            """
            INSERT INTO dropped (stream, sequence, key, position, handled_at, dropped_at)
            VALUES (?, ?, ?, ?, ?, ?)
            """
        ),
        ("deleteDropped", "DELETE FROM dropped WHERE stream = ? AND sequence <= ?"),
    ]

    init(in database: OpaquePointer) throws(StoreFault) {
        var list = StatementList(of: Self.texts, in: database)
        do throws(StoreFault) {
            findStream = try list.prepare("findStream")
            selectStream = try list.prepare("selectStream")
            insertStream = try list.prepare("insertStream")
            updateStream = try list.prepare("updateStream")
            selectLane = try list.prepare("selectLane")
            insertLane = try list.prepare("insertLane")
            growLane = try list.prepare("growLane")
            saveLane = try list.prepare("saveLane")
            saveState = try list.prepare("saveState")
            deleteLane = try list.prepare("deleteLane")
            pickLanes = try list.prepare("pickLanes")
            pickParked = try list.prepare("pickParked")
            pickLost = try list.prepare("pickLost")
            pickIdle = try list.prepare("pickIdle")
            insertPoint = try list.prepare("insertPoint")
            pickPoints = try list.prepare("pickPoints")
            probePoint = try list.prepare("probePoint")
            findLate = try list.prepare("findLate")
            placeAfter = try list.prepare("placeAfter")
            placeBefore = try list.prepare("placeBefore")
            places = try list.prepare("places")
            movePoint = try list.prepare("movePoint")
            deletePoints = try list.prepare("deletePoints")
            insertLargeState = try list.prepare("insertLargeState")
            deleteLargeState = try list.prepare("deleteLargeState")
            insertDropped = try list.prepare("insertDropped")
            deleteDropped = try list.prepare("deleteDropped")
        } catch {
            list.finalize()
            throw error
        }
        all = list
    }

    func finalize() { all.finalize() }
}
