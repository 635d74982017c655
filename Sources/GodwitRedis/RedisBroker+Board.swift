// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

/// A folder is one hash in a slot of its own; see `note_write.lua` for what its fields hold.
extension RedisBroker: Board {
    /// Where the bytes of a note begin: behind version, writtenAt and expiresAt.
    private static let noteHead = 18

    public func notes(in folder: NoteFolder) async throws(BrokerError) -> [Note] {
        let what = "list the notes of '\(folder)'"
        let (now, value) = try await look(RedisCommand(["HGETALL", hash(of: folder)]), what)
        let fields = value.elements ?? []
        var notes: [Note] = []
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let name = fields[index].string, let packed = fields[index + 1].bytes else {
                throw failure.unreadable(what)
            }
            // The field of the empty name holds the folder's last version.
            if !name.isEmpty { notes.append(try note(name, packed, what)) }
        }
        return Note.live(notes, at: now)
    }

    public func note(
        _ name: String, in folder: NoteFolder
    ) async throws(BrokerError) -> Note? {
        try validation.check(name, in: folder, for: "read")
        let what = "read a note of '\(folder)'"
        let (now, value) = try await look(RedisCommand(["HGET", hash(of: folder), name]), what)
        guard let packed = value.bytes else { return nil }
        let note = try note(name, packed, what)
        return note.isLive(at: now) ? note : nil
    }

    @discardableResult
    public func write(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?,
        if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try validation.check(bytes, as: name, in: folder, for: time)
        let what = "write a note of '\(folder)'"
        var command = call(scripts.noteWrite, on: folder, capacity: bytes.count + name.utf8.count)
        command.append(name)
        command.append(bytes)
        command.append(time.map { "\($0.milliseconds)" } ?? "")
        command.append(expected.word)
        command.append(BoardLimits.notesPerFolder)
        seal(&command)
        guard let answer = try await value(of: command, what).int else {
            throw failure.unreadable(what)
        }
        if answer < 0 { throw validation.full(folder, name) }
        return answer == 1
    }

    @discardableResult
    public func erase(
        _ name: String, in folder: NoteFolder, if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try validation.check(name, in: folder, for: "erase")
        let what = "erase a note of '\(folder)'"
        var command = call(scripts.noteErase, on: folder, capacity: name.utf8.count)
        command.append(name)
        command.append(expected.word)
        seal(&command)
        return try await value(of: command, what).int == 1
    }

    // MARK: Keys and bytes

    private func keys(of folder: NoteFolder) -> KeySpace {
        KeySpace(namespace: namespace, folder: folder)
    }

    private func hash(of folder: NoteFolder) -> String { keys(of: folder).key("n") }

    private func call(
        _ script: RedisScript, on folder: NoteFolder, capacity: Int
    ) -> RedisCommand {
        var command = RedisCommand(script, keys: 2, capacity: capacity + 256)
        keys(of: folder).appendTag(to: &command)
        return command
    }

    /// The answer to a read, and the store's time at it.
    private func look(
        _ command: RedisCommand, _ what: String
    ) async throws(BrokerError) -> (Timestamp, RESPValue) {
        if time.isVirtual { return (time.now(), try await value(of: command, what)) }
        let values = try await values(of: [RedisCommand(["TIME"]), command], what)
        guard values.count == 2, let clock = values[0].elements, clock.count == 2,
            let seconds = clock[0].int, let micros = clock[1].int
        else { throw failure.unreadable(what) }
        return (Timestamp(milliseconds: Int64(seconds) * 1000 + Int64(micros) / 1000), values[1])
    }

    private func note(
        _ name: String, _ packed: ArraySlice<UInt8>, _ what: String
    ) throws(BrokerError) -> Note {
        guard packed.count >= Self.noteHead else { throw failure.unreadable(what) }
        let expiresAt = packed.timestamp(at: 12)
        return Note(
            name: name, bytes: Array(packed.dropFirst(Self.noteHead)),
            version: Int64(packed.number(at: 0, bytes: 6)), writtenAt: packed.timestamp(at: 6),
            expiresAt: expiresAt.milliseconds == 0 ? nil : expiresAt)
    }
}

extension NoteExpectation {
    /// As the scripts read it.
    fileprivate var word: String {
        switch self {
        case .any: "any"
        case .absent: "absent"
        case .version(let version): "\(version)"
        }
    }
}
