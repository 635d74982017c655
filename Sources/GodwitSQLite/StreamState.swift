// SPDX-License-Identifier: Apache-2.0
import Godwit

/// The row of one stream: read once per transaction, changed in memory, written once before the commit.
struct StreamState {
    var number: Int64
    /// The order of the last ready lane at the tail; rises. See ``QueueState/tail``.
    var tail: Int64 = QueueState.middle
    /// The order of the last ready lane at the head; falls.
    var head: Int64 = QueueState.middle
    /// Rises with each lease: which of two was handed out first.
    var leases: Int64 = 0
    /// Rises with each key that is made or replayed.
    var births: Int64 = 0
    /// The latest time written; see ``QueueState/clock``.
    var clock: Int64 = 0
    var idle: Int64 = 0
    /// Without the suspects.
    var ready: Int64 = 0
    var suspects: Int64 = 0
    var leased: Int64 = 0
    var parked: Int64 = 0
    var blocked: Int64 = 0
    /// Points that wait or run.
    var pending: Int64 = 0
    var appended: Int64 = 0
    var handled: Int64 = 0
    var dead: Int64 = 0
    var late: Int64 = 0
    var dropped: Int64 = 0

    init(number: Int64) { self.number = number }

    /// Columns of the table `stream`, in the order of ``init(_:)`` and ``save(into:)``.
    static let columns = [
        "tail", "head", "leases", "births", "clock", "idle", "ready", "suspects", "leased",
        "parked",
        "blocked", "pending", "appended", "handled", "dead", "late", "dropped",
    ]

    static let select =
        "SELECT number, \(columns.joined(separator: ", ")) FROM stream WHERE number = ?"
    static let update =
        "UPDATE stream SET \(columns.map { "\($0) = ?" }.joined(separator: ", ")) WHERE number = ?"
    static let insert =
        """
        INSERT INTO stream (\(columns.joined(separator: ", ")), number, name)
        VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")), ?, ?)
        """

    /// Reads the number and then the columns.
    init(_ column: (Int32) -> Int64) {
        number = column(0)
        tail = column(1)
        head = column(2)
        leases = column(3)
        births = column(4)
        clock = column(5)
        idle = column(6)
        ready = column(7)
        suspects = column(8)
        leased = column(9)
        parked = column(10)
        blocked = column(11)
        pending = column(12)
        appended = column(13)
        handled = column(14)
        dead = column(15)
        late = column(16)
        dropped = column(17)
    }

    /// Binds the columns and then the number, as ``update`` and ``insert`` want them.
    func save(into statement: Statement) {
        let values = [
            tail, head, leases, births, clock, idle, ready, suspects, leased, parked, blocked,
            pending,
            appended, handled, dead, late, dropped, number,
        ]
        for (index, value) in values.enumerated() { statement.bind(Int32(index + 1), value) }
    }

    /// Counts a lane in (`by` = 1) or out (-1) of a phase.
    mutating func count(_ phase: Int64, _ by: Int64) {
        switch phase {
        case Phase.ready: ready += by
        case Phase.suspect: suspects += by
        case Phase.leased: leased += by
        case Phase.parked: parked += by
        case Phase.blocked: blocked += by
        default: idle += by
        }
    }

    var counts: StreamCounts {
        var counts = StreamCounts()
        counts.idle = Int(idle)
        counts.ready = Int(ready + suspects)
        counts.leased = Int(leased)
        counts.parked = Int(parked)
        counts.blocked = Int(blocked)
        counts.pending = Int(pending)
        counts.appended = Int(appended)
        counts.handled = Int(handled)
        counts.dead = Int(dead)
        counts.late = Int(late)
        counts.dropped = Int(dropped)
        return counts
    }
}
