// SPDX-License-Identifier: Apache-2.0

extension Ledger {
    /// Takes over what another broker handed out, or says which invariant it breaks.
    ///
    /// The ledger does not predict a choice between kinds of one priority, nor between a suspect and
    /// the others, and takes fewer than were asked for; whether a broker ever comes to an end is seen
    /// by draining it. What is accepted is applied, with the broker's own tokens. After a violation
    /// the ledger is not to be used any more.
    package mutating func accept(
        _ reservation: Reservation, for request: ReserveRequest, from queue: QueueName,
        now: Timestamp
    ) throws(LedgerViolation) {
        steps += 1
        do throws(Objection) {
            try books[open(queue)].accept(reservation, request, now)
        } catch {
            throw LedgerViolation(
                invariant: error.invariant, step: steps, queue: queue, reason: error.reason)
        }
    }

    /// Whether a cancelled message's record is gone while it still stands in its line: then a broker
    /// may know its id or not.
    package func isTombstone(_ id: MessageID, in queue: QueueName) -> Bool {
        guard let number = numbers[queue], let slot = books[number].index[id] else { return false }
        return books[number].slots[Int(slot)].isForgotten
    }
}

/// A violation before it is known where it happened.
struct Objection: Error {
    var invariant: LedgerViolation.Invariant
    var reason: String

    init(_ invariant: LedgerViolation.Invariant, _ reason: String) {
        self.invariant = invariant
        self.reason = reason
    }
}

extension Book {
    mutating func accept(
        _ reservation: Reservation, _ request: ReserveRequest, _ now: Timestamp
    ) throws(Objection) {
        promote(Ledger.upkeepLimit, now)
        try judgeEnvelope(reservation, request, now)
        var bytes = request.bytes
        var hasSuspect = false
        for (place, message) in reservation.messages.enumerated() {
            let slot = try find(message, request, now)
            let entry = slots[Int(slot)].entry
            try judgeEntry(message.token.entry, of: slot)
            try judgeContent(message, of: slot)
            if entry.isSuspect {
                guard request.takesSuspects else {
                    throw Objection(.i6, "suspect \(entry.id) went to a worker that is not empty")
                }
                hasSuspect = true
            } else {
                try judgePriority(of: slot, request)
            }
            if place > 0, hasSuspect {
                throw Objection(.i6, "a suspect was handed out in company")
            }
            if place > 0, entry.sizeBound > bytes {
                throw Objection(
                    .i10, "\(entry.id) goes past the \(request.bytes) bytes asked for")
            }
            bytes -= entry.sizeBound
            if entry.maxAttempts == 1, !entry.isSuspect,
                place >= request.freeSlots ?? request.count
            {
                throw Objection(
                    .i6, "\(entry.id) has one attempt and was handed out without a slot")
            }
            try takeHead(slot)
            lease(
                slot, executedAt: now, nonce: message.token.nonce, until: reservation.deadline,
                place: place)
            // The lease holds the entry as the broker wrote it.
            slots[Int(slot)].entry = message.token.entry
        }
    }

    private func judgeEnvelope(
        _ reservation: Reservation, _ request: ReserveRequest, _ now: Timestamp
    ) throws(Objection) {
        if reservation.now != now {
            throw Objection(
                .i4,
                "the broker's clock says \(reservation.now.milliseconds), not \(now.milliseconds)")
        }
        if reservation.messages.isEmpty {
            if let due = reservation.nextDue, due != nextDue {
                throw Objection(.i8, "nextDue is \(due.milliseconds), not the first due")
            }
            return
        }
        if reservation.deadline != Timestamp.moment(request.lease, after: now) {
            throw Objection(.i4, "the deadline is not \(request.lease) from now")
        }
        if isPaused { throw Objection(.i10, "the queue is paused") }
        if reservation.messages.count > request.count {
            throw Objection(
                .i10, "\(reservation.messages.count) handed out, \(request.count) asked for")
        }
        if reservation.messages.count > leasesLeft {
            throw Objection(.i10, "more leases than maxLeased allows")
        }
    }

