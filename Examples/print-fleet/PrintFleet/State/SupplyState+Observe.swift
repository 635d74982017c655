// SPDX-License-Identifier: Apache-2.0

/// One look at a supply: where the level and the usage counter stood.
struct Look {
    var percent: Double
    var day: Double
    /// Usage counter now, and at the reading before.
    var usage: Double
    var serial: UInt64
    var capacity: Int
    /// Percent per unit of usage to assume of a new device.
    var prior: Double
}

extension SupplyState {
    /// The reading that the estimate follows: a fall that fits is taken before it is proved.
    var followed: Double {
        if let fall, fall.isTaken { return fall.level }
        return reading
    }
    var upperEdge: Double { min(100, followed + evidence.offset) }
    var lowerEdge: Double { max(0, followed + evidence.offset - evidence.step) }

    /// Whether the device was seen to print with an empty supply.
    var printsOn: Bool { Double(emptyUse) > 2 + 0.3 * Double(emptyRest) }

    /// How much a level must rise to be more than jitter.
    var riseLimit: Double { max(1.5 * evidence.step, 8) }

    /// Takes one look into the state and returns what happened, oldest first.
    mutating func observe(_ look: Look) -> [Change] {
        guard reading >= 0 else {
            begin(look, level: look.percent, day: look.day, usage: look.usage)
            evidence.see(look.percent)
            capacity = look.capacity
            serial = look.serial
            return []
        }
        var changes: [Change] = []
        let isNewSerial = look.serial != 0 && serial != 0 && look.serial != serial
        let isNewCapacity = look.capacity > 0 && capacity > 0 && look.capacity != capacity
        if isNewCapacity {
            changes.append(
                Change(kind: .capacityChange, day: look.day, detail: Double(look.capacity)))
            capacity = look.capacity
        }
        if look.percent != reading { evidence.see(look.percent) }
        settlePending(look, &changes)
        if isNewSerial {
            rise = nil
            fall = nil
            if look.serial == oldSerial {
                swapBack(look, day: look.day, usage: look.usage, &changes)
            } else {
                replace(look, at: look.day, usage: look.usage, before: lastUsage, &changes)
            }
            serial = look.serial
        } else if look.percent > reading {
            up(look, isHinted: isNewCapacity, &changes)
        } else if look.percent < reading {
            down(look, &changes)
        } else if rise == nil {
            fall = nil
        }
        if rise == nil { uncover(look, &changes) }
        if serial == 0 { serial = look.serial }
        if capacity == 0 { capacity = look.capacity }
        advance(to: look)
        return changes
    }

    /// Moves the estimate with the usage and keeps it inside the step that the device reports.
    private mutating func advance(to look: Look) {
        let used = max(0, look.usage - lastUsage)
        let expected = perUsage(prior: look.prior) * used
        lastUsage = look.usage
        lastDay = look.day
        level -= expected
        let upper = upperEdge
        let lower = lowerEdge
        if level > upper {
            level = upper - min(Tuning.highEdge * evidence.step, expected / 2)
        }
        let floor = min(upper, lower + Tuning.lowEdge * evidence.step)
        if level < floor { level = floor }
        if followed <= 0, evidence.offset < 1e-9 { level = 0 }
    }

    /// A rise or fall seen last time: does this look confirm it?
    private mutating func settlePending(_ look: Look, _ changes: inout [Change]) {
        if let pending = rise {
            rise = nil
            let explained =
                perUsage(prior: look.prior) * max(0, look.usage - pending.usage)
            let isUsedUp =
                look.percent < pending.level
                && explained > 0.4 * (pending.level - look.percent)
            if look.percent >= reading + riseLimit || isUsedUp {
                var seen = look
                seen.percent = pending.level
                let used =
                    perUsage(prior: look.prior) * (pending.usage - pending.usageBefore)
                let unseen =
                    dropAll > 60 && !printsOn
                    ? ((used - (reading - pending.level)) / 100 - 0.05).rounded() : 1
                for _ in 0..<Maths.count(unseen, in: 1...8) {
                    replace(
                        seen, at: pending.day, usage: pending.usage, before: pending.usageBefore,
                        &changes)
                }
            } else if look.percent > reading {
                changes.append(Change(kind: .shaken, day: pending.day, detail: pending.level))
            }
        }
        if let pending = fall {
            fall = nil
            if look.percent <= pending.level + 0.5 * evidence.step {
                if pending.isSuspicious {
                    drain(pending, &changes)
                } else {
                    cross(pending)
                }
            } else if look.percent >= pending.level + riseLimit, !pending.isSuspicious {
                // Why: jitter is one step, so a rise of more says that the fall was true.
                cross(pending)
            } else if look.percent < reading {
                var part = pending
                part.level = look.percent
                cross(part)
            }
        }
    }

