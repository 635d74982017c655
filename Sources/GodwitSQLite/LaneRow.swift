// SPDX-License-Identifier: Apache-2.0
import Godwit

/// The row of one lane without its state, as the words look at it.
///
///     places of its points:  bottom … first … head … next
///                             trimmed  window  waiting
///
/// What is trimmed from the window is gone for everybody at once, and from the file a few at a time,
/// so that a commit of one point seldom touches a page of points.
struct LaneRow {
    var number: Int64
    var key: [UInt8]
    var phase: Int64
    var order: Int64
    /// Breaks ties of `order`: which lease was handed out first, or which parked key comes first.
    var turn: Int64
    var nonce: UInt64
    var attempt: Int64
    var lost: Int64
    /// How many points were handled or given up.
    var position: UInt64
    /// Another one after a replay, and for a key that was made anew.
    var birth: Int64
    /// The place of the oldest point in the file, of the oldest in the window, of the oldest that
    /// waits, and of the next to come.
    var bottom: Int64
    var first: Int64
    var head: Int64
    var next: Int64
    /// How many points the window holds; fewer than its places where one was skipped.
    var kept: Int64
    /// The newest id among the handled points, and of all.
    var newest: PointID
    var last: PointID
    var handledAt: Int64?
    var reason: [UInt8]?
    /// The state stands in the table `lane_state`.
    var hasLargeState = false

    static let columns = """
        number, key, phase, ord, turn, nonce, attempt, lost, position, bottom, first, head, next, \
        kept, newest, last, handled_at, reason, birth, state
        """

    /// A key that nobody has seen.
    init(key: [UInt8], _ number: Int64 = 0) {
        self.number = number
        self.key = key
        phase = Phase.idle
        order = 0
        turn = 0
        nonce = 0
        attempt = 0
        lost = 0
        position = 0
        birth = 0
        bottom = 0
        first = 0
        head = 0
        next = 0
        kept = 0
        newest = .none
        last = .none
    }

    /// Reads a row of ``columns``.
    init(from row: Statement) {
        number = row.int(0)
        key = row.bytes(1)
        phase = row.int(2)
        order = row.int(3)
        turn = row.int(4)
        nonce = UInt64(bitPattern: row.int(5))
        attempt = row.int(6)
        lost = row.int(7)
        position = UInt64(bitPattern: row.int(8))
        bottom = row.int(9)
        first = row.int(10)
        head = row.int(11)
        next = row.int(12)
        kept = row.int(13)
        newest = PointID(stored: row.int(14))
        last = PointID(stored: row.int(15))
        handledAt = row.isNull(16) ? nil : row.int(16)
        reason = row.isNull(17) ? nil : row.bytes(17)
        birth = row.int(18)
        hasLargeState = row.isInteger(19)
    }

    var pending: Int64 { next - head }
    var isSuspect: Bool { lost >= 2 }
    /// A token of this lease; nothing else may move a leased lane (I3).
    func isHeld(by nonce: UInt64) -> Bool { phase == Phase.leased && self.nonce == nonce }

    /// The front of the key as a number that sorts like it.
    var keyTurn: Int64 {
        var front: UInt64 = 0
        for index in 0..<8 { front = front << 8 | (index < key.count ? UInt64(key[index]) : 0) }
        return Int64(bitPattern: front ^ 1 << 63)
    }

    /// The first waiting point leaves no debt.
    mutating func clearDebt() {
        attempt = 0
        lost = 0
        reason = nil
    }
}

extension PointID {
    /// As SQLite keeps it.
    init(stored: Int64) { self.init(rawValue: UInt64(bitPattern: stored)) }

    var stored: Int64 { Int64(bitPattern: rawValue) }
}
