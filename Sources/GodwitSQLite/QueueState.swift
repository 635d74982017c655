// SPDX-License-Identifier: Apache-2.0
import Godwit

/// The row of one queue: read once per transaction, changed in memory, written once before the commit.
struct QueueState {
    var number: Int64
    /// The place of the last message at the tail; rises.
    ///
    /// Why not from 0: SQLite stores an integer in as few bytes as it needs. Places of one width let
    /// it overwrite a row where it stands when the message moves.
    var tail: Int64 = QueueState.middle
    /// The place of the last message at the head; falls.
    var head: Int64 = QueueState.middle
    /// The latest time written, so that a clock set back a little does not go back here.
    var clock: Int64 = 0
    /// The newest creation time among the ids whose records are gone (I12).
    var horizon: Int64 = 0
    var ready: Int64 = 0
    var scheduled: Int64 = 0
    var leased: Int64 = 0
    var dead: Int64 = 0
    var suspects: Int64 = 0
    /// Finished records that are kept.
    var ended: Int64 = 0
    var enqueued: Int64 = 0
    var completed: Int64 = 0
    var retried: Int64 = 0
    var released: Int64 = 0
    var rejected: Int64 = 0
    var forwarded: Int64 = 0
    var cancelled: Int64 = 0
    var lost: Int64 = 0
    var redriven: Int64 = 0
    var pruned: Int64 = 0
    /// The sequence number of the newest event row, of the oldest, and of the last archived one.
    var eventTail: Int64 = 0
    var eventHead: Int64 = 1
    var eventArchived: Int64 = -1
    var eventBytes: Int64 = 0
    var eventsDropped: Int64 = 0
    var paused: Int64 = 0
    var settings = QueueSettings()

    /// The moves of this transaction, packed; written before the commit.
    var moves: [UInt8] = []

    static let middle: Int64 = 1 << 40

    init(number: Int64) { self.number = number }

    /// What may still come in.
    var room: Int64 { Int64(settings.maxMessages) - ready - scheduled - leased - dead }

    /// Columns of the table `queue`, in the order of ``init(_:)`` and ``save(into:)``.
    static let columns = [
        "tail", "head", "clock", "horizon", "ready", "scheduled", "leased", "dead", "suspects",
        "ended", "enqueued", "completed", "retried", "released", "rejected", "forwarded",
        "cancelled", "lost", "redriven", "pruned", "event_tail", "event_head", "event_archived",
        "event_bytes", "events_dropped", "paused",
        "keep_ms", "keep_records", "keep_dead_ms", "keep_dead", "max_messages", "max_leased",
        "tracks_leases", "records_events",
    ]

    static let select =
        "SELECT number, \(columns.joined(separator: ", ")) FROM queue WHERE number = ?"
    static let update =
        "UPDATE queue SET \(columns.map { "\($0) = ?" }.joined(separator: ", ")) WHERE number = ?"
    static let insert =
        """
        INSERT INTO queue (\(columns.joined(separator: ", ")), number, name)
        VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")), ?, ?)
        """

    /// Reads a row of ``select``.
    init(from row: Statement) { self.init { row.int($0) } }

    /// Reads the number and then the columns.
    init(_ column: (Int32) -> Int64) {
        number = column(0)
        tail = column(1)
        head = column(2)
        clock = column(3)
        horizon = column(4)
        ready = column(5)
        scheduled = column(6)
        leased = column(7)
        dead = column(8)
        suspects = column(9)
        ended = column(10)
        enqueued = column(11)
        completed = column(12)
        retried = column(13)
        released = column(14)
        rejected = column(15)
        forwarded = column(16)
        cancelled = column(17)
        lost = column(18)
        redriven = column(19)
        pruned = column(20)
        eventTail = column(21)
        eventHead = column(22)
        eventArchived = column(23)
        eventBytes = column(24)
        eventsDropped = column(25)
        paused = column(26)
        settings.keepMilliseconds = column(27)
        settings.keepRecords = Int(column(28))
        settings.keepDeadMilliseconds = column(29)
        settings.keepDead = Int(column(30))
        settings.maxMessages = Int(column(31))
        let most = column(32)
        settings.maxLeased = most < 0 ? nil : Int(most)
        settings.tracksLeases = column(33) != 0
        settings.recordsEvents = column(34) != 0
    }

    /// Binds the columns and then the number, as ``update`` and ``insert`` want them.
    func save(into statement: Statement) {
        statement.bind(1, tail)
        statement.bind(2, head)
        statement.bind(3, clock)
        statement.bind(4, horizon)
        statement.bind(5, ready)
        statement.bind(6, scheduled)
        statement.bind(7, leased)
        statement.bind(8, dead)
        statement.bind(9, suspects)
        statement.bind(10, ended)
        statement.bind(11, enqueued)
        statement.bind(12, completed)
        statement.bind(13, retried)
        statement.bind(14, released)
        statement.bind(15, rejected)
        statement.bind(16, forwarded)
        statement.bind(17, cancelled)
        statement.bind(18, lost)
        statement.bind(19, redriven)
        statement.bind(20, pruned)
        statement.bind(21, eventTail)
        statement.bind(22, eventHead)
        statement.bind(23, eventArchived)
        statement.bind(24, eventBytes)
        statement.bind(25, eventsDropped)
        statement.bind(26, paused)
        statement.bind(27, settings.keepMilliseconds)
        statement.bind(28, settings.keepRecords)
        statement.bind(29, settings.keepDeadMilliseconds)
        statement.bind(30, settings.keepDead)
        statement.bind(31, settings.maxMessages)
        statement.bind(32, settings.maxLeased ?? -1)
        statement.bind(33, settings.tracksLeases ? 1 : 0)
        statement.bind(34, settings.recordsEvents ? 1 : 0)
        statement.bind(35, number)
    }
}
