// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import Godwit

extension Store {
    /// Leased → where each verdict sends it; a token that is not the current one changes nothing.
    func settle(
        _ settlements: [Settlement], in name: QueueName
    ) throws(StoreFault) -> [SettleOutcome] {
        var queue = try open(name)
        var outcomes: [SettleOutcome] = []
        outcomes.reserveCapacity(settlements.count)
        wakeIfLimited(queue)
        // Why counted first: released messages stand at the head in the order of their tokens.
        queue.head -= Int64(settlements.count)
        var place = queue.head
        var endings = 0
        for settlement in settlements {
            let token = settlement.token
            if case .ack = settlement.verdict, try ack(token, &queue) {
                endings += 1
                outcomes.append(.done)
                continue
            }
            guard var row = try row(Key(token.id), queue.number) else {
                outcomes.append(.stale)
                continue
            }
            guard row.isHeld(by: token) else {
                let isDone = row.isRepetition(of: token, settlement.verdict)
                outcomes.append(isDone ? .done : .stale)
                continue
            }
            let entry = token.entry
            switch settlement.verdict {
            case .ack:
                queue.completed += 1
                queue.note(.ack, token)
                try end(row, as: Stage.completed, &queue)
                endings += 1
            case .retry(let delay, let reason):
                let reason = reason.cut(to: BrokerLimits.reasonBytes)
                let due = Timestamp.milliseconds(delay, after: now)
                try remember(&row, .retry, reason, queue.number)
                queue.note(.retry, token, reason)
                row.token = token.with(
                    entry.after(attempt: entry.attempt.addingOne, readyAt: due))
                try requeue(&row, Stage.scheduled, place, due, Letter.retry, reason, queue.number)
                queue.retried += 1
                queue.scheduled += 1
                wake(queue.number, entry.kindHash)
            case .reject(let reason):
                let reason = reason.cut(to: BrokerLimits.reasonBytes)
                try remember(&row, .reject, reason, queue.number)
                queue.note(.reject, token, reason)
                row.token = token.with(
                    entry.after(attempt: entry.attempt.addingOne, readyAt: now))
                try requeue(&row, Stage.dead, place, now, Letter.reject, reason, queue.number)
                try freeUnique(row, queue.number)
                queue.rejected += 1
                queue.dead += 1
            case .release:
                queue.note(.release, token)
                row.token = token.with(entry.after(attempt: entry.attempt, readyAt: now))
                try requeueKeepingReason(&row, place, Letter.release, queue.number)
                place += 1
                queue.released += 1
                queue.ready += 1
                if entry.isSuspect { queue.suspects += 1 }
                wake(queue.number, entry.kindHash)
            case .forward(let target):
                put(queue)
                guard try arrive(row, at: target, from: name, queue.number) else {
                    outcomes.append(.targetBusy)
                    continue
                }
                queue.note(.forward, token, target.text)
                queue.forwarded += 1
                try end(row, as: Stage.forwarded, reason: target.text, &queue)
                endings += 1
            }
            queue.leased -= 1
            outcomes.append(.done)
        }
        if endings > 0 { try trim(endings, &queue) }
        put(queue)
        return outcomes
    }

    /// The usual case in one statement; false when it needs a closer look, and nothing was changed.
    @inline(__always)
    private func ack(_ token: LeaseToken, _ queue: inout QueueState) throws(StoreFault) -> Bool {
        let update = sql.ack
        update.bind(1, queue.tail + 1)
        update.bind(2, now)
        update.bind(3, id: Key(token.id).pair)
        update.bind(5, queue.number)
        try token.withTail { (tail) throws(StoreFault) in
            update.bind(6, pinned: tail)
            try update.run()
        }
        guard changes == 1 else { return false }
        queue.tail += 1
        queue.ended += 1
        queue.completed += 1
        queue.leased -= 1
        queue.note(.ack, token)
        return true
    }

    // MARK: Moves that several words make

    /// Writes `row` with its entry as it waits now.
    func requeue(
        _ row: inout MessageRow, _ state: Int64, _ place: Int64, _ at: Int64, _ letter: Int64,
        _ reason: String?, _ queue: Int64
    ) throws(StoreFault) {
        let update = sql.requeue
        update.bind(1, state)
        update.bind(2, Lane.of(row.token.entry))
        update.bind(3, place)
        update.bind(4, at)
        update.bind(6, letter)
        update.bind(7, row.aside)
        update.bind(8, utf8: reason)
        update.bind(9, id: row.key.pair)
        update.bind(11, queue)
        try row.token.withTail { (tail) throws(StoreFault) in
            update.bind(5, pinned: tail)
            try update.run()
        }
    }

    private func requeueKeepingReason(
        _ row: inout MessageRow, _ place: Int64, _ letter: Int64, _ queue: Int64
    ) throws(StoreFault) {
        try requeue(
            &row, Stage.ready, place, now, letter, try reason(of: row.key, queue), queue)
    }

    func reason(of key: Key, _ queue: Int64) throws(StoreFault) -> String? {
        let select = sql.selectMessage
        select.bind(1, id: key.pair)
        select.bind(3, queue)
        defer { select.reset() }
        return try select.step() ? select.utf8(7) : nil
    }

