// SPDX-License-Identifier: Apache-2.0

/// What a search saw of a walk while it had the ledger: records in their order, not judged yet.
///
/// Bodies are shared with the ledger, not copied.
package struct SearchSight: Sendable {
    /// To go on behind a record.
    enum Place: Sendable {
        case node(TimeHeap.Node)
        case waiting(line: Int, order: Int64)
        case ending(Int64)

        var text: String {
            switch self {
            case .node(let node): "\(node.time).\(node.place).\(node.id)"
            case .waiting(let line, let order): "\(line).\(order)"
            case .ending(let order): "\(order)"
            }
        }
    }

    /// Without a record where one was and has left.
    var seen: [(record: MessageRecord?, place: Place)] = []
    var isLast = true

    /// Goes through the records until the slice has its messages, or has read its bytes.
    package func slice(_ step: SearchStep) -> SearchSlice {
        var slice = SearchSlice()
        var bytes = 0
        var last: Place?
        for (record, place) in seen {
            if slice.found.count >= step.messages || bytes >= step.bytes {
                slice.next = last?.text ?? step.after
                return slice
            }
            slice.scanned += 1
            last = place
            guard var record, step.mayMatch(record) else { continue }
            if step.matcher.stage == .body { bytes += record.body?.count ?? 0 }
            guard step.matches(record) else { continue }
            record.body = nil
            slice.found.append(record)
        }
        if !isLast { slice.next = last?.text }
        return slice
    }
}

extension Ledger {
    package func sight(_ step: SearchStep) -> SearchSight {
        numbers[step.queue].map { books[$0].sight(step) } ?? SearchSight()
    }
}

extension Book {
    func sight(_ step: SearchStep) -> SearchSight {
        switch step.walk {
        case .leased: heapSight(leases, step, Int64.min...Int64.max)
        case .scheduled: heapSight(due, step, step.plan.due)
        case .dead: heapSight(dead, step, step.plan.finished)
        case .ready: readySight(step)
        case .ended: endedSight(step)
        }
    }

    private func look(_ slot: Int32, _ step: SearchStep) -> MessageRecord {
        record(of: slot, withBody: step.matcher.stage == .body)
    }

    private func heapSight(
        _ heap: TimeHeap, _ step: SearchStep, _ times: ClosedRange<Int64>
    ) -> SearchSight {
        var last: TimeHeap.Node?
        if let parts = step.after?.split(separator: "."), parts.count == 3,
            let time = Int64(parts[0]), let place = Int32(parts[1]),
            let id = MessageID(String(parts[2]))
        {
            last = TimeHeap.Node(time: time, place: place, slot: 0, id: id)
        }
        // One more, to know whether this is the end.
        let nodes = heap.page(
            after: last, limit: step.records + 1, isDown: step.walk == .dead, times: times)
        var sight = SearchSight()
        sight.isLast = nodes.count <= step.records
        sight.seen = nodes.prefix(step.records).map { (look($0.slot, step), .node($0)) }
        return sight
    }

    private func readySight(_ step: SearchStep) -> SearchSight {
        let order = [0, 1].flatMap { suspect in
            (0..<8).flatMap { band in kinds.indices.map { $0 * 16 + band * 2 + suspect } }
        }
        let parts = step.after?.split(separator: ".").compactMap { Int64($0) } ?? []
        var start = 0
        var after = Int64.min
        if parts.count == 2, let line = order.firstIndex(of: Int(parts[0])) {
            start = line
            after = parts[1]
        }
        var sight = SearchSight()
        for line in order[start...] {
            if let wanted = step.plan.kinds, !wanted.contains(kinds[line / 16].name) { continue }
            var place = lines[line].partition { $0.order <= after }
            while let waiting = lines[line][place] {
                if sight.seen.count >= step.records {
                    sight.isLast = false
                    return sight
                }
                place += 1
                // A tombstone is seen too, so that many of them do not make a long step.
                let isGhost = slots[Int(waiting.slot)].isGhost
                sight.seen.append(
                    (
                        isGhost ? nil : look(waiting.slot, step),
                        .waiting(line: line, order: waiting.order)
                    ))
            }
            after = .min
        }
        return sight
    }

    private func endedSight(_ step: SearchStep) -> SearchSight {
        let before = step.after.flatMap { Int64($0) } ?? .max
        var place = ended.partition { $0.order < before } - 1
        var sight = SearchSight()
        while place >= 0, let ending = ended[place] {
            if sight.seen.count >= step.records {
                sight.isLast = false
                return sight
            }
            place -= 1
            // One that came back and moved on stands further up.
            var record: MessageRecord?
            if let slot = live(ending.id), slots[Int(slot)].state.hasEnded,
                slots[Int(slot)].finishedAt == ending.at
            {
                record = look(slot, step)
            }
            sight.seen.append((record, .ending(ending.order)))
        }
        return sight
    }
}
