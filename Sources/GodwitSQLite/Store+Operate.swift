// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite
import Godwit

extension Store {
    /// Dead → ready at the tail, as a new generation.
    func redrive(
        _ ids: ArraySlice<MessageID>, in name: QueueName
    ) throws(StoreFault) -> [RedriveOutcome] {
        var queue = try open(name)
        var outcomes: [RedriveOutcome] = []
        for id in ids {
            guard var row = try row(Key(id), queue.number), row.state == Stage.dead else {
                outcomes.append(.notDead)
                continue
            }
            let old = row.token.entry
            if old.hasUniqueKey, let unique = try aside(row.key, queue.number)?.unique {
                if let owner = try owner(of: unique, queue.number) {
                    outcomes.append(.uniqueKeyTaken(by: owner.id))
                    continue
                }
                try take(unique, for: row.key, queue.number)
            }
            let next = old.requeued(
                at: Timestamp(milliseconds: now), attempt: 0, lost: 0,
                generation: old.generation &+ 1, ran: false)
            row.token = .unused(next)
            queue.tail += 1
            try requeue(&row, Stage.ready, queue.tail, now, Letter.none, nil, queue.number)
            queue.dead -= 1
            queue.ready += 1
            queue.redriven += 1
            queue.note(.redrive, .unused(old))
            wake(queue.number, next.kindHash)
            outcomes.append(.redriven)
        }
        put(queue)
        return outcomes
    }

    /// Ready, scheduled, leased, dead → cancelled.
    func cancel(_ ids: ArraySlice<MessageID>, in name: QueueName) throws(StoreFault) -> [Bool] {
        var queue = try open(name)
        var outcomes: [Bool] = []
        var endings = 0
        wakeIfLimited(queue)
        for id in ids {
            guard let row = try row(Key(id), queue.number), row.state <= Stage.dead else {
                outcomes.append(false)
                continue
            }
            try cancel(row, .cancel, "", &queue)
            endings += 1
            outcomes.append(true)
        }
        if endings > 0 { try trim(endings, &queue) }
        put(queue)
        return outcomes
    }

    private func cancel(
        _ row: MessageRow, _ move: Event.Move, _ text: String, _ queue: inout QueueState
    ) throws(StoreFault) {
        switch row.state {
        case Stage.leased: queue.leased -= 1
        case Stage.scheduled: queue.scheduled -= 1
        case Stage.dead: queue.dead -= 1
        default:
            queue.ready -= 1
            if row.token.entry.isSuspect { queue.suspects -= 1 }
        }
        let letter = row.state == Stage.leased ? Letter.ran : Letter.none
        try end(row, as: Stage.cancelled, letter: letter, &queue)
        queue.cancelled += 1
        queue.note(move, move == .purge ? .unused(row.token.entry) : row.token, text)
    }

    /// Scheduled → ready at the tail, before it is due.
    func promote(_ ids: ArraySlice<MessageID>, in name: QueueName) throws(StoreFault) -> [Bool] {
        var queue = try open(name)
        var outcomes: [Bool] = []
        for id in ids {
            guard var row = try row(Key(id), queue.number), row.state == Stage.scheduled else {
                outcomes.append(false)
                continue
            }
            var entry = row.token.entry
            // Why: a wait is counted from the moment it could first be worked, and that is now.
            entry.readyAt = min(Timestamp(milliseconds: now), entry.readyAt)
            row.token = row.token.with(entry)
            queue.tail += 1
            try requeue(
                &row, Stage.ready, queue.tail, now, row.letter,
                try reason(of: row.key, queue.number),
                queue.number)
            queue.scheduled -= 1
            queue.ready += 1
            if entry.isSuspect { queue.suspects += 1 }
            wake(queue.number, entry.kindHash)
            outcomes.append(true)
        }
        put(queue)
        return outcomes
    }

    func setPaused(_ isPaused: Bool, _ name: QueueName) throws(StoreFault) {
        var queue = try open(name)
        queue.paused = isPaused ? 1 : 0
        if !isPaused { wake(queue.number, nil) }
        put(queue)
    }

    func settings(of name: QueueName) throws(StoreFault) -> QueueSettings {
        try open(name).settings
    }

    func apply(_ settings: QueueSettings, to name: QueueName) throws(StoreFault) {
        var queue = try open(name)
        queue.settings = settings
        wake(queue.number, nil)
        put(queue)
    }

    /// Ready → cancelled, from the head of the first lane that holds something.
    func purge(_ name: QueueName, limit: Int) throws(StoreFault) -> Int {
        var queue = try open(name)
        var purged = 0
        var lane: Int64 = -1
        while purged < limit {
            sql.nextLane.bind(1, queue.number)
            sql.nextLane.bind(2, lane)
            let found = try sql.nextLane.step()
            if found { lane = sql.nextLane.int(0) }
            sql.nextLane.reset()
            guard found else { break }
            var keys: [Key] = []
            sql.pickLane.bind(1, queue.number)
            sql.pickLane.bind(2, lane)
            sql.pickLane.bind(3, limit - purged)
            while try sql.pickLane.step() {
                keys.append(Key(high: sql.pickLane.int(0), low: sql.pickLane.int(1)))
            }
            sql.pickLane.reset()
            for key in keys {
                guard let row = try row(key, queue.number) else { continue }
                try cancel(row, .purge, "purged", &queue)
            }
            purged += keys.count
        }
        if purged > 0 { try trim(purged, &queue) }
        put(queue)
        return purged
    }
}
