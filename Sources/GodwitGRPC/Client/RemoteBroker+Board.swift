// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Foundation
import GodwitProtos
import GRPCCore

extension RemoteBroker: Board {
    /// Page by page: a note that is written meanwhile may be in it or not.
    public func notes(in folder: NoteFolder) async throws(BrokerError) -> [Note] {
        var notes: [Note] = []
        var wire = Godwit_V1_NotesRequest()
        wire.folder = folder.rawValue
        repeat {
            let request = wire
            let response = try await courier.call(
                "list the notes of '\(folder)'", isRead: true, request
            ) { [store] in try await store.notes(request: $0, options: $1) }
            notes += response.notes.map(Note.init)
            wire.after = response.next
        } while !wire.after.isEmpty
        return notes
    }

    public func note(
        _ name: String, in folder: NoteFolder
    ) async throws(BrokerError) -> Note? {
        try validation.check(name, in: folder, for: "read")
        var wire = Godwit_V1_GetNoteRequest()
        wire.folder = folder.rawValue
        wire.name = name
        let response = try await courier.call(
            "read a note of '\(folder)'", isRead: true, wire
        ) { [store] in try await store.getNote(request: $0, options: $1) }
        return response.hasNote ? Note(response.note) : nil
    }

    @discardableResult
    public func write(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?,
        if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try validation.check(bytes, as: name, in: folder, for: time)
        var wire = Godwit_V1_WriteNoteRequest()
        wire.folder = folder.rawValue
        wire.name = name
        wire.bytes = Data(wire: bytes)
        if let time { wire.timeToLiveMs = time.wire }
        wire.expected = expected.wire
        return try await courier.call("write a note of '\(folder)'", wire) { [store] in
            try await store.writeNote(request: $0, options: $1)
        }.done
    }

    @discardableResult
    public func erase(
        _ name: String, in folder: NoteFolder, if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try validation.check(name, in: folder, for: "erase")
        var wire = Godwit_V1_EraseNoteRequest()
        wire.folder = folder.rawValue
        wire.name = name
        wire.expected = expected.wire
        return try await courier.call("erase a note of '\(folder)'", wire) { [store] in
            try await store.eraseNote(request: $0, options: $1)
        }.done
    }
}
