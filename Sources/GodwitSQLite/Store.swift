// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import GRDB
import Godwit

/// The one connection that writes, with its prepared statements and the state of a transaction.
///
/// Used by one thread at a time: the ``Writer`` holds it in a mutex. The words are in extensions,
/// `Store+Word.swift`; each runs inside a transaction that the writer has begun.
final class Store {
    let connection: DatabaseQueue
    let database: OpaquePointer
    let sql: Statements
    /// Filled by SQLite at each commit.
    let frames: UnsafeMutablePointer<Int32>

    /// The time of this transaction.
    var now: Int64 = 0
    /// Queues that this transaction has read, and whether it changed them.
    private var queues: [(state: QueueState, isDirty: Bool)] = []
    /// Who may have something to do after the commit.
    private(set) var woken: [Wake] = []
    var random = Xoshiro()
    /// Raised by each reserve: the kinds of one priority take turns.
    var turn = 0
    /// What this transaction has read of streams.
    var streams = StreamRows()
    /// Nil until the first note is written.
    var noteStatements: NoteStatements?

    // What never changes once it is committed; emptied when a transaction is rolled back.
    private var numbers: [QueueName: Int64] = [:]
    private var names: [Int64: QueueName] = [:]
    private var kinds: [Int64: [UInt32: String]] = [:]

    init(connection: DatabaseQueue, database: OpaquePointer) throws(StoreFault) {
        self.connection = connection
        self.database = database
        sql = try Statements(in: database)
        frames = .allocate(capacity: 1)
        frames.initialize(to: 0)
        godwit_count_wal_frames(database, frames)
    }

    /// Ends the statements and the connection; the store must not be used after it.
    func close() {
        sql.finalize()
        streams.statements?.finalize()
        noteStatements?.finalize()
        sqlite3_wal_hook(database, nil, nil)
        try? connection.close()
        frames.deallocate()
    }

    // MARK: Transactions

    func begin(at now: Int64) throws(StoreFault) {
        self.now = now
        queues.removeAll(keepingCapacity: true)
        woken.removeAll(keepingCapacity: true)
        streams.begin()
        try sql.begin.run()
    }

    /// Writes the queues that changed; the last thing before ``commit()``.
    func flush() throws(StoreFault) {
        for index in queues.indices where queues[index].isDirty {
            try writeMoves(&queues[index].state)
            queues[index].state.clock = max(queues[index].state.clock, now)
            queues[index].state.save(into: sql.updateQueue)
            try sql.updateQueue.run()
        }
        try flushStreams()
    }

    func commit() throws(StoreFault) { try sql.commit.run() }

    func rollback() {
        // Why: SQLite has rolled back by itself after some faults (disk full, I/O error).
        if sqlite3_get_autocommit(database) == 0 { try? sql.rollback.run() }
        numbers.removeAll()
        names.removeAll()
        kinds.removeAll()
        streams.rollback()
    }

    // MARK: Queues and kinds

    /// The queue as this transaction sees it, registered when it is new.
    func open(_ name: QueueName) throws(StoreFault) -> QueueState {
        if let number = try number(of: name) { return try load(number) }
        sql.insertQueue.bindNull(35)
        QueueState(number: 0).save(into: sql.insertQueue)
        sql.insertQueue.bindNull(35)
        sql.insertQueue.bind(36, text: name.text)
        try sql.insertQueue.run()
        let number = sqlite3_last_insert_rowid(database)
        numbers[name] = number
        names[number] = name
        return try load(number)
    }

    /// Puts a changed queue back; it is written before the commit.
    func put(_ state: QueueState) {
        for index in queues.indices where queues[index].state.number == state.number {
            queues[index] = (state, true)
        }
    }

    private func number(of name: QueueName) throws(StoreFault) -> Int64? {
        if let number = numbers[name] { return number }
        sql.findQueue.bind(1, text: name.text)
        defer { sql.findQueue.reset() }
        guard try sql.findQueue.step() else { return nil }
        let number = sql.findQueue.int(0)
        numbers[name] = number
        names[number] = name
        return number
    }

