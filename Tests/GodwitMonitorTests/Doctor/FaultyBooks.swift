// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import GodwitTesting
import Synchronization

/// A broker whose books are wrong as the test says, with a board that the test writes.
final class FaultyBooks: WrappingBroker, Repairable {
    let wrapped: any Broker
    private let planted_ = Mutex<[Fault]>([])
    let notes: Mutex<[NoteFolder: [Note]]> = Mutex([:])

    /// Nothing that it inspects is answered.
    let isDown = Mutex(false)

    init(_ wrapped: any Broker) { self.wrapped = wrapped }

    var planted: [Fault] { planted_.withLock { $0 } }
    func plant(_ new: [Fault]) { planted_.withLock { $0 = new } }

    func faults(in queue: QueueName, limit: Int) async throws(BrokerError) -> [Fault] { planted }

    func repair(_ fault: Fault, isDryRun: Bool) async throws(BrokerError) -> RepairOutcome {
        planted_.withLock { faults in
            guard faults.contains(fault) else { return .gone }
            if isDryRun { return .mended("would") }
            faults.removeAll { $0 == fault }
            return .mended("did")
        }
    }

    var inspector: any Inspector {
        isDown.withLock { $0 } ? DownInspector() : wrapped.inspector
    }
    var board: any Board { TestBoard(books: self) }
}

struct TestBoard: Board {
    let books: FaultyBooks

    func notes(in folder: NoteFolder) async throws(BrokerError) -> [Note] {
        books.notes.withLock { $0[folder] ?? [] }
    }
    func note(_ name: String, in folder: NoteFolder) async throws(BrokerError) -> Note? {
        books.notes.withLock { $0[folder]?.first { $0.name == name } }
    }
    func write(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?,
        if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        let note = Note(name: name, bytes: bytes, version: 1, writtenAt: books.time.now())
        books.notes.withLock { $0[folder, default: []].removeAll { $0.name == name } }
        books.notes.withLock { $0[folder, default: []].append(note) }
        return true
    }
    func erase(
        _ name: String, in folder: NoteFolder, if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool { false }
}
