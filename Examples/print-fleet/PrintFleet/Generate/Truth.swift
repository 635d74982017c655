// SPDX-License-Identifier: Apache-2.0

extension Reading {
    /// Appends the reading as one line of the format, `\n` included.
    package func write(to json: inout JSONWriter) {
        json.open()
        json.field("v", 1)
        json.field("device", device)
        json.field("time", time)
        json.field("serial", serial)
        json.field("model", model)
        json.name("supplies")
        json.open("[")
        for supply in supplies {
            json.open()
            json.field("index", supply.index)
            json.field("color", supply.color.text)
            json.field("kind", supply.kind.text)
            json.field("class", supply.class.text)
            json.field("level", supply.level)
            json.field("capacity", supply.capacity)
            json.field("unit", supply.unit)
            json.field("serial", supply.serial)
            json.field("part", supply.part)
            json.field("state", supply.condition?.text)
            json.close()
        }
        json.close("]")
        json.name("counters")
        json.open()
        for counter in counters { json.field(counter.name, counter.value) }
        json.close()
        if !meters.isEmpty {
            json.name("meters")
            json.open()
            for meter in meters { json.field(meter.name, meter.value) }
            json.close()
        }
        json.close()
        json.endLine()
    }
}

extension DeviceSimulation {
    /// Writes the ground truth of the device: `device`, `supply`, `cartridge` and `event` lines, and
    /// `level` lines if asked for.
    func writeTruth(to json: inout JSONWriter, levels: Bool) {
        func moment(_ time: Double) -> Instant { Instant(day: Double(draw.firstDay) + time) }
        json.open()
        json.field("type", "device")
        json.field("device", draw.name)
        json.field("seed", Int(truncatingIfNeeded: recipe.seed))
        json.field("base", draw.base)
        json.field("dispersion", draw.dispersion)
        json.field("driftDeviation", draw.driftDeviation)
        json.field("weekend", draw.weekend)
        json.field("changesEarly", draw.changesEarly ? draw.threshold : 0)
        json.field("poll", draw.poll)
        json.field("missing", draw.missing)
        json.name("regimes")
        json.open("[")
        for change in draw.regimes {
            json.open()
            json.field("time", moment(Double(change.day)))
            json.field("factor", change.factor)
            json.close()
        }
        json.close("]")
        json.name("closures")
        json.open("[")
        for closed in draw.closures {
            json.open()
            json.field("time", moment(Double(closed.day)))
            json.field("days", closed.length)
            json.close()
        }
        json.close("]")
        json.close()
        json.endLine()
        func event(_ kind: String, _ index: Int?, _ time: Double, _ detail: String) {
            json.open()
            json.field("type", "event")
            json.field("device", draw.name)
            json.field("index", index)
            json.field("kind", kind)
            json.field("time", moment(time))
            json.field("detail", detail)
            json.close()
            json.endLine()
        }
        for swap in swaps { event("deviceSwap", nil, swap, "") }
        for reset in resets { event("counterReset", nil, reset, "") }
        for (supply, life) in zip(draw.supplies, lives) {
            json.open()
            json.field("type", "supply")
            json.field("device", draw.name)
            json.field("index", supply.index)
            json.field("step", draw.step)
            json.field("rounding", draw.rounding.text)
            json.field("yield", supply.yield)
            json.close()
            json.endLine()
            for cartridge in life.cartridges {
                json.open()
                json.field("type", "cartridge")
                json.field("device", draw.name)
                json.field("index", supply.index)
                json.field("n", cartridge.number)
                json.field("serial", cartridge.serial)
                json.field("installed", moment(cartridge.installed))
                json.field("levelIn", cartridge.levelIn)
                json.name("depleted")
                writeMoment(cartridge.depleted.map(moment), to: &json)
                json.name("removed")
                writeMoment(cartridge.removed.map(moment), to: &json)
                json.field("levelOut", cartridge.levelOut)
                json.field("cause", cartridge.cause.rawValue)
                json.close()
                json.endLine()
            }
            for one in life.happenings { event(one.kind, supply.index, one.time, one.detail) }
            guard levels else { continue }
            var hint = 0
            for day in 0..<recipe.days {
                let time = Double(day) + 0.999_999
                let number = life.cartridge(at: time, from: &hint)
                var mark = 0
                json.open()
                json.field("type", "level")
                json.field("device", draw.name)
                json.field("index", supply.index)
                json.field("day", day)
                json.field(
                    "level",
                    life.level(at: time, of: number, draw, supply, from: &mark), decimals: 4)
                json.close()
                json.endLine()
            }
        }
    }

    private func writeMoment(_ moment: Instant?, to json: inout JSONWriter) {
        if let moment { json.value(moment.text) } else { json.null() }
    }
}