    /// → ended: the record stays for a while, everything else is freed. The caller counts and trims.
    func end(
        _ row: MessageRow, as state: Int64, letter: Int64 = Letter.none, reason: String? = nil,
        _ queue: inout QueueState
    ) throws(StoreFault) {
        if row.state != Stage.dead { try freeUnique(row, queue.number) }
        if row.hasAside { try deleteAside(row.key, queue.number) }
        if row.aside & Aside.body != 0, let number = try bodyNumber(row.key, queue.number) {
            try deleteBody(number)
        }
        queue.tail += 1
        queue.ended += 1
        let update = sql.end
        update.bind(1, state)
        update.bind(2, queue.tail)
        update.bind(3, now)
        update.bind(4, letter)
        update.bind(5, utf8: reason)
        update.bind(6, id: row.key.pair)
        update.bind(8, queue.number)
        try update.run()
    }

    func bodyNumber(_ key: Key, _ queue: Int64) throws(StoreFault) -> Int64? {
        let select = sql.selectMessage
        select.bind(1, id: key.pair)
        select.bind(3, queue)
        defer { select.reset() }
        return try select.step() && select.isInteger(5) ? select.int(5) : nil
    }

    /// Takes a forwarded message into `target`: same id, next epoch; attempt, lost, checkpoint and
    /// unique key stay behind. A copy that is as new is the repetition of this very forward; an older
    /// one that was forwarded away gives way; false when an older one is live, there is no room, or its
    /// kind has the hash of another one there.
    private func arrive(
        _ row: MessageRow, at target: QueueName, from source: QueueName, _ sourceNumber: Int64
    ) throws(StoreFault) -> Bool {
        var queue = try open(target)
        var entry = row.token.entry
        let hash = entry.kindHash
        entry.epoch = (entry.epoch + 1) & 0xFF_FFFF
        entry.hasUniqueKey = false
        entry.insertedAt = Timestamp(milliseconds: now)
        entry.readyAt = entry.insertedAt
        entry.attempt = 0
        entry.lost = 0
        entry.generation = 0
        entry.count = 0
        let known = try self.row(row.key, queue.number)
        if let known {
            if known.token.entry.epoch >= entry.epoch { return true }
            switch known.state {
            case Stage.forwarded: break
            case Stage.completed, Stage.dead, Stage.cancelled: return true
            default: return false
            }
        }
        guard queue.room > 0 else { return false }
        // A body that is gone can't travel: the message stays here, where it can be looked at.
        guard let body = try body(of: row.key, sourceNumber) else { return false }
        // Why asked first: a refusal of this one place must not take back what is settled beside it.
        let kind = try self.kind(hash, sourceNumber)
        if let kind, try isTaken(kind, in: queue.number) { return false }
        if known != nil {
            try delete(row.key, queue.number)
            queue.ended -= 1
        }
        if let kind { try register(kind, in: queue.number) }
        guard try insert(entry, body, hasAside: false, &queue) else { return false }
        wake(queue.number, hash)
        put(queue)
        return true
    }

    private func kind(_ hash: UInt32, _ queue: Int64) throws(StoreFault) -> Kind? {
        sql.findKind.bind(1, queue)
        sql.findKind.bind(2, Int64(hash))
        defer { sql.findKind.reset() }
        guard try sql.findKind.step(), let name = sql.findKind.text(0) else { return nil }
        return try? Kind(name)
    }

    func delete(_ key: Key, _ queue: Int64) throws(StoreFault) {
        sql.deleteMessage.bind(1, id: key.pair)
        sql.deleteMessage.bind(3, queue)
        try sql.deleteMessage.run()
    }

    /// Drops up to twice `endings` finished records, oldest first, while they are too many or too
    /// old; what is dropped raises the horizon (I10, I12).
    func trim(_ endings: Int, _ queue: inout QueueState) throws(StoreFault) {
        let cut = now - queue.settings.keepMilliseconds
        var old: [Key] = []
        let select = sql.pickEnded
        select.bind(1, queue.number)
        select.bind(2, 2 * endings)
        while try select.step() {
            guard
                queue.ended - Int64(old.count) > queue.settings.keepRecords
                    || select.int(2) <= cut
            else { break }
            old.append(Key(high: select.int(0), low: select.int(1)))
        }
        select.reset()
        for key in old {
            try delete(key, queue.number)
            queue.raiseHorizon(key)
        }
        queue.ended -= Int64(old.count)
    }
}

extension QueueState {
    mutating func raiseHorizon(_ key: Key) {
        if let created = key.id.timestamp { horizon = max(horizon, created.milliseconds) }
    }
}

extension Entry {
    /// The entry as it waits again after a run.
    func after(attempt: UInt8, lost: UInt8? = nil, readyAt: Int64) -> Entry {
        requeued(
            at: Timestamp(milliseconds: readyAt), attempt: attempt, lost: lost ?? self.lost,
            generation: generation, ran: true)
    }
}

extension UInt8 {
    var addingOne: UInt8 { self == .max ? .max : self + 1 }
}
