// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite

/// Every statement of the words, prepared once per connection. Keys are always the whole primary key
/// or the whole front of an index; a test reads the plan of each.
struct Statements {
    let begin, commit, rollback: Statement
    let findQueue, selectQueue, insertQueue, updateQueue, findKind, insertKind: Statement
    let insertMessage, deleteMessage, selectMessage: Statement
    let nextLane, pickLane, pickDue, pickExpired, pickDead, pickEnded: Statement
    let lease, ack, requeue, end, place, renew, setAside: Statement
    let selectBody, insertBody, deleteBody: Statement
    let selectAside, insertAside, deleteAside, setCheckpoint, setAttempts: Statement
    let findUnique, insertUnique, deleteUnique: Statement
    let insertEvent, oldEvents, deleteEvent: Statement

    private let all: StatementList

    /// The statements that run for every message or call, by name, for the test of their plans.
    static let texts: [(name: String, sql: String)] = [
        ("begin", "BEGIN IMMEDIATE"),
        ("commit", "COMMIT"),
        ("rollback", "ROLLBACK"),
        ("findQueue", "SELECT number FROM queue WHERE name = ?"),
        ("selectQueue", QueueState.select),
        ("insertQueue", QueueState.insert),
        ("updateQueue", QueueState.update),
        ("findKind", "SELECT name FROM kind WHERE queue = ? AND hash = ?"),
        ("insertKind", "INSERT INTO kind (queue, hash, name) VALUES (?, ?, ?)"),
        (
            "insertMessage",
            """
            INSERT INTO message
                (id_high, id_low, queue, state, lane, place, at, tail, letter, aside, reason, body)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, NULL, ?)
            ON CONFLICT DO NOTHING
            """
        ),
        ("deleteMessage", "DELETE FROM message WHERE id_high = ? AND id_low = ? AND queue = ?"),
        (
            "selectMessage",
            """
            SELECT state, at, letter, aside, tail, body, lane, reason FROM message
            WHERE id_high = ? AND id_low = ? AND queue = ?
            """
        ),
        (
            "nextLane",
            """
            SELECT lane FROM message INDEXED BY message_ready
            WHERE state = 0 AND queue = ? AND lane > ? ORDER BY lane LIMIT 1
            """
        ),
        (
            "pickLane",
            """
            SELECT id_high, id_low, tail, aside, body FROM message INDEXED BY message_ready
            WHERE state = 0 AND queue = ? AND lane = ? ORDER BY place LIMIT ?
            """
        ),
        (
            "pickDue",
            """
            SELECT id_high, id_low, at FROM message INDEXED BY message_scheduled
            WHERE state = 2 AND queue = ? AND at <= ? ORDER BY at, id_high, id_low LIMIT ?
            """
        ),
        (
            "pickExpired",
            """
            SELECT id_high, id_low FROM message INDEXED BY message_leased
            WHERE state = 1 AND queue = ? AND at <= ? ORDER BY at, place, id_high, id_low LIMIT ?
            """
        ),
        (
            "pickDead",
            """
            SELECT id_high, id_low, at FROM message INDEXED BY message_dead
            WHERE state = 3 AND queue = ? ORDER BY at, id_high, id_low LIMIT ?
            """
        ),
        (
            "pickEnded",
            """
            SELECT id_high, id_low, at FROM message INDEXED BY message_ended
            WHERE state > 3 AND queue = ? ORDER BY place LIMIT ?
            """
        ),
        (
            "lease",
            """
            UPDATE message SET state = 1, place = ?, at = ?, tail = ?, letter = 0
            WHERE id_high = ? AND id_low = ? AND queue = ?
            """
        ),
        (
            "ack",
            """
            UPDATE message SET state = 4, place = ?, at = ?, reason = NULL, body = NULL
            WHERE id_high = ? AND id_low = ? AND queue = ?
                AND state = 1 AND tail = ? AND aside = 0
            """
        ),
        (
            "requeue",
            """
            UPDATE message
            SET state = ?, lane = ?, place = ?, at = ?, tail = ?, letter = ?, aside = ?, reason = ?
            WHERE id_high = ? AND id_low = ? AND queue = ?
            """
        ),
        (
            "end",
            """
            UPDATE message
            SET state = ?, place = ?, at = ?, letter = ?, reason = ?, aside = 0, body = NULL
            WHERE id_high = ? AND id_low = ? AND queue = ?
            """
        ),
        (
            "place",
            """
            UPDATE message SET state = ?, place = ?, at = ?
            WHERE id_high = ? AND id_low = ? AND queue = ?
            """
        ),
        (
            "renew",
            """
            UPDATE message SET at = ?, place = ?
            WHERE id_high = ? AND id_low = ? AND queue = ?
            """
        ),
        (
            "setAside",
            "UPDATE message SET aside = ? WHERE id_high = ? AND id_low = ? AND queue = ?"
        ),
        ("selectBody", "SELECT bytes FROM body WHERE number = ?"),
        ("insertBody", "INSERT INTO body (bytes) VALUES (?)"),
        ("deleteBody", "DELETE FROM body WHERE number = ?"),
        (
            "selectAside",
            """
            SELECT unique_key, checkpoint, attempts FROM aside
            WHERE id_high = ? AND id_low = ? AND queue = ?
            """
        ),
        (
            "insertAside",
            """
            INSERT INTO aside (id_high, id_low, queue, unique_key, checkpoint, attempts)
            VALUES (?, ?, ?, ?, ?, ?)
            """
        ),
        ("deleteAside", "DELETE FROM aside WHERE id_high = ? AND id_low = ? AND queue = ?"),
        (
            "setCheckpoint",
            "UPDATE aside SET checkpoint = ? WHERE id_high = ? AND id_low = ? AND queue = ?"
        ),
        (
            "setAttempts",
            "UPDATE aside SET attempts = ? WHERE id_high = ? AND id_low = ? AND queue = ?"
        ),
        (
            "findUnique",
            "SELECT id_high, id_low FROM unique_key WHERE queue = ? AND unique_key = ?"
        ),
        (
            "insertUnique",
            "INSERT INTO unique_key (queue, unique_key, id_high, id_low) VALUES (?, ?, ?, ?)"
        ),
        (
            "deleteUnique",
            """
            DELETE FROM unique_key
            WHERE queue = ? AND unique_key = ? AND id_high = ? AND id_low = ?
            """
        ),
        ("insertEvent", "INSERT INTO event (place, at, moves) VALUES (?, ?, ?)"),
        (
            "oldEvents",
            """
            SELECT place, at, length(moves) FROM event
            WHERE place >= ? AND place <= ? ORDER BY place LIMIT ?
            """
        ),
        ("deleteEvent", "DELETE FROM event WHERE place = ?"),
    ]

