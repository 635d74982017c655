// SPDX-License-Identifier: Apache-2.0

/// One queue of a ``Ledger``: a record for each message and the one index row of its state (I2).
struct Book: Sendable {
    /// The last move that a settle may be the repetition of.
    enum Mark: UInt8, Sendable {
        case none, ack, retry, release, reject, forward, cancel, reclaim
    }

    /// What is kept of a message.
    struct Slot: Sendable {
        var entry: Entry
        var state: MessageState
        var mark = Mark.none
        /// The current or the last run, and whether `entry.count` does not hold it yet.
        var hasRun = false
        var isUncounted = false
        /// Still in its line although it was cancelled; a reserve or purge drops it.
        var isGhost = false
        /// The record is gone and only the ghost is left.
        var isForgotten = false
        /// Which reclaim it came back by last; 0 when it came otherwise.
        var reclaimNumber: Int32 = 0
        /// Promoted by hand before its time.
        var wasHurried = false
        var kind: Int32
        var executedAt = Timestamp(milliseconds: 0)
        var nonce: UInt64 = 0
        /// The time of the last move that ended it or made it dead.
        var finishedAt = Timestamp(milliseconds: 0)
        var body: [UInt8]
    }

    /// A place in a line; `order` rises from head to tail.
    struct Waiting: Sendable {
        var order: Int64
        var slot: Int32
    }

    struct Ended: Sendable {
        var order: Int64
        var id: MessageID
        var at: Timestamp
        var isForward: Bool
    }

    var settings = QueueSettings()
    var isPaused = false

    var slots: [Slot] = []
    var vacant: [Int32] = []
    var index: [MessageID: Int32] = [:]

    var kinds: [Kind] = []
    var kindNumbers: [UInt32: Int32] = [:]

    /// Ready: kind × 16 + band × 2 + (suspect or not).
    var lines: [Ring<Waiting>] = []
    var headOrder: Int64 = 0
    var tailOrder: Int64 = 1
    var readyCount = 0
    var suspectCount = 0
    var ghostCount = 0
    /// A suspect joined its line since somebody last asked.
    var hasNewSuspect = false
    /// Raised by each reserve: the kinds of one priority take turns.
    var turn = 0

    var due = TimeHeap()
    var leases = TimeHeap()
    var dead = TimeHeap()
    var positions: [Int32] = []

    /// Finished records, oldest first, and the newest creation time among the pruned ids.
    var ended = Ring<Ended>()
    var endedOrder: Int64 = 0
    var horizon = Timestamp(milliseconds: .min)
    var reclaims: Int32 = 0

    var uniqueOwners: [String: MessageID] = [:]
    var uniqueNames: [Int32: String] = [:]
    var checkpoints: [Int32: [UInt8]] = [:]
    var attempts: [Int32: [MessageRecord.Attempt]] = [:]
    var reasons: [Int32: String] = [:]

    var tally = QueueCounts()
    var log = Log()

    /// Messages that take room: live, dead, and cancelled ones still in line.
    var held: Int { readyCount + ghostCount + due.count + leases.count + dead.count }

    // MARK: Slots

    func live(_ id: MessageID) -> Int32? {
        guard let slot = index[id], !slots[Int(slot)].isForgotten else { return nil }
        return slot
    }

    /// The slot whose lease this token is; nil when somebody else has it or nobody (I3).
    func holder(of token: LeaseToken) -> Int32? {
        guard let slot = index[token.id] else { return nil }
        let number = Int(slot)
        guard slots[number].state == .leased, slots[number].nonce == token.nonce,
            slots[number].executedAt == token.executedAt, slots[number].entry == token.entry
        else { return nil }
        return slot
    }

    /// Whether this very settle was already done.
    func isRepetition(of token: LeaseToken, _ mark: Mark) -> Bool {
        guard let slot = live(token.id) else { return false }
        let number = Int(slot)
        return slots[number].mark == mark && slots[number].hasRun
            && slots[number].nonce == token.nonce && slots[number].executedAt == token.executedAt
    }

    mutating func add(_ slot: Slot) -> Int32 {
        let number: Int32
        if let free = vacant.popLast() {
            number = free
            slots[Int(free)] = slot
        } else {
            number = Int32(slots.count)
            slots.append(slot)
            positions.append(-1)
        }
        index[slot.entry.id] = number
        return number
    }

    mutating func erase(_ slot: Int32) {
        index[slots[Int(slot)].entry.id] = nil
        slots[Int(slot)].body = []
        slots[Int(slot)].state = .completed
        vacant.append(slot)
    }

    mutating func number(of kind: Kind) -> Int32 {
        if let number = kindNumbers[kind.hash] { return number }
        let number = Int32(kinds.count)
        kinds.append(kind)
        kindNumbers[kind.hash] = number
        lines.append(contentsOf: repeatElement(Ring(), count: 16))
        return number
    }

    // MARK: Lines

    func line(of slot: Int32) -> Int {
        let number = Int(slot)
        let entry = slots[number].entry
        return Int(slots[number].kind) * 16 + Int(entry.priority.band) * 2
            + (entry.isSuspect ? 1 : 0)
    }

    mutating func joinTail(_ slot: Int32) {
        lines[line(of: slot)].append(Waiting(order: tailOrder, slot: slot))
        tailOrder += 1
        becomeReady(slot)
    }

    /// Puts them before everything else in their lines; the first of `returned` stands first.
    mutating func returnToHead(_ returned: [Int32]) {
        for slot in returned.reversed() {
            lines[line(of: slot)].prepend(Waiting(order: headOrder, slot: slot))
            headOrder -= 1
            becomeReady(slot)
        }
    }

    private mutating func becomeReady(_ slot: Int32) {
        slots[Int(slot)].state = .ready
        readyCount += 1
        if slots[Int(slot)].entry.isSuspect {
            suspectCount += 1
            hasNewSuspect = true
        }
    }

    /// What stands first in a line, ghosts dropped; `budget` bounds how many.
    mutating func head(of line: Int, _ budget: inout Int) -> Int32? {
        while let slot = lines[line].first?.slot {
            if !slots[Int(slot)].isGhost { return slot }
            if budget == 0 { return nil }
            budget -= 1
            _ = lines[line].popFirst()
            ghostCount -= 1
            slots[Int(slot)].isGhost = false
            if slots[Int(slot)].isForgotten { erase(slot) }
        }
        return nil
    }

    /// Takes the head, which must not be a ghost, out of the line.
    mutating func leave(_ line: Int) {
        guard let slot = lines[line].popFirst()?.slot else { return }
        readyCount -= 1
        if slots[Int(slot)].entry.isSuspect { suspectCount -= 1 }
    }

    // MARK: Unique keys

    /// The key is free from now on (I9); a dead letter keeps the name for its redrive.
    mutating func freeKey(of slot: Int32, keepsName: Bool = false) {
        guard slots[Int(slot)].entry.hasUniqueKey, let key = uniqueNames[slot] else { return }
        if uniqueOwners[key] == slots[Int(slot)].entry.id { uniqueOwners[key] = nil }
        if !keepsName { uniqueNames[slot] = nil }
    }
}
