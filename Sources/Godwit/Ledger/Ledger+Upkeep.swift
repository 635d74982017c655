// SPDX-License-Identifier: Apache-2.0

extension Ledger {
    /// Leased → leased, later deadline; never an earlier one.
    package mutating func renew(
        _ tokens: [LeaseToken], for lease: Duration, in queue: QueueName, now: Timestamp
    ) -> [SettleOutcome] {
        steps += 1
        return books[open(queue)].renew(tokens, lease, now)
    }

    /// Leased → leased, with progress for the next run.
    package mutating func checkpoint(
        _ list: [Checkpoint], in queue: QueueName
    ) -> [SettleOutcome] {
        steps += 1
        return books[open(queue)].checkpoint(list)
    }

    /// Scheduled → ready, what is due, in due order.
    package mutating func promote(in queue: QueueName, now: Timestamp) -> Int {
        steps += 1
        return books[open(queue)].promote(Ledger.upkeepLimit, now)
    }

    /// Expired → ready at the head, or dead.
    package mutating func reclaim(
        _ limit: Int, in queue: QueueName, now: Timestamp
    ) -> Reclaimed {
        steps += 1
        return books[open(queue)].reclaim(min(limit, Ledger.upkeepLimit), now)
    }

    /// Old → gone; returns how many dead letters went.
    package mutating func prune(_ limit: Int, in queue: QueueName, now: Timestamp) -> Int {
        steps += 1
        return books[open(queue)].prune(min(limit, Ledger.upkeepLimit), now)
    }
}

extension Book {
    mutating func renew(
        _ tokens: [LeaseToken], _ lease: Duration, _ now: Timestamp
    ) -> [SettleOutcome] {
        let deadline = Timestamp.moment(lease, after: now)
        return tokens.enumerated().map { place, token in
            guard let slot = holder(of: token) else { return .stale }
            var node = leases.node(of: slot, positions)
            let place = Int32(clamping: place)
            if (node.time, node.place) < (deadline.milliseconds, place) {
                leases.remove(slot, &positions)
                node.time = deadline.milliseconds
                node.place = place
                leases.insert(node, &positions)
            }
            return .done
        }
    }

    mutating func checkpoint(_ list: [Checkpoint]) -> [SettleOutcome] {
        list.map { checkpoint in
            guard let slot = holder(of: checkpoint.token) else { return .stale }
            checkpoints[slot] = checkpoint.bytes
            return .done
        }
    }

    @discardableResult
    mutating func promote(_ limit: Int, _ now: Timestamp) -> Int {
        var promoted = 0
        while promoted < limit, let node = due.first, node.time <= now.milliseconds {
            due.remove(node.slot, &positions)
            joinTail(node.slot)
            promoted += 1
        }
        return promoted
    }

    mutating func reclaim(_ limit: Int, _ now: Timestamp) -> Reclaimed {
        var result = Reclaimed(ready: 0, dead: 0)
        var returned: [Int32] = []
        var events: [Event] = []
        while result.ready + result.dead < limit, let node = leases.first,
            node.time <= now.milliseconds
        {
            let slot = node.slot
            let number = Int(slot)
            let run = slots[number]
            leases.remove(slot, &positions)
            tally.lost += 1
            // Why: it was a suspect, so it ran alone, and nobody else can be to blame (I6).
            let isCrashLoop =
                run.entry.isSuspect && Int(run.entry.lost) + 1 >= Ledger.crashBudget
            let move: Event.Move = isCrashLoop ? .crashLoop : .reclaim
            let reason = isCrashLoop ? "crash-loop" : "lease ran out"
            if settings.recordsEvents {
                let token = LeaseToken(
                    entry: run.entry, executedAt: run.executedAt, nonce: run.nonce)
                events.append(Event(move: move, at: now, token: token))
            }
            remember(slot, move, reason, now)
            reasons[slot] = reason
            slots[number].entry.lost = run.entry.lost.addingOne
            requeue(slot, at: now, isCrashLoop ? .reject : .reclaim)
            if isCrashLoop {
                result.dead += 1
                tally.rejected += 1
                bury(slot, now)
            } else {
                result.ready += 1
                slots[number].state = .ready
                returned.append(slot)
            }
        }
        reclaims += 1
        for slot in returned { slots[Int(slot)].reclaimNumber = reclaims }
        returnToHead(returned)
        record(events)
        return result
    }

    mutating func prune(_ limit: Int, _ now: Timestamp) -> Int {
        guard limit > 0 else { return 0 }
        trim(limit, now)
        let cut = now.milliseconds - settings.keepDeadMilliseconds
        var dropped = 0
        while dropped < limit, let oldest = dead.first,
            oldest.time <= cut || dead.count > settings.keepDead
        {
            dead.remove(oldest.slot, &positions)
            raiseHorizon(oldest.id)
            forget(oldest.slot)
            dropped += 1
        }
        tally.pruned += dropped
        log.drop(olderThan: now.milliseconds - settings.keepMilliseconds)
        return dropped
    }

    /// A dead letter leaves for good, with all that was kept of it.
    private mutating func forget(_ slot: Int32) {
        checkpoints[slot] = nil
        attempts[slot] = nil
        reasons[slot] = nil
        uniqueNames[slot] = nil
        erase(slot)
    }
}