    private func load(_ number: Int64) throws(StoreFault) -> QueueState {
        for queue in queues where queue.state.number == number { return queue.state }
        sql.selectQueue.bind(1, number)
        defer { sql.selectQueue.reset() }
        guard try sql.selectQueue.step() else {
            throw .sqlite(code: SQLITE_CORRUPT, message: "the row of queue \(number) is gone")
        }
        let state = QueueState(from: sql.selectQueue)
        // Why: a clock that was set back by a little must not give out times in the past. One that
        // is far behind was wrong before, and waiting for it to be reached again would stop leases.
        if state.clock > now, state.clock - now <= 60_000 { now = state.clock }
        queues.append((state, false))
        return state
    }

    /// Whether another kind of the queue has the hash of this one.
    func isTaken(_ kind: Kind, in queue: Int64) throws(StoreFault) -> Bool {
        if kinds[queue]?[kind.hash] == kind.name { return false }
        return try name(ofKind: kind.hash, in: queue).map { $0 != kind.name } ?? false
    }

    private func name(ofKind hash: UInt32, in queue: Int64) throws(StoreFault) -> String? {
        sql.findKind.bind(1, queue)
        sql.findKind.bind(2, Int64(hash))
        defer { sql.findKind.reset() }
        return try sql.findKind.step() ? sql.findKind.text(0) : nil
    }

    /// Remembers the wire name of a kind; a second name under one hash is refused.
    func register(_ kind: Kind, in queue: Int64) throws(StoreFault) {
        if kinds[queue]?[kind.hash] == kind.name { return }
        if let known = try name(ofKind: kind.hash, in: queue) {
            guard known == kind.name else {
                throw .refused(
                    .invalid(
                        "use the kind '\(kind.name)'",
                        "its hash is that of the kind '\(known)', which the queue knows already",
                        "Give one of them another wire name."))
            }
        } else {
            sql.insertKind.bind(1, queue)
            sql.insertKind.bind(2, Int64(kind.hash))
            sql.insertKind.bind(3, text: kind.name)
            try sql.insertKind.run()
        }
        kinds[queue, default: [:]][kind.hash] = kind.name
    }

    // MARK: Waking

    /// Says that a message of `kind` (nil: of any) may be ready, or be due earlier than thought.
    func wake(_ queue: Int64, _ kind: UInt32?) {
        let wake = Wake(queue: queue, kind: kind)
        if woken.last != wake, !woken.contains(wake) { woken.append(wake) }
    }

    /// Before a lease ends: at the limit of leases, everybody may find something.
    func wakeIfLimited(_ queue: QueueState) {
        if let most = queue.settings.maxLeased, queue.leased >= most { wake(queue.number, nil) }
    }

    func name(of queue: Int64) -> QueueName? { names[queue] }

    // MARK: Rows

    /// The row of a message; nil when there is none.
    func row(_ key: Key, _ queue: Int64) throws(StoreFault) -> MessageRow? {
        let select = sql.selectMessage
        select.bind(1, id: key.pair)
        select.bind(3, queue)
        defer { select.reset() }
        guard try select.step() else { return nil }
        guard let token = Tail.token(key, select.raw(4)) else { throw damaged(key) }
        return MessageRow(
            key: key, state: select.int(0), at: select.int(1), letter: select.int(2),
            aside: select.int(3), token: token)
    }

    func damaged(_ key: Key) -> StoreFault {
        .sqlite(code: SQLITE_CORRUPT, message: "the row of message \(key.id) is damaged")
    }

    var changes: Int32 { sqlite3_changes(database) }
}

/// A queue, and the kind of which something may be ready; nil is any.
struct Wake: Hashable {
    var queue: Int64
    var kind: UInt32?
}
