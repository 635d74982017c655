// SPDX-License-Identifier: Apache-2.0
import Godwit

/// Bounds of one call of upkeep (I10).
enum Upkeep {
    static let limit = 64
    /// A suspect that loses this many leases, the last one alone, is dead (I6).
    static let crashBudget = 3
    /// Event rows that one call drops, and that one commit drops besides the one it writes.
    static let eventRows = 64
    static let eventRowsPerCommit = 2
    /// More than this waits for no archiver: the oldest is dropped and counted.
    static let eventBytes: Int64 = 64 << 20
}

extension Store {
    /// Leased → leased, later deadline; never an earlier one.
    func renew(
        _ tokens: [LeaseToken], for lease: Duration, in name: QueueName
    ) throws(StoreFault) -> [SettleOutcome] {
        let queue = try open(name)
        let deadline = Timestamp.milliseconds(lease, after: now)
        var outcomes: [SettleOutcome] = []
        outcomes.reserveCapacity(tokens.count)
        for (place, token) in tokens.enumerated() {
            guard let row = try row(Key(token.id), queue.number), row.isHeld(by: token) else {
                outcomes.append(.stale)
                continue
            }
            if row.at < deadline {
                sql.renew.bind(1, deadline)
                sql.renew.bind(2, QueueState.middle + Int64(place))
                sql.renew.bind(3, id: row.key.pair)
                sql.renew.bind(5, queue.number)
                try sql.renew.run()
            }
            outcomes.append(.done)
        }
        return outcomes
    }

    /// Leased → leased, with progress for the next run.
    func checkpoint(
        _ checkpoints: [Checkpoint], in name: QueueName
    ) throws(StoreFault) -> [SettleOutcome] {
        let queue = try open(name)
        var outcomes: [SettleOutcome] = []
        for checkpoint in checkpoints {
            let key = Key(checkpoint.token.id)
            guard let row = try row(key, queue.number), row.isHeld(by: checkpoint.token) else {
                outcomes.append(.stale)
                continue
            }
            if row.hasAside {
                sql.setCheckpoint.bind(1, copy: checkpoint.bytes)
                sql.setCheckpoint.bind(2, id: key.pair)
                sql.setCheckpoint.bind(4, queue.number)
                try sql.setCheckpoint.run()
            } else {
                try insertAside(key, queue.number, checkpoint: checkpoint.bytes)
                sql.setAside.bind(1, row.aside | Aside.row)
                sql.setAside.bind(2, id: key.pair)
                sql.setAside.bind(4, queue.number)
                try sql.setAside.run()
            }
            outcomes.append(.done)
        }
        return outcomes
    }

    /// Scheduled → ready, what is due, in due order.
    func promote(in name: QueueName) throws(StoreFault) -> Int {
        var queue = try open(name)
        let count = try promote(Upkeep.limit, &queue)
        if count > 0 { put(queue) }
        return count
    }

    func promote(_ limit: Int, _ queue: inout QueueState) throws(StoreFault) -> Int {
        guard queue.scheduled > 0 else { return 0 }
        let due = try keys(sql.pickDue, queue.number, upTo: now, limit)
        for key in due { try joinTail(key, &queue) }
        return due.count
    }

    /// Scheduled → ready, the entry as it is.
    private func joinTail(_ key: Key, _ queue: inout QueueState) throws(StoreFault) {
        guard let row = try row(key, queue.number) else { return }
        queue.tail += 1
        sql.place.bind(1, Stage.ready)
        sql.place.bind(2, queue.tail)
        sql.place.bind(3, now)
        sql.place.bind(4, id: key.pair)
        sql.place.bind(6, queue.number)
        try sql.place.run()
        queue.scheduled -= 1
        queue.ready += 1
        let entry = row.token.entry
        if entry.isSuspect { queue.suspects += 1 }
        wake(queue.number, entry.kindHash)
    }

    /// Expired → ready at the head, or dead.
    func reclaim(_ limit: Int, in name: QueueName) throws(StoreFault) -> Reclaimed {
        var queue = try open(name)
        var result = Reclaimed(ready: 0, dead: 0)
        guard limit > 0, queue.leased > 0 else { return result }
        let expired = try keys(
            sql.pickExpired, queue.number, upTo: now, min(limit, Upkeep.limit))
        if expired.isEmpty { return result }
        wakeIfLimited(queue)
        queue.head -= Int64(expired.count)
        var place = queue.head
        for key in expired {
            guard var row = try row(key, queue.number) else { continue }
            let token = row.token
            let entry = token.entry
            // Why: it was a suspect, so it ran alone, and nobody else can be to blame (I6).
            let isCrashLoop = entry.isSuspect && Int(entry.lost) + 1 >= Upkeep.crashBudget
            let move: Event.Move = isCrashLoop ? .crashLoop : .reclaim
            let reason = isCrashLoop ? "crash-loop" : "lease ran out"
            try remember(&row, move, reason, queue.number)
            queue.note(move, token)
            queue.leased -= 1
            queue.lost += 1
            let next = entry.after(attempt: entry.attempt, lost: entry.lost.addingOne, readyAt: now)
            row.token = token.with(next)
            if isCrashLoop {
                try requeue(&row, Stage.dead, place, now, Letter.crashLoop, reason, queue.number)
                try freeUnique(row, queue.number)
                queue.dead += 1
                queue.rejected += 1
                result.dead += 1
            } else {
                try requeue(&row, Stage.ready, place, now, Letter.lost, reason, queue.number)
                queue.ready += 1
                if next.isSuspect { queue.suspects += 1 }
                wake(queue.number, next.kindHash)
                result.ready += 1
            }
            place += 1
        }
        put(queue)
        return result
    }

    /// Old → gone; returns how many dead letters went.
    func prune(_ limit: Int, in name: QueueName) throws(StoreFault) -> Int {
        let limit = min(limit, Upkeep.limit)
        guard limit > 0 else { return 0 }
        var queue = try open(name)
        try trim(limit, &queue)
        let cut = now - queue.settings.keepDeadMilliseconds
        var old: [Key] = []
        sql.pickDead.bind(1, queue.number)
        sql.pickDead.bind(2, limit)
        while try sql.pickDead.step() {
            guard
                sql.pickDead.int(2) <= cut
                    || queue.dead - Int64(old.count) > queue.settings.keepDead
            else { break }
            old.append(Key(high: sql.pickDead.int(0), low: sql.pickDead.int(1)))
        }
        sql.pickDead.reset()
        for key in old {
            if let row = try row(key, queue.number) {
                if row.aside & Aside.body != 0, let number = try bodyNumber(key, queue.number) {
                    try deleteBody(number)
                }
                if row.hasAside { try deleteAside(key, queue.number) }
            }
            try delete(key, queue.number)
            queue.raiseHorizon(key)
        }
        queue.dead -= Int64(old.count)
        queue.pruned += Int64(old.count)
        try dropEvents(Upkeep.eventRows, &queue)
        put(queue)
        return old.count
    }

    /// The first ids of an index, up to a moment.
    private func keys(
        _ select: Statement, _ queue: Int64, upTo moment: Int64, _ limit: Int
    ) throws(StoreFault) -> [Key] {
        var keys: [Key] = []
        select.bind(1, queue)
        select.bind(2, moment)
        select.bind(3, limit)
        while try select.step() { keys.append(Key(high: select.int(0), low: select.int(1))) }
        select.reset()
        return keys
    }
}
