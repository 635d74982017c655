// SPDX-License-Identifier: Apache-2.0

extension MemoryBroker: Board {
    public func notes(in folder: NoteFolder) async throws(BrokerError) -> [Note] {
        try locked("list the notes of '\(folder)'") { $0.notes.notes(in: folder, at: time.now()) }
    }

    public func note(
        _ name: String, in folder: NoteFolder
    ) async throws(BrokerError) -> Note? {
        try validation.check(name, in: folder, for: "read")
        // Doubly optional: a note that is not there is an answer, a broker shut down is none.
        return try locked("read a note of '\(folder)'") {
            [$0.notes.note(name, in: folder, at: time.now())]
        }[0]
    }

    @discardableResult
    public func write(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?,
        if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try validation.check(bytes, as: name, in: folder, for: time)
        let outcome = try locked("write a note of '\(folder)'") {
            $0.notes.write(
                bytes, as: name, in: folder, for: time, if: expected, at: self.time.now())
        }
        if outcome == .full { throw validation.full(folder, name) }
        return outcome == .written
    }

    @discardableResult
    public func erase(
        _ name: String, in folder: NoteFolder, if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        try validation.check(name, in: folder, for: "erase")
        return try locked("erase a note of '\(folder)'") {
            $0.notes.erase(name, in: folder, if: expected, at: time.now())
        }
    }
}
