// SPDX-License-Identifier: Apache-2.0
import GRDB
public import Godwit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Writes go through the writer like every word, reads through the reader.
extension SQLiteBroker: Board {
    public func notes(in folder: NoteFolder) async throws(BrokerError) -> [Note] {
        let now = time.now()
        return try await reader.read("list the notes of '\(folder)'") { db in
            Note.live(try db.notes(in: folder), at: now)
        }
    }

    public func note(
        _ name: String, in folder: NoteFolder
    ) async throws(BrokerError) -> Note? {
        try validation.check(name, in: folder, for: "read")
        let now = time.now()
        return try await reader.read("read a note of '\(folder)'") { db in
            try db.note(name, in: folder).flatMap { $0.isLive(at: now) ? $0 : nil }
        }
    }

    @discardableResult
    public func write(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?,
        if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try validation.check(bytes, as: name, in: folder, for: time)
        let outcome = try await run("write a note of '\(folder)'") { (store) throws(StoreFault) in
            try store.write(
                bytes, note: Array(name.utf8), in: folder.rawValue, for: time, if: expected)
        }
        if outcome == .full { throw validation.full(folder, name) }
        return outcome == .written
    }

    @discardableResult
    public func erase(
        _ name: String, in folder: NoteFolder, if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try validation.check(name, in: folder, for: "erase")
        return try await run("erase a note of '\(folder)'") { (store) throws(StoreFault) in
            try store.erase(note: Array(name.utf8), in: folder.rawValue, if: expected)
        }
    }
}

extension Database {
    private static let noteColumns = "name, version, written_at, expires_at, bytes"

    static let noteTexts: [(name: String, sql: String)] = [
        (
            name: "notes",
            // The row of the empty name holds the folder's last version.
            sql: "SELECT \(noteColumns) FROM note WHERE folder = ? AND name > x'' LIMIT 10000"
        ),
        (name: "note", sql: "SELECT \(noteColumns) FROM note WHERE folder = ? AND name = ?"),
    ]

    func notes(in folder: NoteFolder) throws -> [Note] {
        try Row.fetchAll(
            cachedStatement(sql: Self.noteTexts[0].sql), arguments: [folder.rawValue]
        ).map(Note.init(row:))
    }

    func note(_ name: String, in folder: NoteFolder) throws -> Note? {
        try Row.fetchOne(
            cachedStatement(sql: Self.noteTexts[1].sql),
            arguments: [folder.rawValue, Data(name.utf8)]
        ).map(Note.init(row:))
    }
}

extension Note {
    fileprivate init(row: Row) {
        self.init(
            name: String(decoding: row["name"] as Data, as: UTF8.self),
            bytes: [UInt8](row["bytes"] as Data), version: row["version"],
            writtenAt: Timestamp(milliseconds: row["written_at"]),
            expiresAt: (row["expires_at"] as Int64?).map { Timestamp(milliseconds: $0) })
    }
}
