// SPDX-License-Identifier: Apache-2.0

extension Ledger {
    /// Leased → where each verdict sends it; a token that is not the current one changes nothing.
    package mutating func settle(
        _ settlements: [Settlement], in queue: QueueName, now: Timestamp
    ) -> [SettleOutcome] {
        steps += 1
        var busy: Set<Int> = []
        for (place, settlement) in settlements.enumerated() {
            guard case .forward(let target) = settlement.verdict,
                let slot = books[open(queue)].holder(of: settlement.token),
                !settlements[..<place].contains(where: { $0.token == settlement.token })
            else { continue }
            // Why: the target has it before it ends here, so no moment is without it.
            let number = open(queue)
            let source = books[number].slots[Int(slot)]
            let kind = books[number].kinds[Int(source.kind)]
            let arrival = books[open(target)].arrive(source.entry, kind, source.body, now)
            if arrival == .busy { busy.insert(place) }
        }
        return books[open(queue)].settle(settlements, busy: busy, now)
    }
}

extension Book {
    mutating func settle(
        _ settlements: [Settlement], busy: Set<Int>, _ now: Timestamp
    ) -> [SettleOutcome] {
        var outcomes: [SettleOutcome] = []
        outcomes.reserveCapacity(settlements.count)
        var events: [Event] = []
        var released: [Int32] = []
        var endings = 0
        for (place, settlement) in settlements.enumerated() {
            let token = settlement.token
            guard let slot = holder(of: token) else {
                let isDone = isRepetition(of: token, settlement.verdict.mark)
                outcomes.append(isDone ? .done : .stale)
                continue
            }
            if busy.contains(place) {
                outcomes.append(.targetBusy)
                continue
            }
            leases.remove(slot, &positions)
            var text = ""
            switch settlement.verdict {
            case .ack:
                tally.completed += 1
                end(slot, as: .completed, .ack, now)
                endings += 1
            case .retry(let delay, let reason):
                tally.retried += 1
                text = reason
                let due = Timestamp.moment(delay, after: now)
                fail(slot, .retry, reason, now)
                requeue(slot, at: due, .retry)
                schedule(slot, at: due)
            case .reject(let reason):
                tally.rejected += 1
                text = reason
                fail(slot, .reject, reason, now)
                requeue(slot, at: now, .reject)
                bury(slot, now)
            case .release:
                tally.released += 1
                requeue(slot, at: now, .release)
                // Why: `released` joins its lines at the end of the call, in the order of the tokens.
                slots[Int(slot)].state = .ready
                released.append(slot)
            case .forward(let target):
                tally.forwarded += 1
                text = target.text
                end(slot, as: .forwarded, .forward, now)
                reasons[slot] = target.text
                endings += 1
            }
            if settings.recordsEvents {
                events.append(
                    Event(
                        move: settlement.verdict.move, at: now, token: token,
                        text: text.cut(to: Event.textBytes)))
            }
            outcomes.append(.done)
        }
        returnToHead(released)
        if endings > 0 { trim(endings, now) }
        record(events)
        return outcomes
    }

    /// Writes the failure down: in the message's own history and as its reason.
    private mutating func fail(
        _ slot: Int32, _ move: Event.Move, _ reason: String, _ now: Timestamp
    ) {
        let number = Int(slot)
        remember(slot, move, reason, now)
        slots[number].entry.attempt = slots[number].entry.attempt.addingOne
        reasons[slot] = reason.cut(to: BrokerLimits.reasonBytes)
    }

    mutating func remember(
        _ slot: Int32, _ move: Event.Move, _ reason: String, _ now: Timestamp
    ) {
        let run = slots[Int(slot)]
        var history = attempts[slot] ?? []
        if history.count >= Ledger.attemptsKept { history.removeFirst() }
        history.append(
            MessageRecord.Attempt(
                at: now, worker: UInt32(truncatingIfNeeded: run.nonce >> 32),
                count: Int(run.entry.count) + 1, verdict: move.rawValue,
                reason: reason.cut(to: Event.textBytes)))
        attempts[slot] = history
    }

    /// The run is over and the message goes on: next epoch, one more in `count` (I6).
    mutating func requeue(_ slot: Int32, at readyAt: Timestamp, _ mark: Mark) {
        let number = Int(slot)
        let entry = slots[number].entry
        slots[number].entry = entry.requeued(
            at: readyAt, attempt: entry.attempt, lost: entry.lost, generation: entry.generation,
            ran: true)
        slots[number].isUncounted = false
        slots[number].mark = mark
    }

    /// → dead: the bytes and the reason stay, the unique key is free.
    mutating func bury(_ slot: Int32, _ now: Timestamp) {
        slots[Int(slot)].state = .dead
        slots[Int(slot)].finishedAt = now
        freeKey(of: slot, keepsName: true)
        dead.insert(
            TimeHeap.Node(
                time: now.milliseconds, place: 0, slot: slot, id: slots[Int(slot)].entry.id),
            &positions)
    }

    /// → ended: the record stays for a while, everything else is freed. The caller trims.
    mutating func end(_ slot: Int32, as state: MessageState, _ mark: Mark, _ now: Timestamp) {
        let number = Int(slot)
        freeKey(of: slot)
        slots[number].state = state
        slots[number].mark = mark
        slots[number].finishedAt = now
        slots[number].body = []
        if !checkpoints.isEmpty { checkpoints[slot] = nil }
        if !attempts.isEmpty { attempts[slot] = nil }
        if !reasons.isEmpty { reasons[slot] = nil }
        if uniqueNames[slot] != nil { uniqueNames[slot] = nil }
        endedOrder += 1
        ended.append(
            Ended(
                order: endedOrder, id: slots[number].entry.id, at: now,
                isForward: state == .forwarded))
    }

    /// Drops up to twice `endings` finished records, oldest first, while they are too many or too
    /// old; what is dropped raises the horizon (I10, I12).
    mutating func trim(_ endings: Int, _ now: Timestamp) {
        let cut = now.milliseconds - settings.keepMilliseconds
        var left = 2 * endings
        while left > 0, let oldest = ended.first,
            ended.count > settings.keepRecords || oldest.at.milliseconds <= cut
        {
            left -= 1
            _ = ended.popFirst()
            guard let slot = index[oldest.id] else { continue }
            let kept = slots[Int(slot)]
            // A forwarded message may be back: then its record is about its new life.
            if oldest.isForward, kept.state != .forwarded || kept.finishedAt != oldest.at {
                continue
            }
            raiseHorizon(oldest.id)
            reasons[slot] = nil
            if kept.isGhost {
                slots[Int(slot)].isForgotten = true
            } else {
                erase(slot)
            }
        }
    }

    mutating func raiseHorizon(_ id: MessageID) {
        if let created = id.timestamp { horizon = max(horizon, created) }
    }
}

extension Verdict {
    fileprivate var mark: Book.Mark {
        switch self {
        case .ack: .ack
        case .retry: .retry
        case .reject: .reject
        case .release: .release
        case .forward: .forward
        }
    }

    package var move: Event.Move {
        switch self {
        case .ack: .ack
        case .retry: .retry
        case .reject: .reject
        case .release: .release
        case .forward: .forward
        }
    }
}

extension Event {
    /// The most bytes of an event's text, and of a reason in a message's own history.
    package static let textBytes = 200
}

extension UInt8 {
    var addingOne: UInt8 { self == .max ? .max : self + 1 }
}
