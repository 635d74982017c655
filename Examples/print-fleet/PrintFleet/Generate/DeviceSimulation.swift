// SPDX-License-Identifier: Apache-2.0

/// One simulated device: its true life, and what a poller sees of it.
struct DeviceSimulation {
    let recipe: FleetRecipe
    let draw: DeviceDraw
    let lives: [SupplyLife]
    let swaps: [Double]
    /// Times and counter values at which the page counter starts again from 0.
    let resets: [Double]

    init(_ recipe: FleetRecipe, number: Int) {
        self.recipe = recipe
        let draw = DeviceDraw(recipe, number: number)
        self.draw = draw
        var extra = RandomStream(seed: recipe.seed, device: number, purpose: 7)
        func times(_ rate: Double) -> [Double] {
            guard rate > 0 else { return [] }
            return (0..<extra.poisson(rate * Double(recipe.days) / 730)).map { _ in
                Double(extra.below(recipe.days)) + 0.5
            }.sorted()
        }
        let swaps = times(recipe.deviceSwap)
        self.swaps = swaps
        resets = times(recipe.counterReset)
        lives = draw.supplies.map { SupplyLife(draw, $0, recipe, swaps: swaps) }
    }

    /// Pages wanted up to `time`, on the day's even course.
    private func wanted(_ time: Double, _ counts: [Int], _ sums: [Int]) -> Int {
        let day = min(Int(time), counts.count - 1)
        let share = Clockwork.share(time - Double(day))
        return sums[day] + Int((Double(counts[day]) * share).rounded(.down))
    }

    /// Pages printed up to `time`: a device without black prints nothing, unless the recipe says so.
    func pages(at time: Double, of counts: [Int], _ sums: [Int]) -> Int {
        var pages = wanted(time, counts, sums)
        guard !recipe.printsWhenEmpty, let black = lives.first else { return pages }
        for cartridge in black.cartridges {
            guard let depleted = cartridge.depleted, depleted < time else { continue }
            let end = min(time, cartridge.removed ?? time)
            pages -= wanted(end, counts, sums) - wanted(depleted, counts, sums)
        }
        return pages
    }

    /// The readings in the order they arrive.
    func readings() -> [Reading] {
        var random = RandomStream(seed: recipe.seed, device: draw.number, purpose: 8)
        var noise = RandomStream(seed: recipe.seed, device: draw.number, purpose: 9)
        var meterNoise = RandomStream(seed: recipe.seed, device: draw.number, purpose: 10)
        let days = Double(recipe.days)
        let outages = (0..<random.poisson(2 * days / 730)).map { _ in
            let start = random.uniform(0, days)
            return (start, start + 4 * random.exponential())
        }
        var sums = [0]
        for count in draw.pages { sums.append(sums[sums.count - 1] + count) }
        var colorSums = [0]
        for count in draw.colorPages { colorSums.append(colorSums[colorSums.count - 1] + count) }
        var hints = [Int](repeating: 0, count: lives.count)
        var marks = [Int](repeating: 0, count: lives.count)
        var out: [Reading] = []
        out.reserveCapacity(Int(days / draw.poll))
        let names = (0..<recipe.meters).map { "meter.\($0)" }
        let start = 1000 + Int(draw.base) * 100
        var time = random.unit() * draw.poll
        while time < days {
            defer { time += draw.poll * random.uniform(0.9, 1.1) }
            if random.isTrue(draw.missing) { continue }
            if outages.contains(where: { time >= $0.0 && time < $0.1 }) { continue }
            var reading = Reading(
                device: draw.name, time: Instant(day: Double(draw.firstDay) + time),
                serial: "S\(draw.number)-\(swaps.count { $0 <= time } + 1)",
                model: "m-\(Int(draw.step))")
            for (at, life) in lives.enumerated() {
                let old = hints[at]
                let number = life.cartridge(at: time, from: &hints[at])
                if number != old { marks[at] = 0 }
                let level = life.level(
                    at: time, of: number, draw, draw.supplies[at], from: &marks[at])
                reading.supplies.append(observe(level, at, life.cartridges[number], &noise, time))
            }
            var since = 0
            if let reset = resets.last(where: { $0 <= time }) {
                since = pages(at: reset, of: draw.pages, sums) + start
            }
            let swap = swaps.last { $0 <= time } ?? 0
            let total = pages(at: time, of: draw.pages, sums) + start
            let base = swap > 0 ? 500 - pages(at: swap, of: draw.pages, sums) - start : 0
            reading.counters = [.init(name: "total", value: max(0, total - since + base))]
            if !draw.colorPages.isEmpty {
                let color = pages(at: time, of: draw.colorPages, colorSums)
                reading.counters.append(.init(name: "color", value: color))
            }
            for (at, name) in names.enumerated() {
                let value =
                    at % 3 == 0
                    ? Double(total * (at + 1) / 7)
                    : (20 + Double(at) + 5 * meterNoise.normal()).rounded()
                        + Double(meterNoise.below(10)) / 10
                reading.meters.append(.init(name: name, value: value))
            }
            out.append(reading)
        }
        disturb(&out)
        return out
    }

