// SPDX-License-Identifier: Apache-2.0
import PrintFleet
import Testing

/// Readings that keep to the format and to nothing else.
@Suite struct `Hostile devices` {
    /// A drawer of its own, so that a failing seed can be run again.
    private struct Dice {
        var state: UInt64

        mutating func roll(_ sides: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(sides))
        }

        mutating func one<Element>(of all: [Element]) -> Element { all[roll(all.count)] }
    }

    private static let most = 1 << 53

    private static func reading(_ dice: inout Dice, at ms: Int64) -> Reading {
        var reading = Reading(
            device: "d", time: Instant(ms: ms), serial: dice.one(of: [nil, "a", "a", "a", "b"]))
        for index in 0..<dice.roll(4) {
            reading.supplies.append(
                Supply(
                    index: dice.one(of: [index + 1, index + 1, Int(Int32.max) - index]),
                    color: dice.one(of: Supply.Color.allCases),
                    kind: dice.one(of: [.toner, .toner, .ink, .waste]),
                    level: dice.one(of: [
                        -3, -2, 0, 1, 5, 20, 50, 50, 90, 100, most, dice.roll(101),
                    ]),
                    capacity: dice.one(of: [100, 100, 100, 100, -2, 1, 1000, most]),
                    unit: dice.one(of: [19, 19, 7]),
                    serial: dice.one(of: [nil, nil, nil, "c", "e"]),
                    condition: dice.one(of: [nil, nil, nil, .ok, .low, .empty])))
        }
        if dice.roll(8) > 0 {
            let total = dice.one(of: [0, 1, 1000, dice.roll(100_000), most / 3, most])
            reading.counters = [.init(name: "total", value: total)]
        }
        return reading
    }

    @Test func `no sequence of valid readings stops the analysis or makes a number that is none`()
        throws
    {
        for seed in 0..<200 {
            var dice = Dice(state: UInt64(seed))
            var state = DeviceState()
            var ms: Int64 = 1_700_000_000_000
            for _ in 0..<150 {
                ms += Int64(dice.one(of: [1, 1000, 3_600_000, 86_400_000, 90 * 86_400_000]))
                let time = dice.roll(400) == 0 ? 253_402_300_799_000 + ms % 999 : ms
                let findings = Analysis().analyse(
                    current: Self.reading(&dice, at: time), previous: [], state: &state)
                for one in findings.forecasts {
                    for value in [one.level, one.p10, one.p50, one.p90, one.perDay, one.yield] {
                        #expect(value.map(\.isFinite) ?? true, "seed \(seed)")
                    }
                    #expect(one.p50.map { $0 >= 0 } ?? true, "seed \(seed)")
                    var json = JSONWriter()
                    one.write(to: &json)
                }
                try #require(try DeviceState(packed: state.packed()) == state, "seed \(seed)")
            }
        }
    }

    /// A page in days, then much toner without a page, and then all the pages a counter can hold: more
    /// cartridges than a 64-bit number can count.
    @Test func `a counter that leaps by its whole range is taken as a few changes, not as a crash`()
    {
        var state = DeviceState()
        var replaced = 0
        func take(_ second: Int64, level: Int?, total: Int) {
            var reading = Reading(
                device: "d", time: Instant(ms: 1_700_000_000_000 + second * 1000))
            if let level {
                reading.supplies = [
                    Supply(index: 1, kind: .toner, level: level, capacity: 100, unit: 19)
                ]
            }
            reading.counters = [.init(name: "total", value: total)]
            let findings = Analysis().analyse(current: reading, previous: [], state: &state)
            replaced += findings.events.count { $0.kind == .replacement }
        }
        let start: Int64 = 6 * 86_400
        take(0, level: nil, total: 0)
        take(start / 2, level: nil, total: 1)
        take(start, level: nil, total: 1)
        for at in 1...2000 { take(start + Int64(at), level: 100 - (at - 1) % 10 * 10, total: 1) }
        let before = replaced
        take(start + 2001, level: 10, total: 1 << 53)
        #expect(replaced - before == 8)
        #expect(state.forecasts(of: "d").first?.p50?.isFinite == true)
    }

    @Test func `one leap of a device's clock spoils nothing, and a long silence ends`() throws {
        var device = SampleDevice()
        device.run(days: 20)
        var leapt = device.reading()
        leapt.time = Instant(day: device.time + 400)
        leapt.supplies[0].level = 3
        for _ in 0..<2 { device.take(leapt) }
        #expect(device.latest?.arrival == .duplicate)
        #expect(device.count(.clockLeap) == 1)
        device.run(days: 10)
        #expect(device.latest?.arrival == .fresh)
        let left = try #require(device.forecast?.p50)
        #expect(abs(left - 15) < 3)
        #expect(device.state.late == 0)
        // 100 days of silence: the second word is heard.
        device.time += 100
        device.read()
        #expect(device.latest?.arrival == .ahead)
        device.run(days: 0.25)
        #expect(device.latest?.arrival == .fresh)
        #expect(device.count(.clockLeap) == 2)
    }

    @Test func `a device that invents supplies keeps the newest 32 and says what it forgot`() {
        var state = DeviceState()
        var events: [Event] = []
        for day in 0..<100 {
            var reading = Reading(device: "d", time: Instant(day: 20_000 + Double(day)))
            // One supply that stays, and three with new numbers each day.
            for index in [1, 10 + 3 * day, 11 + 3 * day, 12 + 3 * day] {
                reading.supplies.append(
                    Supply(index: index, kind: .toner, level: 50, capacity: 100, unit: 19))
            }
            let findings = Analysis().analyse(current: reading, previous: [], state: &state)
            events += findings.events
            #expect(findings.forecasts.count == 4)
        }
        let kept = state.forecasts(of: "d").map(\.supply)
        #expect(kept.count == DeviceState.supplyLimit)
        #expect(kept.first == 1, "it was seen every day")
        #expect(kept.last == 12 + 3 * 99)
        let forgotten = events.filter { $0.kind == .supplyForgotten }
        #expect(forgotten.count == 301 - DeviceState.supplyLimit)
        #expect(forgotten.first?.supply == 10)
        #expect(state.packed().count < 32 * 512)
    }
}
