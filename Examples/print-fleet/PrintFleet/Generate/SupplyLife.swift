// SPDX-License-Identifier: Apache-2.0

/// The true life of one supply over the simulated days: cartridges, levels, and what happened.
struct SupplyLife {
    struct Cartridge {
        var number: Int
        var serial: String
        /// Days since the device's first day, as all times here.
        var installed: Double
        var levelIn: Double
        var depleted: Double?
        var removed: Double?
        var levelOut: Double = 0
        var cause: Cause = .end
        /// True level at the start of each day touched, from the day of `installed` on.
        var marks: [(time: Double, level: Double)] = []
    }

    enum Cause: String, Sendable {
        case empty, early, refill, swapback, deviceSwap, end
    }

    struct Happening {
        var kind: String
        var time: Double
        var detail: String
    }

    private(set) var cartridges: [Cartridge] = []
    private(set) var happenings: [Happening] = []

    init(
        _ draw: DeviceDraw, _ supply: DeviceDraw.SupplyDraw, _ recipe: FleetRecipe, swaps: [Double]
    ) {
        let days = draw.pages.count
        var random = RandomStream(
            seed: recipe.seed, device: draw.number, purpose: 32 + UInt64(supply.index))
        var extra = RandomStream(
            seed: recipe.seed, device: draw.number, purpose: 64 + UInt64(supply.index))
        let years = Double(days) / 730
        func times(_ rate: Double) -> [Double] {
            guard rate > 0 else { return [] }
            return (0..<extra.poisson(rate * years)).map { _ in
                (Double(extra.below(days)) + extra.uniform(0.4, 0.7))
            }
        }
        var plans: [(time: Double, kind: Int)] =
            times(recipe.leak).map { ($0, 0) } + times(recipe.swapBack).map { ($0, 1) }
            + swaps.map { ($0, 2) }
        plans.sort { $0.time < $1.time }
        var next = 0
        var spare: (level: Double, serial: String, since: Double)?
        var level = supply.firstLevel
        var time = 0.0
        var serial = 0
        func name() -> String {
            serial += 1
            return "C-\(draw.number)-\(supply.index)-\(serial)"
        }
        func install(_ fill: Double, _ name: String) {
            level = fill
            cartridges.append(
                Cartridge(
                    number: cartridges.count + 1, serial: name, installed: time, levelIn: fill,
                    marks: [(time, fill)]))
        }
        func remove(_ cause: Cause) {
            let last = cartridges.count - 1
            cartridges[last].removed = time
            cartridges[last].levelOut = level
            cartridges[last].cause = cause
            cartridges[last].marks.append((time, level))
        }
        func renew() {
            if recipe.refill > 0, extra.isTrue(recipe.refill) {
                remove(.refill)
                install(extra.uniform(60, 95), cartridges[cartridges.count - 1].serial)
            } else {
                remove(level > 0 ? .early : .empty)
                install(100, name())
            }
        }
        install(level, name())
        var change: Double?
        while time < Double(days) {
            let day = Int(time)
            let used = Clockwork.share(time - Double(day))
            let rate = draw.use(supply, day: day)
            // What comes first: the day's end, a plan, the change of an empty one, or a level reached.
            var end = Double(day + 1)
            var what = 0
            if next < plans.count, plans[next].time < end { (end, what) = (plans[next].time, 1) }
            if let at = change, at < end { (end, what) = (at, 2) }
            // Why at the day's end: somebody sees the low level then, and the day's jobs are done.
            let closes = Double(day) + Clockwork.closes
            if draw.changesEarly, level > 0, time < closes, closes < end,
                level - rate * (1 - used) <= draw.threshold
            {
                (end, what) = (closes, 4)
            }
            if level > 0, rate > 0 {
                let share = used + level / rate
                if share <= 1 {
                    let at = Double(day) + Clockwork.fraction(share)
                    if at < end { (end, what) = (max(at, time), 3) }
                }
            }
            let share = Clockwork.share(end - Double(day))
            level = max(0, level - rate * (share - used))
            time = end
            let last = cartridges.count - 1
            switch what {
            case 0:
                if time < Double(days) { cartridges[last].marks.append((time, level)) }
                if let back = spare, time >= back.since {
                    remove(.swapback)
                    install(back.level, back.serial)
                    happenings.append(
                        Happening(kind: "swapBack", time: time, detail: "\(back.level)"))
                    spare = nil
                    change = nil
                }
            case 1:
                let kind = plans[next].kind
                next += 1
                if kind == 2 {
                    remove(.deviceSwap)
                    install(extra.uniform(40, 100), name())
                    change = nil
                } else if kind == 0, level > 35 {
                    level -= extra.uniform(15, 30)
                    cartridges[last].marks.append((time, level))
                    happenings.append(Happening(kind: "leak", time: time, detail: "\(level)"))
                } else if kind == 1, level > 25, level < 80, spare == nil, change == nil {
                    spare = (level, cartridges[last].serial, time + extra.uniform(4, 8))
                    remove(.swapback)
                    install(100, name())
                }
            case 2:
                change = nil
                renew()
            case 4:
                if level > 0 { renew() }
            default:
                level = 0
                cartridges[last].depleted = time
                cartridges[last].marks.append((time, 0))
                change = time + 1 + Double(random.poisson(1))
            }
        }
        cartridges[cartridges.count - 1].levelOut = level
    }

    /// The cartridge that is in at `time`, found from `hint` on.
    func cartridge(at time: Double, from hint: inout Int) -> Int {
        while hint + 1 < cartridges.count, cartridges[hint + 1].installed <= time { hint += 1 }
        return hint
    }

    /// The true level at `time`, `mark` being where the last look ended.
    func level(
        at time: Double, of number: Int, _ draw: DeviceDraw, _ supply: DeviceDraw.SupplyDraw,
        from mark: inout Int
    ) -> Double {
        let marks = cartridges[number].marks
        while mark + 1 < marks.count, marks[mark + 1].time <= time { mark += 1 }
        let (start, level) = marks[mark]
        let day = min(Int(start), draw.pages.count - 1)
        let share =
            Clockwork.share(min(1, time - Double(day))) - Clockwork.share(start - Double(day))
        return max(0, level - draw.use(supply, day: day) * max(0, share))
    }
}