    /// The message in the ledger, which must be ready.
    private func find(
        _ message: LeasedMessage, _ request: ReserveRequest, _ now: Timestamp
    ) throws(Objection) -> Int32 {
        let id = message.token.id
        guard let slot = live(id) else {
            throw Objection(.i1, "\(id) was never accepted, or is long gone")
        }
        switch slots[Int(slot)].state {
        case .ready: break
        case .leased: throw Objection(.i4, "\(id) is leased already")
        case .scheduled: throw Objection(.i8, "\(id) is not due yet")
        case .completed, .dead, .cancelled, .forwarded:
            throw Objection(.i2, "\(id) is \(slots[Int(slot)].state.rawValue)")
        }
        if message.token.executedAt != now {
            throw Objection(.i4, "\(id) was not handed out at the time its token says")
        }
        if UInt32(truncatingIfNeeded: message.token.nonce >> 32) != request.worker {
            throw Objection(.i3, "the token of \(id) names another worker")
        }
        if let kinds = request.kinds,
            !kinds.contains(where: { $0.hash == slots[Int(slot)].entry.kindHash })
        {
            throw Objection(.i11, "\(id) is of a kind that was not asked for")
        }
        return slot
    }

    private func judgeEntry(_ entry: Entry, of slot: Int32) throws(Objection) {
        var own = slots[Int(slot)].entry
        let id = own.id
        if own == entry { return }
        if own.attempt != entry.attempt || own.lost != entry.lost || own.count != entry.count {
            throw Objection(
                .i6,
                "\(id) has attempt \(entry.attempt), lost \(entry.lost), count \(entry.count); "
                    + "it should be \(own.attempt), \(own.lost), \(own.count)")
        }
        if own.epoch != entry.epoch || own.generation != entry.generation {
            throw Objection(
                .i3,
                "\(id) is run \(entry.generation).\(entry.epoch), "
                    + "and should be \(own.generation).\(own.epoch)")
        }
        // Promoted by hand: the due time that it had, or the moment, are both an answer.
        if slots[Int(slot)].wasHurried { own.readyAt = entry.readyAt }
        if own != entry {
            throw Objection(.i1, "the entry of \(id) is \(entry), and should be \(own)")
        }
    }

    private func judgeContent(_ message: LeasedMessage, of slot: Int32) throws(Objection) {
        if message.body != slots[Int(slot)].body {
            throw Objection(.i1, "the body of \(message.token.id) is not what was enqueued")
        }
        if message.checkpoint != checkpoints[slot] {
            throw Objection(.i1, "the checkpoint of \(message.token.id) is not what was kept")
        }
    }

    private mutating func judgePriority(
        of slot: Int32, _ request: ReserveRequest
    ) throws(Objection) {
        let own = slots[Int(slot)].entry
        for band in 0..<Int(own.priority.band) {
            for kind in rotated(request.kinds) {
                var budget = Int.max
                if let first = head(of: kind * 16 + band * 2, &budget) {
                    throw Objection(
                        .priority,
                        "\(own.id) of priority \(own.priority) went before "
                            + "\(slots[Int(first)].entry.id) of priority \(band)")
                }
            }
        }
    }

    private mutating func takeHead(_ slot: Int32) throws(Objection) {
        let line = line(of: slot)
        var budget = Int.max
        guard var first = head(of: line, &budget) else {
            throw Objection(.i2, "\(slots[Int(slot)].entry.id) is ready, but not in its line")
        }
        // Why: leases that ran out at one moment and came back by one call may stand in any order
        // among themselves, since stores break such ties each in their own way.
        let reclaim = slots[Int(first)].reclaimNumber
        if first != slot, reclaim != 0, slots[Int(slot)].reclaimNumber == reclaim,
            let position = (0..<lines[line].count).first(where: { lines[line][$0]?.slot == slot })
        {
            lines[line].bringToHead(position)
            first = slot
        }
        if first != slot {
            throw Objection(
                .order,
                "\(slots[Int(slot)].entry.id) went before \(slots[Int(first)].entry.id), "
                    + "which stands before it")
        }
        leave(line)
    }
}