    private mutating func up(_ look: Look, isHinted: Bool, _ changes: inout [Change]) {
        let height = look.percent - reading
        if height >= riseLimit || (isHinted && height > evidence.step) {
            if isHinted {
                replace(look, at: look.day, usage: look.usage, before: lastUsage, &changes)
            } else {
                rise = pending(look)
            }
        } else if height > 0.5, evidence.step <= 2, height > 2.5 * evidence.step {
            changes.append(Change(kind: .shaken, day: look.day, detail: look.percent))
        }
    }

    private mutating func down(_ look: Look, _ changes: inout [Change]) {
        var one = pending(look)
        let expected = perUsage(prior: look.prior) * max(0, look.usage - lastUsage)
        let unexplained = level - expected - (look.percent + evidence.offset)
        one.isSuspicious =
            dropAll > 40 && unexplained > max(2 * evidence.step, 10) + 3 * expected
        // Why at once where it fits: only a fall that usage does not explain waits for its proof.
        one.isTaken =
            !one.isSuspicious && (evidence.step <= 2 || unexplained < 0.5 * evidence.step)
        fall = one
    }

    private func pending(_ look: Look) -> Pending {
        Pending(
            level: look.percent, day: look.day, usage: look.usage, usageBefore: lastUsage,
            dayBefore: lastDay, serial: look.serial)
    }

    /// The level has truly fallen to a lower step: its upper edge was crossed on the way.
    private mutating func cross(_ seen: Pending) {
        let step = evidence.step
        let fallen = reading - seen.level
        guard fallen > 0 else { return }
        let steps = max(1, fallen / step)
        let gap = seen.usage - seen.usageBefore
        let usage = seen.usage - gap / (2 * steps)
        if let edge {
            accumulate(edge - seen.level, max(0, usage - edgeUsage), at: seen.day)
        } else {
            if isFresh { learnRounding(seen, usage: usage, gap: gap) }
            // Why only fine steps: a cartridge is first seen somewhere inside a step.
            if step <= 2, usage > edgeUsage {
                accumulate(startLevel - seen.level, usage - edgeUsage, at: seen.day)
            }
        }
        isFresh = false
        edge = seen.level
        edgeUsage = usage
        edgeDay = seen.day
        reading = seen.level
    }

    /// How much of a step a full cartridge took before its first fall tells how the device rounds.
    private mutating func learnRounding(_ seen: Pending, usage: Double, gap: Double) {
        let step = evidence.step
        guard dropAll >= 30, startLevel >= 100 - 0.5 * step else { return }
        let per = dropAll / max(1e-9, usageAll)
        let used = per * (usage - startUsage)
        // How many steps it fell on the way: only the part above the first edge counts.
        let share = (used - (startLevel - step - seen.level)) / step
        let blur = per * (gap + startGap) / step / 3
        evidence.weigh(
            share: min(1.4, max(-0.4, share)),
            deviation: (0.04 + 0.06 * max(0, share) + blur * blur).squareRoot())
    }

    /// Starts the books of a cartridge.
    private mutating func begin(_ look: Look, level: Double, day: Double, usage: Double) {
        reading = level
        self.level = min(100, level + evidence.offset - 0.5 * evidence.step)
        startDay = day
        startUsage = usage
        startLevel = level
        startGap = 0
        lastUsage = usage
        lastDay = day
        edge = nil
        edgeUsage = usage
        edgeDay = day
        isFresh = false
        rise = nil
        fall = nil
    }

