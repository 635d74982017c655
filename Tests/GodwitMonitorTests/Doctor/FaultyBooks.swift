// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import Synchronization

/// A broker whose books are wrong as the test says, with a board that the test writes.
final class FaultyBooks: Broker, Repairable {
    private let inner: any Broker
    private let planted_ = Mutex<[Fault]>([])
    let notes: Mutex<[NoteFolder: [Note]]> = Mutex([:])

    /// Nothing that it inspects is answered.
    let isDown = Mutex(false)

    init(_ inner: any Broker) { self.inner = inner }

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

    // MARK: As the inner one

    var limits: BrokerLimits { inner.limits }
    var time: any TimeSource { inner.time }
    var isShutDown: Bool { inner.isShutDown }
    var `operator`: any Operator { inner.operator }
    var inspector: any Inspector {
        isDown.withLock { $0 } ? DownInspector() : inner.inspector
    }
    var eventLog: any EventLog { inner.eventLog }
    var board: any Board { TestBoard(books: self) }

    func enqueue(
        _ messages: [NewMessage], to queue: QueueName
    ) async throws(BrokerError) -> [EnqueueOutcome] {
        try await inner.enqueue(messages, to: queue)
    }
    func reserve(
        _ request: ReserveRequest, from queue: QueueName
    ) async throws(BrokerError) -> Reservation {
        try await inner.reserve(request, from: queue)
    }
    func settle(
        _ settlements: [Settlement], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try await inner.settle(settlements, in: queue)
    }
    func settleDetached(_ settlements: [Settlement], in queue: QueueName) {
        inner.settleDetached(settlements, in: queue)
    }
    func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        inner.renew(tokens, for: lease, in: queue, then: then)
    }
    func checkpoint(
        _ checkpoints: [Checkpoint], in queue: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try await inner.checkpoint(checkpoints, in: queue)
    }
    func promote(in queue: QueueName) async throws(BrokerError) -> Int {
        try await inner.promote(in: queue)
    }
    func reclaim(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Reclaimed {
        try await inner.reclaim(limit, in: queue)
    }
    func prune(_ limit: Int, in queue: QueueName) async throws(BrokerError) -> Int {
        try await inner.prune(limit, in: queue)
    }
    func wait(for kinds: [Kind]?, in queue: QueueName, upTo timeout: Duration) async {
        await inner.wait(for: kinds, in: queue, upTo: timeout)
    }
    func shutdown() async { await inner.shutdown() }
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
