// SPDX-License-Identifier: Apache-2.0

/// Where the processes of one store leave each other notes: who works, who has a duty, which rules hold.
///
/// A note is a name in a folder with at most ``BoardLimits/noteBytes`` bytes, a version and, if wanted,
/// a time to live by the store's clock. No message ever depends on one: it is for watching and for operators.
public protocol Board: Sendable {
    /// The live notes of a folder by name; at most ``BoardLimits/notesPerFolder``.
    func notes(in folder: NoteFolder) async throws(BrokerError) -> [Note]

    /// One note; nil when there is none or its time is over.
    func note(_ name: String, in folder: NoteFolder) async throws(BrokerError) -> Note?

    /// Writes a note, if it stands as expected; false when it does not, and then nothing changed.
    ///
    /// - Atomic: the look and the write are one step of the store.
    /// - Repeated: with `.absent` or `.version` the second call answers false; with `.any` it is a new version.
    /// - Throws: `invalid` for a name or bytes over their bound, `storageFull` when the folder is full.
    @discardableResult
    func write(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?,
        if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool

    /// Takes a note away, if it stands as expected; false when it does not or there is none.
    @discardableResult
    func erase(
        _ name: String, in folder: NoteFolder, if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool
}

public enum BoardLimits {
    /// The most bytes of one note.
    public static let noteBytes = 64 << 10
    /// The most bytes of a note's name.
    public static let nameBytes = 200
    /// The most live notes of one folder.
    public static let notesPerFolder = 10_000
}

/// What a note is about.
public enum NoteFolder: String, Sendable, Hashable, CaseIterable {
    /// Live workers, by number; each note lives a few beats long.
    case workers
    /// What operators want of a worker, by its number.
    case orders
    /// Who does what only one may do at a time, by the name of the duty.
    case duties
    /// Rules of alerts, by name.
    case rules
    /// Thresholds of advice, by queue.
    case targets
    /// Groups of alerts that are open, by rule, queue and fingerprint.
    case groups
    /// What the parts of the program remember of themselves.
    case state
    /// Who may come through the gRPC door, by the token's name, as hashes; no door gives them out.
    case tokens
}

public struct Note: Sendable, Hashable {
    public var name: String
    public var bytes: [UInt8]
    /// Rises with each write of this name; never used twice while the note lives.
    public var version: Int64
    /// When it was written, by the store's clock.
    public var writtenAt: Timestamp
    /// When it ends by itself; nil: never.
    public var expiresAt: Timestamp?

    public init(
        name: String, bytes: [UInt8], version: Int64, writtenAt: Timestamp,
        expiresAt: Timestamp? = nil
    ) {
        self.name = name
        self.bytes = bytes
        self.version = version
        self.writtenAt = writtenAt
        self.expiresAt = expiresAt
    }
}

/// How a note must stand for a write to happen.
public enum NoteExpectation: Sendable, Hashable {
    case any
    /// There is none, or its time is over.
    case absent
    case version(Int64)
}
