// SPDX-License-Identifier: Apache-2.0

/// The notes of a ``Board`` as a pure value: what every board must do, without a store, a clock or a lock.
///
/// Each word takes the time; the book never asks for it.
package struct NoteBook: Sendable {
    private struct Folder: Sendable {
        // Why bytes: two texts that look alike are two names, as in every store.
        var notes: [[UInt8]: Note] = [:]
        /// The last version given out here. Why not one per name: a name that is free and taken again
        /// must not get a version that somebody still believes in.
        var version: Int64 = 0
    }

    package enum Outcome: Sendable, Hashable {
        case written
        case refused
        /// The folder holds its maximum.
        case full
    }

    private var folders: [NoteFolder: Folder] = [:]

    package init() {}

    /// The live notes of a folder, by the bytes of their names.
    package func notes(in folder: NoteFolder, at now: Timestamp) -> [Note] {
        (folders[folder]?.notes.values).map { Note.live(Array($0), at: now) } ?? []
    }

    package func note(_ name: String, in folder: NoteFolder, at now: Timestamp) -> Note? {
        folders[folder]?.notes[Array(name.utf8)].flatMap { $0.isLive(at: now) ? $0 : nil }
    }

    package mutating func write(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?,
        if expected: NoteExpectation, at now: Timestamp
    ) -> Outcome {
        var shelf = folders[folder] ?? Folder()
        let key = Array(name.utf8)
        let standing = shelf.notes[key].flatMap { $0.isLive(at: now) ? $0 : nil }
        guard expected.allows(standing?.version) else { return .refused }
        if shelf.notes[key] == nil, shelf.notes.count >= BoardLimits.notesPerFolder {
            shelf.notes = shelf.notes.filter { $0.value.isLive(at: now) }
            if shelf.notes.count >= BoardLimits.notesPerFolder { return .full }
        }
        shelf.version += 1
        shelf.notes[key] = Note(
            name: name, bytes: bytes, version: shelf.version, writtenAt: now,
            expiresAt: time.map { now + $0 })
        folders[folder] = shelf
        return .written
    }

    /// False when it does not stand as expected, or not at all.
    package mutating func erase(
        _ name: String, in folder: NoteFolder, if expected: NoteExpectation, at now: Timestamp
    ) -> Bool {
        guard let standing = note(name, in: folder, at: now), expected.allows(standing.version)
        else { return false }
        folders[folder]?.notes[Array(name.utf8)] = nil
        return true
    }
}

extension Note {
    package func isLive(at now: Timestamp) -> Bool { expiresAt.map { now < $0 } ?? true }

    /// Those that live, by the bytes of their names: one order on every store.
    package static func live(_ notes: [Note], at now: Timestamp) -> [Note] {
        notes.filter { $0.isLive(at: now) }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }
}

extension NoteExpectation {
    /// Whether a note of this version (nil: none) stands as expected.
    package func allows(_ version: Int64?) -> Bool {
        switch self {
        case .any: true
        case .absent: version == nil
        case .version(let wanted): version == wanted
        }
    }
}
