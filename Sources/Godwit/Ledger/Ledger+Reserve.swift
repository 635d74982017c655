// SPDX-License-Identifier: Apache-2.0

extension Ledger {
    /// Ready → leased. `nonce` is the random half of the tokens' nonce; the worker is the other.
    package mutating func reserve(
        _ request: ReserveRequest, from queue: QueueName, now: Timestamp, nonce: UInt32
    ) -> Reservation {
        steps += 1
        return books[open(queue)].reserve(request, now, nonce)
    }

    /// Whether a message of these kinds would be handed out now; suspects apart.
    package func hasReady(_ kinds: [Kind]?, in queue: QueueName) -> Bool {
        guard let number = numbers[queue] else { return false }
        return books[number].holdsReady(kinds)
    }

    /// Whether a suspect became ready since this was last asked, and one still is.
    package mutating func takeNewSuspect(in queue: QueueName) -> Bool {
        guard let number = numbers[queue], books[number].hasNewSuspect else { return false }
        books[number].hasNewSuspect = false
        return books[number].suspectCount > 0
    }

    package func nextDue(in queue: QueueName) -> Timestamp? {
        numbers[queue].flatMap { books[$0].nextDue }
    }
}

extension Book {
    var nextDue: Timestamp? { due.first.map { Timestamp(milliseconds: $0.time) } }

    /// How many leases may still be given out.
    var leasesLeft: Int {
        if isPaused { return 0 }
        return settings.maxLeased.map { max(0, $0 - leases.count) } ?? .max
    }

    mutating func reserve(
        _ request: ReserveRequest, _ now: Timestamp, _ nonce: UInt32
    ) -> Reservation {
        promote(Ledger.upkeepLimit, now)
        let deadline = Timestamp.moment(request.lease, after: now)
        var taken: [Int32] = []
        let count = min(request.count, leasesLeft)
        if count > 0, readyCount + ghostCount > 0 { pick(request, count, &taken) }
        turn &+= 1
        guard !taken.isEmpty else {
            return Reservation(
                now: now, deadline: deadline, messages: [], suspectsWaiting: suspectCount,
                nextDue: nextDue)
        }
        let nonce = UInt64(request.worker) << 32 | UInt64(nonce)
        var messages: [LeasedMessage] = []
        messages.reserveCapacity(taken.count)
        for (place, slot) in taken.enumerated() {
            let token = LeaseToken(entry: slots[Int(slot)].entry, executedAt: now, nonce: nonce)
            lease(slot, executedAt: now, nonce: nonce, until: deadline, place: place)
            messages.append(
                LeasedMessage(
                    token: token, body: slots[Int(slot)].body,
                    checkpoint: checkpoints.isEmpty ? nil : checkpoints[slot]))
        }
        return Reservation(
            now: now, deadline: deadline, messages: messages, suspectsWaiting: suspectCount)
    }

    /// The kinds asked for that the queue has ever held, each call beginning with the next one.
    func rotated(_ asked: [Kind]?) -> [Int] {
        let known =
            asked.map { $0.compactMap { kindNumbers[$0.hash].map(Int.init) } }
            ?? Array(kinds.indices)
        guard known.count > 1 else { return known }
        let start = turn % known.count
        return Array(known[start...] + known[..<start])
    }

    func holdsReady(_ asked: [Kind]?) -> Bool {
        guard readyCount > suspectCount, leasesLeft > 0 else { return false }
        guard asked != nil else { return true }
        return rotated(asked).contains { kind in
            (0..<8).contains { band in
                let line = lines[kind * 16 + band * 2]
                // A line of ghosts alone is as good as empty, but to know it costs a walk: a caller
                // that comes for nothing drops them.
                return !line.isEmpty
            }
        }
    }

    /// Takes up to `count` out of the lines: a suspect alone, or else by priority, byte budget and
    /// free slots.
    private mutating func pick(_ request: ReserveRequest, _ count: Int, _ taken: inout [Int32]) {
        let kinds = rotated(request.kinds)
        var budget = Ledger.ghostLimit
        if request.takesSuspects, suspectCount > 0 {
            for band in 0..<8 {
                for kind in kinds {
                    let line = kind * 16 + band * 2 + 1
                    guard let slot = head(of: line, &budget) else { continue }
                    leave(line)
                    taken.append(slot)
                    return
                }
            }
        }
        var bytes = request.bytes
        let free = request.freeSlots ?? count
        for band in 0..<8 {
            for kind in kinds {
                let line = kind * 16 + band * 2
                while let slot = head(of: line, &budget) {
                    let entry = slots[Int(slot)].entry
                    if !taken.isEmpty, entry.sizeBound > bytes { return }
                    if entry.maxAttempts == 1, taken.count >= free { return }
                    leave(line)
                    taken.append(slot)
                    bytes -= entry.sizeBound
                    if taken.count == count { return }
                }
                if budget == 0 { return }
            }
        }
    }

    mutating func lease(
        _ slot: Int32, executedAt: Timestamp, nonce: UInt64, until deadline: Timestamp, place: Int
    ) {
        let number = Int(slot)
        slots[number].state = .leased
        slots[number].mark = .none
        slots[number].hasRun = true
        slots[number].isUncounted = true
        slots[number].wasHurried = false
        slots[number].reclaimNumber = 0
        slots[number].executedAt = executedAt
        slots[number].nonce = nonce
        leases.insert(
            TimeHeap.Node(
                time: deadline.milliseconds, place: Int32(clamping: place), slot: slot,
                id: slots[number].entry.id),
            &positions)
    }
}
