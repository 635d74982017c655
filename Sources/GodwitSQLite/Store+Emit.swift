// SPDX-License-Identifier: Apache-2.0
import Godwit

/// Messages that go out with a lane's commit, in the same transaction.
extension Store {
    /// Whether every target holds less than its maximum by what would come.
    func hasRoom(for emissions: [Emission]) throws(StoreFault) -> Bool {
        if emissions.isEmpty { return true }
        var coming: [QueueName: Int64] = [:]
        for emission in emissions { coming[emission.queue, default: 0] += 1 }
        for (queue, count) in coming {
            if try open(queue).room < count { return false }
        }
        return true
    }

    func registerKinds(of emissions: [Emission]) throws(StoreFault) {
        for emission in emissions {
            try register(emission.message.kind, in: open(emission.queue).number)
        }
    }

    /// Nothing → ready, scheduled, or dead for a point that was given up. A known id adds nothing.
    func emit(_ emissions: [Emission]) throws(StoreFault) {
        for emission in emissions {
            if let reason = emission.deadReason {
                try bury(emission.message, in: emission.queue, reason)
            } else {
                _ = try enqueue([emission.message], to: emission.queue)
            }
        }
    }

    /// Nothing → dead: a message that others made of what they gave up.
    private func bury(
        _ message: NewMessage, in name: QueueName, _ reason: String
    ) throws(StoreFault) {
        var queue = try open(name)
        let key = Key(message.id)
        if try row(key, queue.number) != nil { return }
        let moment = Timestamp(milliseconds: now)
        let entry = Entry(
            id: message.id, priority: message.priority,
            sizeClass: Entry.sizeClass(ofBody: message.body.count), hasUniqueKey: false,
            kindHash: message.kind.hash, maxAttempts: message.maxAttempts, insertedAt: moment,
            readyAt: moment)
        guard try insert(entry, message.body, hasAside: false, &queue),
            var row = try row(key, queue.number)
        else { return }
        try requeue(
            &row, Stage.dead, queue.tail, now, Letter.none,
            reason.cut(to: BrokerLimits.reasonBytes), queue.number)
        queue.ready -= 1
        queue.dead += 1
        queue.rejected += 1
        queue.note(
            .reject, LeaseToken(entry: entry, executedAt: moment, nonce: 0),
            reason.cut(to: Event.textBytes))
        put(queue)
    }
}
