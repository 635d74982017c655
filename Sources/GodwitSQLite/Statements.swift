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

    private let all: [Statement]

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
        var made: [Statement] = []
        var next = 0
        func prepare(_ name: String) throws(StoreFault) -> Statement {
            precondition(Self.texts[next].name == name, "statements are prepared in their order")
            let statement = try Statement(Self.texts[next].sql, in: database)
            next += 1
            made.append(statement)
            return statement
        }
        do throws(StoreFault) {
            begin = try prepare("begin")
            commit = try prepare("commit")
            rollback = try prepare("rollback")
            findQueue = try prepare("findQueue")
            selectQueue = try prepare("selectQueue")
            insertQueue = try prepare("insertQueue")
            updateQueue = try prepare("updateQueue")
            findKind = try prepare("findKind")
            insertKind = try prepare("insertKind")
            insertMessage = try prepare("insertMessage")
            deleteMessage = try prepare("deleteMessage")
            selectMessage = try prepare("selectMessage")
            nextLane = try prepare("nextLane")
            pickLane = try prepare("pickLane")
            pickDue = try prepare("pickDue")
            pickExpired = try prepare("pickExpired")
            pickDead = try prepare("pickDead")
            pickEnded = try prepare("pickEnded")
            lease = try prepare("lease")
            ack = try prepare("ack")
            requeue = try prepare("requeue")
            end = try prepare("end")
            place = try prepare("place")
            renew = try prepare("renew")
            setAside = try prepare("setAside")
            selectBody = try prepare("selectBody")
            insertBody = try prepare("insertBody")
            deleteBody = try prepare("deleteBody")
            selectAside = try prepare("selectAside")
            insertAside = try prepare("insertAside")
            deleteAside = try prepare("deleteAside")
            setCheckpoint = try prepare("setCheckpoint")
            setAttempts = try prepare("setAttempts")
            findUnique = try prepare("findUnique")
            insertUnique = try prepare("insertUnique")
            deleteUnique = try prepare("deleteUnique")
            insertEvent = try prepare("insertEvent")
            oldEvents = try prepare("oldEvents")
            deleteEvent = try prepare("deleteEvent")
        } catch {
            for statement in made { statement.finalize() }
            throw error
        }
        all = made
    }

    func finalize() {
        for statement in all { statement.finalize() }
    }
}
