// SPDX-License-Identifier: Apache-2.0

extension Ledger {
    /// Dead → ready at the tail, as a new generation.
    package mutating func redrive(
        _ ids: [MessageID], in queue: QueueName, now: Timestamp
    ) -> [RedriveOutcome] {
        steps += 1
        return books[open(queue)].redrive(ids, now)
    }

    /// Ready, scheduled, leased, dead → cancelled.
    package mutating func cancel(
        _ ids: [MessageID], in queue: QueueName, now: Timestamp
    ) -> [Bool] {
        steps += 1
        return books[open(queue)].cancel(ids, now)
    }

    /// Scheduled → ready at the tail, before it is due.
    package mutating func promote(
        _ ids: [MessageID], in queue: QueueName, now: Timestamp
    ) -> [Bool] {
        steps += 1
        return books[open(queue)].promote(ids, now)
    }

    package mutating func pause(_ queue: QueueName) {
        steps += 1
        books[open(queue)].isPaused = true
    }

    package mutating func resume(_ queue: QueueName) {
        steps += 1
        books[open(queue)].isPaused = false
    }

    /// Ready → cancelled, from the head of the first line that holds something.
    package mutating func purge(_ queue: QueueName, limit: Int, now: Timestamp) -> Int {
        steps += 1
        return books[open(queue)].purge(limit, now)
    }

    package func settings(of queue: QueueName) -> QueueSettings {
        numbers[queue].map { books[$0].settings } ?? QueueSettings()
    }

    package mutating func apply(_ settings: QueueSettings, to queue: QueueName) {
        steps += 1
        books[open(queue)].settings = settings
    }
}

extension Book {
    mutating func redrive(_ ids: [MessageID], _ now: Timestamp) -> [RedriveOutcome] {
        var events: [Event] = []
        let outcomes = ids.map { id -> RedriveOutcome in
            guard let slot = live(id), slots[Int(slot)].state == .dead else { return .notDead }
            let number = Int(slot)
            let old = slots[number].entry
            if old.hasUniqueKey, let key = uniqueNames[slot] {
                if let owner = uniqueOwners[key] { return .uniqueKeyTaken(by: owner) }
                uniqueOwners[key] = id
            }
            dead.remove(slot, &positions)
            reasons[slot] = nil
            slots[number].entry = old.requeued(
                at: now, attempt: 0, lost: 0, generation: old.generation &+ 1, ran: false)
            slots[number].mark = .none
            slots[number].hasRun = false
            joinTail(slot)
            tally.redriven += 1
            events.append(event(.redrive, of: old, now))
            return .redriven
        }
        record(events)
        return outcomes
    }

    mutating func cancel(_ ids: [MessageID], _ now: Timestamp) -> [Bool] {
        var events: [Event] = []
        let outcomes = ids.map { id -> Bool in
            guard let slot = live(id), !slots[Int(slot)].state.hasEnded else { return false }
            let number = Int(slot)
            let run = slots[number]
            switch run.state {
            case .leased: leases.remove(slot, &positions)
            case .scheduled: due.remove(slot, &positions)
            case .dead: dead.remove(slot, &positions)
            default:
                // Why: a line has no index; the ghost is dropped by whoever reaches it.
                slots[number].isGhost = true
                ghostCount += 1
                readyCount -= 1
                if run.entry.isSuspect { suspectCount -= 1 }
            }
            end(slot, as: .cancelled, .cancel, now)
            tally.cancelled += 1
            let token = LeaseToken(
                entry: run.entry,
                executedAt: run.hasRun ? run.executedAt : Timestamp(milliseconds: 0),
                nonce: run.hasRun ? run.nonce : 0)
            events.append(Event(move: .cancel, at: now, token: token))
            return true
        }
        if !events.isEmpty { trim(events.count, now) }
        record(events)
        return outcomes
    }

    mutating func promote(_ ids: [MessageID], _ now: Timestamp) -> [Bool] {
        ids.map { id in
            guard let slot = live(id), slots[Int(slot)].state == .scheduled else { return false }
            due.remove(slot, &positions)
            // Why: a wait is counted from the moment it could first be worked, and that is now.
            slots[Int(slot)].entry.readyAt = min(now, slots[Int(slot)].entry.readyAt)
            slots[Int(slot)].wasHurried = true
            joinTail(slot)
            return true
        }
    }

    mutating func purge(_ limit: Int, _ now: Timestamp) -> Int {
        var events: [Event] = []
        var purged = 0
        var budget = Ledger.ghostLimit
        for band in 0..<8 {
            for kind in kinds.indices {
                for line in [kind * 16 + band * 2, kind * 16 + band * 2 + 1] {
                    while purged < limit, let slot = head(of: line, &budget) {
                        let entry = slots[Int(slot)].entry
                        leave(line)
                        end(slot, as: .cancelled, .cancel, now)
                        events.append(event(.purge, of: entry, now, "purged"))
                        purged += 1
                    }
                }
            }
        }
        tally.cancelled += purged
        if purged > 0 { trim(purged, now) }
        record(events)
        return purged
    }

    /// A move of a message that no worker holds: its token has no time and no nonce.
    private func event(
        _ move: Event.Move, of entry: Entry, _ now: Timestamp, _ text: String = ""
    ) -> Event {
        let token = LeaseToken(entry: entry, executedAt: Timestamp(milliseconds: 0), nonce: 0)
        return Event(move: move, at: now, token: token, text: text)
    }
}
