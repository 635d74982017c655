// SPDX-License-Identifier: Apache-2.0

extension Ledger {
    package func queues() -> [QueueName] { numbers.keys.sorted() }

    package func counts(of queue: QueueName) -> QueueCounts {
        numbers[queue].map { books[$0].counts } ?? QueueCounts()
    }

    package func message(_ id: MessageID, in queue: QueueName) -> MessageRecord? {
        guard let number = numbers[queue], let slot = books[number].live(id) else { return nil }
        return books[number].record(of: slot, withBody: true)
    }

    package func kinds(of queue: QueueName) -> [KindCount] {
        numbers[queue].map { books[$0].kindCounts } ?? []
    }

    package func find(_ id: MessageID) -> FoundMessage? {
        var best: FoundMessage?
        for (name, number) in numbers {
            guard let slot = books[number].live(id) else { continue }
            let found = FoundMessage(
                queue: name, record: books[number].record(of: slot, withBody: true))
            if best.map({ found.goesBefore($0) }) ?? true { best = found }
        }
        return best
    }

    package func messages(
        _ state: MessageState, in queue: QueueName, after cursor: PageCursor?, limit: Int
    ) -> MessagePage {
        let limit = max(1, min(limit, 1000))
        return numbers[queue].map { books[$0].page(state, after: cursor, limit) }
            ?? MessagePage(messages: [])
    }

    package func check(_ queue: QueueName, limit: Int) -> [String] {
        numbers[queue].map { books[$0].check(limit) } ?? []
    }
}

extension Book {
    var counts: QueueCounts {
        var counts = tally
        counts.ready = readyCount
        counts.scheduled = due.count
        counts.leased = leases.count
        counts.dead = dead.count
        counts.suspects = suspectCount
        counts.isPaused = isPaused
        return counts
    }

    var kindCounts: [KindCount] {
        kinds.enumerated().map { number, kind in
            var count = KindCount(kind: kind.name, hash: kind.hash, ready: 0)
            for line in lines[number * 16..<number * 16 + 16] {
                count.ready += line.count
                var looked = 0
                for place in 0..<line.count where ghostCount > 0 || looked < KindCount.looks {
                    guard let waiting = line[place] else { break }
                    let slot = slots[Int(waiting.slot)]
                    if slot.isGhost {
                        count.ready -= 1
                    } else if looked < KindCount.looks {
                        looked += 1
                        count.note(slot.entry.readyAt)
                    }
                }
            }
            return count
        }.sorted { $0.kind < $1.kind }
    }

    func record(of slot: Int32, withBody: Bool) -> MessageRecord {
        let kept = slots[Int(slot)]
        let isOver = kept.state.hasEnded || kept.state == .dead
        return MessageRecord(
            state: kept.state, entry: kept.entry, kind: kinds[Int(kept.kind)].name,
            count: Int(kept.entry.count) + (kept.isUncounted ? 1 : 0),
            executedAt: kept.hasRun ? kept.executedAt : nil,
            finishedAt: isOver ? kept.finishedAt : nil,
            dueAt: kept.state == .scheduled ? moment(due.node(of: slot, positions)) : nil,
            leaseDeadline: kept.state == .leased ? moment(leases.node(of: slot, positions)) : nil,
            worker: kept.hasRun ? UInt32(truncatingIfNeeded: kept.nonce >> 32) : nil,
            uniqueKey: uniqueNames[slot], reason: reasons[slot],
            verdict: verdict(of: slot), checkpoint: checkpoints[slot],
            attempts: attempts[slot] ?? [],
            body: withBody && !kept.state.hasEnded ? kept.body : nil)
    }

    private func verdict(of slot: Int32) -> Event.Move? {
        let kept = slots[Int(slot)]
        if let move = kept.state.verdict { return move }
        return switch kept.mark {
        case .none: nil
        case .ack: .ack
        case .retry: .retry
        case .release: .release
        case .reject:
            attempts[slot]?.last?.verdict == Event.Move.crashLoop.rawValue ? .crashLoop : .reject
        case .forward: .forward
        case .cancel: .cancel
        case .reclaim: .reclaim
        }
    }

    func page(_ state: MessageState, after cursor: PageCursor?, _ limit: Int) -> MessagePage {
        switch state {
        case .ready: return readyPage(after: cursor, limit)
        case .scheduled: return heapPage(due, after: cursor, limit)
        case .leased: return heapPage(leases, after: cursor, limit)
        case .dead: return heapPage(dead, after: cursor, limit)
        case .completed, .cancelled, .forwarded: return endedPage(state, after: cursor, limit)
        }
    }

