// SPDX-License-Identifier: Apache-2.0

extension Ledger {
    /// Whether every target holds less than its maximum by what would come.
    package func hasRoom(for emissions: [Emission]) -> Bool {
        guard !emissions.isEmpty else { return true }
        var coming: [QueueName: Int] = [:]
        for emission in emissions { coming[emission.queue, default: 0] += 1 }
        return coming.allSatisfy { queue, count in
            guard let number = numbers[queue] else { return true }
            return books[number].held + count <= books[number].settings.maxMessages
        }
    }

    /// Nothing → ready, scheduled, or dead for a point that was given up. A known id adds nothing.
    package mutating func emit(_ emissions: [Emission], now: Timestamp) {
        for emission in emissions {
            let number = open(emission.queue)
            if let reason = emission.deadReason {
                books[number].bury(emission.message, reason, now)
            } else {
                _ = books[number].enqueue([emission.message], now)
            }
        }
    }
}

extension Book {
    /// Nothing → dead: a message that others made of what they gave up.
    mutating func bury(_ message: NewMessage, _ reason: String, _ now: Timestamp) {
        if index[message.id] != nil { return }
        let entry = Entry(
            id: message.id, priority: message.priority,
            sizeClass: Entry.sizeClass(ofBody: message.body.count), hasUniqueKey: false,
            kindHash: message.kind.hash, maxAttempts: message.maxAttempts, insertedAt: now,
            readyAt: now)
        let slot = add(
            Slot(entry: entry, state: .dead, kind: number(of: message.kind), body: message.body))
        tally.enqueued += 1
        tally.rejected += 1
        reasons[slot] = reason.cut(to: BrokerLimits.reasonBytes)
        bury(slot, now)
        if settings.recordsEvents {
            record([
                Event(
                    move: .reject, at: now,
                    token: LeaseToken(entry: entry, executedAt: now, nonce: 0),
                    text: reason.cut(to: Event.textBytes))
            ])
        }
    }
}
