// SPDX-License-Identifier: Apache-2.0

extension Ledger {
    /// Nothing → ready or scheduled, each message by itself, in their order.
    package mutating func enqueue(
        _ messages: [NewMessage], to queue: QueueName, now: Timestamp
    ) -> [EnqueueOutcome] {
        steps += 1
        return books[open(queue)].enqueue(messages, now)
    }

    /// A kind of `messages` whose hash is that of another kind in the queue, and that one.
    package func clash(of messages: [NewMessage], in queue: QueueName) -> (Kind, Kind)? {
        guard let number = numbers[queue] else { return nil }
        var last: Kind?
        for message in messages where message.kind != last {
            last = message.kind
            guard let known = books[number].kindNumbers[message.kind.hash] else { continue }
            let other = books[number].kinds[Int(known)]
            if other != message.kind { return (message.kind, other) }
        }
        return nil
    }

    /// Whether the queue holds its maximum.
    package func isFull(_ queue: QueueName) -> Bool {
        guard let number = numbers[queue] else { return false }
        return books[number].held >= books[number].settings.maxMessages
    }
}

extension Book {
    mutating func enqueue(_ messages: [NewMessage], _ now: Timestamp) -> [EnqueueOutcome] {
        var outcomes: [EnqueueOutcome] = []
        outcomes.reserveCapacity(messages.count)
        for message in messages { outcomes.append(enqueue(message, now)) }
        return outcomes
    }

    private mutating func enqueue(_ message: NewMessage, _ now: Timestamp) -> EnqueueOutcome {
        if index[message.id] != nil { return .known }
        if message.isResend, let created = message.id.timestamp, created <= horizon {
            return .unknown
        }
        if let key = message.uniqueKey, let owner = uniqueOwners[key] {
            return .duplicate(of: owner)
        }
        if held >= settings.maxMessages { return .full }
        let readyAt =
            switch message.due {
            case .now: now
            case .after(let delay): Timestamp.moment(delay, after: now)
            case .at(let moment): min(max(moment, now), .latest)
            }
        let entry = Entry(
            id: message.id, priority: message.priority,
            sizeClass: Entry.sizeClass(ofBody: message.body.count),
            hasUniqueKey: message.uniqueKey != nil, kindHash: message.kind.hash,
            maxAttempts: message.maxAttempts, insertedAt: now, readyAt: readyAt)
        let slot = add(
            Slot(entry: entry, state: .ready, kind: number(of: message.kind), body: message.body))
        if let key = message.uniqueKey {
            uniqueOwners[key] = message.id
            uniqueNames[slot] = key
        }
        place(slot, now)
        return .enqueued
    }

    /// Into the line or, when it is due later, among the scheduled.
    private mutating func place(_ slot: Int32, _ now: Timestamp) {
        tally.enqueued += 1
        let entry = slots[Int(slot)].entry
        if entry.readyAt > now {
            schedule(slot, at: entry.readyAt)
        } else {
            joinTail(slot)
        }
    }

    mutating func schedule(_ slot: Int32, at due: Timestamp) {
        slots[Int(slot)].state = .scheduled
        self.due.insert(
            TimeHeap.Node(
                time: due.milliseconds, place: 0, slot: slot, id: slots[Int(slot)].entry.id),
            &positions)
    }

    /// How a forwarded message was met at its target.
    enum Arrival {
        case settled
        case busy
    }

    /// Takes in a message that another queue forwards: same id, next epoch; attempt, lost, checkpoint
    /// and unique key stay behind. A copy that is as new is the repetition of this very forward; an
    /// older one that was forwarded away gives way; an older one that is live makes it wait.
    mutating func arrive(_ entry: Entry, _ kind: Kind, _ body: [UInt8], _ now: Timestamp) -> Arrival
    {
        var next = entry
        next.epoch = (entry.epoch + 1) & 0xFF_FFFF
        next.hasUniqueKey = false
        next.insertedAt = now
        next.readyAt = now
        next.attempt = 0
        next.lost = 0
        next.generation = 0
        next.count = 0
        let known = index[entry.id]
        if let known {
            let slot = slots[Int(known)]
            if slot.isForgotten || slot.entry.epoch >= next.epoch { return .settled }
            switch slot.state {
            case .forwarded: break
            case .ready, .scheduled, .leased: return .busy
            case .completed, .dead, .cancelled: return .settled
            }
        }
        if held >= settings.maxMessages { return .busy }
        let fresh = Slot(entry: next, state: .ready, kind: number(of: kind), body: body)
        let slot: Int32
        if let known {
            slots[Int(known)] = fresh
            reasons[known] = nil
            slot = known
        } else {
            slot = add(fresh)
        }
        place(slot, now)
        return .settled
    }
}

extension Timestamp {
    /// The last moment that six bytes hold.
    package static let latest = Timestamp(milliseconds: 0xFFFF_FFFF_FFFF)

    /// `delay` after `now`; never before it, never after ``latest``.
    package static func moment(_ delay: Duration, after now: Timestamp) -> Timestamp {
        let delay = max(0, min(delay.milliseconds, latest.milliseconds))
        return min(Timestamp(milliseconds: now.milliseconds + delay), latest)
    }
}
