// SPDX-License-Identifier: Apache-2.0

extension Ledger {
    package func slice(_ step: SearchStep) -> SearchSlice {
        numbers[step.queue].map { books[$0].slice(step) } ?? SearchSlice()
    }
}

extension Book {
    func slice(_ step: SearchStep) -> SearchSlice {
        switch step.walk {
        case .leased: heapSlice(leases, step, Int64.min...Int64.max)
        case .scheduled: heapSlice(due, step, step.plan.due)
        case .dead: heapSlice(dead, step, step.plan.finished)
        case .ready: readySlice(step)
        case .ended: endedSlice(step)
        }
    }

    /// Looks at one more message.
    private func look(_ slot: Int32, _ step: SearchStep, _ slice: inout SearchSlice) {
        slice.scanned += 1
        var record = record(of: slot, withBody: true)
        guard step.matches(record) else { return }
        record.body = nil
        slice.found.append(record)
    }

    private func isFull(_ slice: SearchSlice, _ step: SearchStep) -> Bool {
        slice.scanned >= step.records || slice.found.count >= step.messages
    }

    /// Sorts all that is behind the cursor: nothing but an inspection may call it.
    private func heapSlice(
        _ heap: TimeHeap, _ step: SearchStep, _ times: ClosedRange<Int64>
    ) -> SearchSlice {
        let isDown = step.walk == .dead
        var last: TimeHeap.Node?
        if let parts = step.after?.split(separator: "."), parts.count == 3,
            let time = Int64(parts[0]), let place = Int32(parts[1]),
            let id = MessageID(String(parts[2]))
        {
            last = TimeHeap.Node(time: time, place: place, slot: 0, id: id)
        }
        let rest = heap.nodes.filter { node in
            guard times.contains(node.time) else { return false }
            guard let last else { return true }
            return isDown ? node < last : last < node
        }
        var slice = SearchSlice()
        for node in isDown ? rest.sorted(by: >) : rest.sorted() {
            if isFull(slice, step) {
                slice.next = last.map { "\($0.time).\($0.place).\($0.id)" }
                return slice
            }
            look(node.slot, step, &slice)
            last = node
        }
        return slice
    }

    private func readySlice(_ step: SearchStep) -> SearchSlice {
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
        var slice = SearchSlice()
        for line in order[start...] {
            if let wanted = step.plan.kinds, !wanted.contains(kinds[line / 16].name) { continue }
            var place = lines[line].partition { $0.order <= after }
            while let waiting = lines[line][place] {
                if isFull(slice, step) {
                    slice.next = "\(line).\(after)"
                    return slice
                }
                place += 1
                after = waiting.order
                // A tombstone is looked at too, so that many of them do not make a long step.
                if slots[Int(waiting.slot)].isGhost {
                    slice.scanned += 1
                } else {
                    look(waiting.slot, step, &slice)
                }
            }
            after = .min
        }
        return slice
    }

    private func endedSlice(_ step: SearchStep) -> SearchSlice {
        let before = step.after.flatMap { Int64($0) } ?? .max
        var place = ended.partition { $0.order < before } - 1
        var slice = SearchSlice()
        while place >= 0, let ending = ended[place] {
            if isFull(slice, step) {
                slice.next = "\(ending.order + 1)"
                return slice
            }
            place -= 1
            // One that came back and moved on stands further up.
            guard let slot = live(ending.id), slots[Int(slot)].state.hasEnded,
                slots[Int(slot)].finishedAt == ending.at
            else {
                slice.scanned += 1
                continue
            }
            look(slot, step, &slice)
        }
        return slice
    }
}
