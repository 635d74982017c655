// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import Godwit

/// The board: one row per note, and in each folder one of the empty name that holds the last version.
///
/// Why a version per folder: a name that is free and taken again must not get a version that
/// somebody still believes in.
extension Store {
    /// Notes of one folder whose time is over, and that one write drops.
    private static let oldNotes = 64

    func noteSQL() throws(StoreFault) -> NoteStatements {
        if let statements = noteStatements { return statements }
        let statements = try NoteStatements(in: database)
        noteStatements = statements
        return statements
    }

    /// Look and write in one step; what stands of the folder and is over goes, a bounded number at a time.
    func write(
        _ bytes: [UInt8], note name: [UInt8], in folder: String, for time: Duration?,
        if expected: NoteExpectation
    ) throws(StoreFault) -> NoteBook.Outcome {
        let standing = try findNote(name, folder)
        guard expected.allows(standing.flatMap { $0.isLive ? $0.version : nil }) else {
            return .refused
        }
        try dropOldNotes(of: folder)
        let last = try findNote([], folder)?.version
        if try findNote(name, folder) == nil {
            let count = try noteSQL().count
            count.bind(1, text: folder)
            defer { count.reset() }
            // One of them is the row that holds the version.
            if try count.step(), count.int(0) - (last == nil ? 0 : 1) >= BoardLimits.notesPerFolder
            {
                return .full
            }
        }
        let version = (last ?? 0) + 1
        try put(version, note: [], [], in: folder, until: nil)
        try put(
            version, note: name, bytes, in: folder,
            until: time.map { Timestamp.milliseconds($0, after: now) })
        return .written
    }

    func erase(
        note name: [UInt8], in folder: String, if expected: NoteExpectation
    ) throws(StoreFault) -> Bool {
        guard let standing = try findNote(name, folder), standing.isLive,
            expected.allows(standing.version)
        else { return false }
        try drop(note: name, folder)
        return true
    }

    private func findNote(
        _ name: [UInt8], _ folder: String
    ) throws(StoreFault) -> (version: Int64, isLive: Bool)? {
        let find = try noteSQL().find
        find.bind(1, text: folder)
        find.bind(2, copy: name)
        defer { find.reset() }
        guard try find.step() else { return nil }
        return (find.int(0), find.isNull(1) || now < find.int(1))
    }

    private func dropOldNotes(of folder: String) throws(StoreFault) {
        let pick = try noteSQL().pickOld
        pick.bind(1, text: folder)
        pick.bind(2, now)
        pick.bind(3, Self.oldNotes)
        var old: [[UInt8]] = []
        while try pick.step() { old.append(pick.bytes(0)) }
        pick.reset()
        for name in old { try drop(note: name, folder) }
    }

    private func drop(note name: [UInt8], _ folder: String) throws(StoreFault) {
        let drop = try noteSQL().drop
        drop.bind(1, text: folder)
        drop.bind(2, copy: name)
        try drop.run()
    }

    private func put(
        _ version: Int64, note name: [UInt8], _ bytes: [UInt8], in folder: String,
        until expiry: Int64?
    ) throws(StoreFault) {
        let put = try noteSQL().put
        put.bind(1, text: folder)
        put.bind(2, copy: name)
        put.bind(3, version)
        put.bind(4, now)
        if let expiry { put.bind(5, expiry) } else { put.bindNull(5) }
        put.bind(6, copy: bytes)
        try put.run()
    }
}