    /// Says what does not add up, looking at up to `limit` messages.
    func check(_ limit: Int) -> [String] {
        var complaints: [String] = []
        let waiting = lines.reduce(0) { $0 + $1.count }
        if waiting != readyCount + ghostCount {
            complaints.append(
                "\(waiting) entries stand in line, but \(readyCount) messages are ready and "
                    + "\(ghostCount) were cancelled there.")
        }
        var looked = 0
        for (id, slot) in index {
            looked += 1
            if looked > limit { break }
            let kept = slots[Int(slot)]
            let isLive = !kept.state.hasEnded && kept.state != .dead
            if let key = uniqueNames[slot], isLive, uniqueOwners[key] != id {
                complaints.append("\(id) is live, but its unique key is another's or free.")
            }
            let heap: TimeHeap?
            switch kept.state {
            case .scheduled: heap = due
            case .leased: heap = leases
            case .dead: heap = dead
            default: heap = nil
            }
            guard let heap else { continue }
            let position = Int(positions[Int(slot)])
            if position < 0 || position >= heap.count || heap.nodes[position].slot != slot {
                complaints.append(
                    "\(id) is \(kept.state.rawValue), but its index has no row of it.")
            }
        }
        for (_, owner) in uniqueOwners.prefix(limit) {
            let state = live(owner).map { slots[Int($0)].state }
            if state.map({ $0.hasEnded || $0 == .dead }) ?? true {
                complaints.append("\(owner) holds a unique key and is not live.")
            }
        }
        return complaints
    }

    private func moment(_ node: TimeHeap.Node) -> Timestamp { Timestamp(milliseconds: node.time) }

    // A cursor is a few numbers with points between them; one that can't be read begins anew.

    private func heapPage(
        _ heap: TimeHeap, after cursor: PageCursor?, _ limit: Int
    ) -> MessagePage {
        var last: TimeHeap.Node?
        if let parts = cursor?.text.split(separator: "."), parts.count == 3,
            let time = Int64(parts[0]), let place = Int32(parts[1]),
            let id = MessageID(String(parts[2]))
        {
            last = TimeHeap.Node(time: time, place: place, slot: 0, id: id)
        }
        let nodes = heap.page(after: last, limit: limit + 1)
        let next = nodes.count > limit ? nodes[limit - 1] : nil
        return MessagePage(
            messages: nodes.prefix(limit).map { record(of: $0.slot, withBody: false) },
            next: next.map { PageCursor("\($0.time).\($0.place).\($0.id)") })
    }

    private func readyPage(after cursor: PageCursor?, _ limit: Int) -> MessagePage {
        // In the order of service: suspects apart, by band, by kind.
        let order = [0, 1].flatMap { suspect in
            (0..<8).flatMap { band in kinds.indices.map { $0 * 16 + band * 2 + suspect } }
        }
        let parts = cursor?.text.split(separator: ".").compactMap { Int64($0) } ?? []
        var start = 0
        var after = Int64.min
        if parts.count == 2, let line = order.firstIndex(of: Int(parts[0])) {
            start = line
            after = parts[1]
        }
        var page = MessagePage(messages: [])
        var last: PageCursor?
        for line in order[start...] {
            var place = lines[line].partition { $0.order <= after }
            after = .min
            while let waiting = lines[line][place] {
                place += 1
                if slots[Int(waiting.slot)].isGhost { continue }
                if page.messages.count == limit {
                    page.next = last
                    return page
                }
                page.messages.append(record(of: waiting.slot, withBody: false))
                last = PageCursor("\(line).\(waiting.order)")
            }
        }
        return page
    }

    private func endedPage(
        _ state: MessageState, after cursor: PageCursor?, _ limit: Int
    ) -> MessagePage {
        let after = cursor.flatMap { Int64($0.text) } ?? .min
        var place = ended.partition { $0.order <= after }
        var page = MessagePage(messages: [])
        var last: PageCursor?
        // Why: the three endings share one list, so a page looks past at most this many others.
        var looks = max(10_000, 10 * limit)
        while let ending = ended[place] {
            place += 1
            looks -= 1
            if looks == 0 || page.messages.count == limit {
                page.next = looks == 0 ? PageCursor("\(ending.order - 1)") : last
                return page
            }
            guard let slot = live(ending.id), slots[Int(slot)].state == state,
                slots[Int(slot)].finishedAt == ending.at
            else { continue }
            page.messages.append(record(of: slot, withBody: false))
            last = PageCursor("\(ending.order)")
        }
        return page
    }
}
