// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite

/// The statements of the board, prepared when the first note is written. As in ``Statements`` a test
/// reads the plan of each.
struct NoteStatements {
    let find, pickOld, count, put, drop: Statement

    private let all: StatementList

    static let texts: [(name: String, sql: String)] = [
        ("findNote", "SELECT version, expires_at FROM note WHERE folder = ? AND name = ?"),
        (
            "pickOldNotes",
            """
            SELECT name FROM note INDEXED BY note_expires
            WHERE folder = ? AND expires_at <= ? ORDER BY expires_at LIMIT ?
            """
        ),
        ("countNotes", "SELECT count(*) FROM note INDEXED BY note_expires WHERE folder = ?"),
        (
            "putNote",
            """
            INSERT INTO note (folder, name, version, written_at, expires_at, bytes)
            VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET version = excluded.version,
                written_at = excluded.written_at, expires_at = excluded.expires_at,
                bytes = excluded.bytes
            """
        ),
        ("dropNote", "DELETE FROM note WHERE folder = ? AND name = ?"),
    ]

    init(in database: OpaquePointer) throws(StoreFault) {
        var list = StatementList(of: Self.texts, in: database)
        do throws(StoreFault) {
            find = try list.prepare("findNote")
            pickOld = try list.prepare("pickOldNotes")
            count = try list.prepare("countNotes")
            put = try list.prepare("putNote")
            drop = try list.prepare("dropNote")
        } catch {
            list.finalize()
            throw error
        }
        all = list
    }

    func finalize() { all.finalize() }
}