    /// A new cartridge is in: closes the old one and says what it was.
    private mutating func replace(
        _ look: Look, at day: Double, usage: Double, before: Double, _ changes: inout [Change]
    ) {
        let per = perUsage(prior: look.prior)
        let gap = max(0, usage - before)
        let left = max(0, level - per * gap / 2)
        let full = 100 - per * gap
        let isRefill =
            look.serial == serial && look.percent < 96 - evidence.step && dropAll > 40
            && look.percent + evidence.offset < full - max(3, 0.3 * per * gap)
            && look.percent >= 40
        if edge != nil, usageAll > 0 {
            yields.append(100 * usageAll / dropAll)
            if yields.count > 8 { yields.removeFirst() }
        }
        changes.append(
            Change(kind: isRefill ? .refill : .replacement, day: day, detail: look.percent))
        let isEarly = reading > 0 && left > max(2, evidence.step)
        if isEarly, !isRefill { changes.append(Change(kind: .premature, day: day, detail: left)) }
        oldLevel = left
        oldSerial = serial
        oldIsAlerted = isAlerted
        number &+= 1
        begin(look, level: look.percent, day: day, usage: usage)
        startGap = gap
        startUsage = usage - gap / 2
        if !isRefill, look.percent + 2 * evidence.step >= full || look.percent >= 95 {
            level = 100 - per * gap / 2
            level = min(max(level, lowerEdge), upperEdge)
            isFresh = look.percent >= 100 - 0.5 * evidence.step
        }
    }

    /// Between two readings far more was used than the level fell: a cartridge was changed unseen.
    private mutating func uncover(_ look: Look, _ changes: inout [Change]) {
        let used = max(0, look.usage - lastUsage)
        let isStillEmpty = reading <= 0 && look.percent <= 0
        guard dropAll > 60 else { return }
        let expected = perUsage(prior: look.prior) * used
        if isStillEmpty {
            // Devices differ: some print on at 0. Those give small amounts of use there.
            if expected > 0.5, expected < 35 {
                emptyUse = min(200, emptyUse + 1)
            } else {
                emptyRest = min(200, emptyRest + 1)
            }
        }
        guard expected > 40 else { return }
        let excess = expected - (level - look.percent)
        if look.percent <= 0, excess > 180, look.day - lastDay < 1.5 {
            // Why: nobody changes two cartridges between two looks and lets the second run dry.
            emptyUse = min(200, emptyUse + 4)
        }
        guard excess > Tuning.unseen, look.percent > 0 || !printsOn else { return }
        let before = lastUsage
        for _ in 0..<Maths.count((excess / 100).rounded(), in: 1...8) {
            replace(look, at: look.day, usage: look.usage, before: before, &changes)
        }
    }

    /// A sudden fall was confirmed: an old cartridge is back, or toner went where no page shows it.
    private mutating func drain(_ seen: Pending, _ changes: inout [Change]) {
        let isBack =
            oldLevel > max(5, evidence.step) && serial == 0
            && abs(oldLevel - (seen.level + evidence.offset - 0.5 * evidence.step))
                <= max(4, evidence.step)
        let look = Look(
            percent: seen.level, day: seen.day, usage: seen.usage, serial: serial,
            capacity: capacity, prior: 1)
        if isBack {
            swapBack(look, day: seen.day, usage: seen.usage, &changes)
        } else {
            changes.append(Change(kind: .leak, day: seen.day, detail: reading - seen.level))
            let start = (startDay, startUsage, startLevel)
            begin(look, level: seen.level, day: seen.day, usage: seen.usage)
            (startDay, startUsage, startLevel) = start
        }
    }

    private mutating func swapBack(
        _ look: Look, day: Double, usage: Double, _ changes: inout [Change]
    ) {
        changes.append(Change(kind: .swapBack, day: day, detail: look.percent))
        let old = (level, serial, isAlerted)
        let wasAlerted = oldIsAlerted
        number &+= 1
        begin(look, level: look.percent, day: day, usage: usage)
        (oldLevel, oldSerial, oldIsAlerted) = old
        // Why kept: it is the same cartridge, and its toner was ordered then.
        if wasAlerted { alert = AlertState(cartridge: number) }
    }
}

/// Something that happened to a supply, before it is dressed as an event.
struct Change {
    var kind: Event.Kind
    var day: Double
    var detail: Double
}
