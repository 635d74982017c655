// SPDX-License-Identifier: Apache-2.0

extension DeviceState {
    /// Takes time, identity and counters of a reading that is newer than all before.
    mutating func move(to current: Reading, _ findings: inout Findings) {
        let now = current.time.day
        let before = lastTime.day
        if readings == 0 {
            firstDay = now
            movedDay = now
            totalDay = now
        } else {
            let gap = now - before
            interval = interval == 0 ? gap : interval + 0.1 * (min(gap, 4 * interval) - interval)
        }
        readings += 1
        lastTime = current.time
        let identity = Hash.of(current.serial)
        let isSwapped = identity != 0 && serial != 0 && identity != serial
        if isSwapped {
            findings.events.append(event(.deviceSwap, current, detail: 0))
            total = nil
            for at in supplies.indices { supplies[at].startAnew() }
        }
        if identity != 0 { serial = identity }
        guard let count = current.total else { return }
        defer {
            total = count
            totalDay = now
        }
        guard let old = total else {
            countsPages = true
            return
        }
        if count < old {
            let kind: Event.Kind = count * 5 < old ? .counterReset : .counterRollback
            findings.events.append(event(kind, current, detail: Double(old - count)))
            return
        }
        let used = Double(count - old)
        if used > 0 {
            if flags & 1 != 0 {
                flags &= ~1
                findings.events.append(event(.active, current, detail: now - movedDay))
            }
            movedDay = now
        } else if flags & 1 == 0, pages > 0, now - movedDay > 14 {
            flags |= 1
            findings.events.append(event(.idle, current, detail: now - movedDay))
        }
        pages += used
        guard !isHeldUp(current) else { return }
        week.learn(used, totalDay, now)
        use.add(
            used, exposure: week.exposure(totalDay, now), at: now, elapsed: now - totalDay)
    }

    /// Whether a reading lies so far ahead that its time is not believed: a device whose clock leaps
    /// once would else be late for as long as it leapt. A second one in a row is believed, for it may
    /// have been silent.
    mutating func doubts(
        _ current: Reading, _ previous: some Collection<Reading>, _ findings: inout Findings
    ) -> Bool {
        let gap = current.time.day - lastTime.day
        guard readings > 0, gap > Self.leapLimit else {
            flags &= ~2
            return false
        }
        if flags & 2 != 0 {
            if previous.contains(where: { $0.time == current.time }) {
                findings.arrival = .duplicate
                duplicates += 1
                return true
            }
            flags &= ~2
            return false
        }
        flags |= 2
        findings.arrival = .ahead
        findings.events.append(event(.clockLeap, current, detail: gap))
        return true
    }

    /// Whether a supply may have been empty for part of the time since the reading before. Such a
    /// time says nothing about how much people would print. A supply that stays at 0 for over two
    /// weeks does not hold the device up.
    private func isHeldUp(_ current: Reading) -> Bool {
        for supply in current.supplies where supply.kind == .toner || supply.kind == .ink {
            guard let percent = supply.percent,
                let state = supplies.first(where: { $0.index == supply.index }), state.reading >= 0
            else { continue }
            if percent <= 0 || state.reading <= 0 {
                let since = state.reading <= 0 ? state.edgeDay : lastTime.day
                if lastTime.day - since < 15 { return true }
            }
            if percent - state.reading >= state.riseLimit, state.level < 25 { return true }
        }
        return false
    }

    /// Takes one supply of the reading.
    mutating func take(_ supply: Supply, of current: Reading, _ findings: inout Findings) {
        let at: Int
        if let found = supplies.firstIndex(where: { $0.index == supply.index }) {
            at = found
        } else {
            makeRoom(for: current, &findings)
            at = supplies.firstIndex { $0.index > supply.index } ?? supplies.count
            supplies.insert(SupplyState(index: supply.index), at: at)
            supplies[at].startUsage = usage
        }
        supplies[at].color = supply.color
        guard let percent = supply.percent, !(supplies[at].reading < 0 && isEnumerated(supply))
        else {
            if supplies[at].reading < 0 {
                supplies[at].lastDay = current.time.day
                enumerate(supply, at, current, &findings)
            }
            return
        }
        let look = Look(
            percent: percent, day: current.time.day, usage: usage,
            serial: Hash.of(supply.serial), capacity: max(0, supply.capacity), prior: prior)
        for change in supplies[at].observe(look) {
            findings.events.append(
                Event(
                    kind: change.kind, device: current.device, supply: supply.index,
                    time: Instant(day: change.day), seen: current.time, detail: change.detail))
        }
    }

    /// Forgets the supply that has told nothing for the longest when there are too many to keep. Why: a
    /// device may number its supplies anew each time, and what is kept of it must not grow for ever.
    private mutating func makeRoom(for current: Reading, _ findings: inout Findings) {
        guard supplies.count >= Self.supplyLimit else { return }
        let unnamed = supplies.indices.filter { at in
            !current.supplies.contains { $0.index == supplies[at].index }
        }
        guard let oldest = unnamed.min(by: { supplies[$0].lastDay < supplies[$1].lastDay }) else {
            return
        }
        let gone = supplies.remove(at: oldest)
        var found = event(
            .supplyForgotten, current, detail: max(0, current.time.day - gone.lastDay))
        found.supply = gone.index
        findings.events.append(found)
    }

    func event(_ kind: Event.Kind, _ current: Reading, detail: Double) -> Event {
        Event(
            kind: kind, device: current.device, supply: nil, time: current.time,
            seen: current.time, detail: detail)
    }

    /// A device that only says ok, low or empty also says 0 for empty, which is no percentage.
    private func isEnumerated(_ supply: Supply) -> Bool {
        supply.condition != nil && supply.capacity < 0 && supply.level <= 0
    }

    private mutating func enumerate(
        _ supply: Supply, _ at: Int, _ current: Reading, _ findings: inout Findings
    ) {
        let condition: UInt8
        switch (supply.condition, supply.level) {
        case (.ok, _): condition = 1
        case (.low, _): condition = 2
        case (.empty, _): condition = 3
        case (nil, -3): condition = 1
        case (nil, 0): condition = 3
        case (nil, -2) where supplies[at].condition > 0: condition = 2
        default: return
        }
        let old = supplies[at].condition
        supplies[at].condition = condition
        guard old > 1, condition == 1 else { return }
        if old == 3 {
            supplies[at].yields.append(max(1e-9, usage - supplies[at].startUsage))
            if supplies[at].yields.count > 8 { supplies[at].yields.removeFirst() }
        }
        supplies[at].number &+= 1
        supplies[at].startUsage = usage
        findings.events.append(
            Event(
                kind: .replacement, device: current.device, supply: supply.index,
                time: current.time, seen: current.time, detail: 100))
    }

    /// A late reading may confirm or deny a rise that waits for its proof; the sums are not rewound.
    mutating func hear(late reading: Reading) {
        for supply in reading.supplies {
            guard let percent = supply.percent,
                let at = supplies.firstIndex(where: { $0.index == supply.index }),
                let rise = supplies[at].rise, reading.time.day > rise.day
            else { continue }
            if percent < supplies[at].reading + supplies[at].riseLimit { supplies[at].rise = nil }
        }
    }
}

extension SupplyState {
    /// Another machine stands in the same place: its supplies are new to us.
    mutating func startAnew() {
        var fresh = SupplyState(index: index)
        fresh.color = color
        fresh.number = number &+ 1
        fresh.alert = alert
        self = fresh
    }
}