    private func observe(
        _ level: Double, _ at: Int, _ cartridge: SupplyLife.Cartridge,
        _ noise: inout RandomStream, _ time: Double
    ) -> Supply {
        var percent = draw.rounding.apply(level, step: draw.step)
        if noise.isTrue(0.01) {
            percent = min(100, max(0, percent + (noise.isTrue(0.5) ? draw.step : -draw.step)))
        }
        let isUnknown = noise.isTrue(0.002)
        let color = draw.supplies[at].color
        var supply = Supply(
            index: at + 1, color: color, kind: .toner, level: Int(percent), capacity: 100, unit: 19)
        if draw.capacity != 100 {
            // Why by the cartridge: every second one is of the large kind.
            let capacity = cartridge.number % 2 == 0 ? 1500 : 1000
            supply.capacity = capacity
            supply.unit = 15
            supply.level = Int((percent * Double(capacity) / 100).rounded())
        }
        if isUnknown { supply.level = -2 }
        if draw.isLowOnly {
            supply.capacity = -2
            supply.level = level > 12 ? -3 : level > 0 ? -2 : 0
            supply.condition = level > 12 ? .ok : level > 0 ? .low : .empty
        }
        return supply
    }

    /// Clock skew, duplicates, late arrivals and shaken cartridges, each at its rate.
    private func disturb(_ readings: inout [Reading]) {
        var extra = RandomStream(seed: recipe.seed, device: draw.number, purpose: 11)
        let shaken =
            recipe.shaken > 0
            ? (0..<extra.poisson(recipe.shaken * Double(recipe.days) / 730)).map { _ in
                extra.below(max(1, readings.count))
            } : []
        for at in shaken where at < readings.count {
            for offset in 0..<3 where at + offset < readings.count {
                for index in readings[at + offset].supplies.indices
                where readings[at + offset].supplies[index].capacity == 100 {
                    let level = readings[at + offset].supplies[index].level
                    guard level >= 0 else { continue }
                    readings[at + offset].supplies[index].level = min(100, level + Int(draw.step))
                }
            }
        }
        var out: [Reading] = []
        out.reserveCapacity(readings.count)
        for reading in readings {
            var reading = reading
            if recipe.clockSkew > 0, extra.isTrue(recipe.clockSkew) {
                reading.time = Instant(ms: reading.time.ms + 86_400_000 * 400)
            }
            out.append(reading)
            if recipe.duplicate > 0, extra.isTrue(recipe.duplicate) { out.append(reading) }
            if recipe.outOfOrder > 0, out.count > 1, extra.isTrue(recipe.outOfOrder) {
                out.swapAt(out.count - 1, out.count - 2)
            }
        }
        readings = out
    }
}