    init(in database: OpaquePointer) throws(StoreFault) {
        var list = StatementList(of: Self.texts, in: database)
        do throws(StoreFault) {
            begin = try list.prepare("begin")
            commit = try list.prepare("commit")
            rollback = try list.prepare("rollback")
            findQueue = try list.prepare("findQueue")
            selectQueue = try list.prepare("selectQueue")
            insertQueue = try list.prepare("insertQueue")
            updateQueue = try list.prepare("updateQueue")
            findKind = try list.prepare("findKind")
            insertKind = try list.prepare("insertKind")
            insertMessage = try list.prepare("insertMessage")
            deleteMessage = try list.prepare("deleteMessage")
            selectMessage = try list.prepare("selectMessage")
            nextLane = try list.prepare("nextLane")
            pickLane = try list.prepare("pickLane")
            pickDue = try list.prepare("pickDue")
            pickExpired = try list.prepare("pickExpired")
            pickDead = try list.prepare("pickDead")
            pickEnded = try list.prepare("pickEnded")
            lease = try list.prepare("lease")
            ack = try list.prepare("ack")
            requeue = try list.prepare("requeue")
            end = try list.prepare("end")
            place = try list.prepare("place")
            renew = try list.prepare("renew")
            setAside = try list.prepare("setAside")
            selectBody = try list.prepare("selectBody")
            insertBody = try list.prepare("insertBody")
            deleteBody = try list.prepare("deleteBody")
            selectAside = try list.prepare("selectAside")
            insertAside = try list.prepare("insertAside")
            deleteAside = try list.prepare("deleteAside")
            setCheckpoint = try list.prepare("setCheckpoint")
            setAttempts = try list.prepare("setAttempts")
            findUnique = try list.prepare("findUnique")
            insertUnique = try list.prepare("insertUnique")
            deleteUnique = try list.prepare("deleteUnique")
            insertEvent = try list.prepare("insertEvent")
            oldEvents = try list.prepare("oldEvents")
            deleteEvent = try list.prepare("deleteEvent")
        } catch {
            list.finalize()
            throw error
        }
        all = list
    }

    func finalize() { all.finalize() }
}
