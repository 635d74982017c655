// SPDX-License-Identifier: Apache-2.0
import PrintFleet
import Testing

@Suite struct `Analysis of a reading` {
    private func bytes(_ findings: Findings) -> [UInt8] {
        var json = JSONWriter()
        for one in findings.forecasts { one.write(to: &json) }
        for one in findings.events { one.write(to: &json) }
        for one in findings.alerts { one.write(to: &json) }
        return json.bytes
    }

    @Test func `two runs give the same bytes, with the state packed between all readings or never`()
        throws
    {
        var recipe = FleetRecipe(devices: 6, days: 200, seed: 12)
        recipe.addExtras()
        for number in 0..<6 {
            let readings = FleetGenerator.readings(recipe, device: number)
            var kept = DeviceState()
            var packed = DeviceState()
            for (at, reading) in readings.enumerated() {
                let window = readings[max(0, at - 99)..<at]
                packed = try DeviceState(packed: packed.packed())
                let first = Analysis().analyse(current: reading, previous: window, state: &kept)
                let second = Analysis().analyse(
                    current: try Reading(packed: reading.packed(meters: false)), previous: window,
                    state: &packed)
                #expect(bytes(first) == bytes(second))
            }
            #expect(kept == packed)
        }
    }

    @Test func `the state of a supply stays within its size`() {
        var recipe = FleetRecipe(devices: 1, days: 730, seed: 12)
        recipe.color = 1
        var state = DeviceState()
        for reading in FleetGenerator.readings(recipe, device: 0) {
            _ = Analysis().analyse(current: reading, previous: [], state: &state)
        }
        #expect(state.packed().count <= 700 + 4 * 512)
    }

    @Test func `a cut or strange state is refused`() throws {
        var device = SampleDevice()
        device.run(days: 5)
        let packed = device.state.packed()
        #expect(try DeviceState(packed: packed) == device.state)
        for end in 0..<packed.count {
            #expect(throws: PackedError.self) { try DeviceState(packed: Array(packed[..<end])) }
        }
        #expect(throws: PackedError.version(7)) {
            try DeviceState(packed: [7] + packed.dropFirst())
        }
    }

    @Test func `a duplicate changes nothing but its count`() {
        var device = SampleDevice()
        device.run(days: 10)
        let before = device.state
        device.take(device.reading())
        #expect(device.latest?.arrival == .duplicate)
        var after = device.state
        #expect(after.duplicates == 1)
        after.duplicates = before.duplicates
        #expect(after == before)
        #expect(device.latest?.forecasts.isEmpty == true)
    }

    @Test func `late readings are told apart by the window`() {
        var device = SampleDevice()
        device.run(days: 40)
        var late = device.reading()
        late.time = Instant(day: device.time - 0.1)
        device.take(late)
        #expect(device.latest?.arrival == .late)
        late.time = Instant(day: device.time - 35)
        device.take(late)
        #expect(device.latest?.arrival == .tooLate)
        #expect(device.state.late == 2)
        #expect(device.events.isEmpty)
    }

    @Test func `a late reading may deny a rise that waits for its proof`() {
        var device = SampleDevice()
        device.run(days: 20)
        var odd = device.reading()
        odd.time = Instant(day: device.time + 0.05)
        odd.supplies[0].level = 100
        device.take(odd)
        var later = device.reading()
        later.time = Instant(day: device.time + 0.2)
        later.supplies[0].level = -2
        device.take(later)
        var late = device.reading()
        late.time = Instant(day: device.time + 0.1)
        device.take(late)
        #expect(device.latest?.arrival == .late)
        device.run(days: 3)
        #expect(device.count(.replacement) == 0)
    }

    @Test func `unknown levels are passed over`() {
        var device = SampleDevice()
        device.run(days: 20)
        let before = device.forecast?.level ?? 0
        var unknown = device.reading()
        unknown.time = Instant(day: device.time + 0.1)
        unknown.supplies[0].level = -2
        device.take(unknown)
        #expect(device.events.isEmpty)
        #expect(abs((device.forecast?.level ?? 0) - before) < 0.01)
    }

    @Test func `one cartridge is alerted once, the next one again`() {
        var device = SampleDevice()
        device.run(days: 45)
        #expect(device.alerts.count == 1)
        device.pagesPerDay = 1
        device.run(days: 30)
        device.pagesPerDay = 100
        device.run(days: 10)
        #expect(device.alerts.count == 1)
        device.cartridges[0].level = 100
        device.run(days: 20)
        #expect(device.alerts.count == 1)
        device.run(days: 30)
        #expect(device.alerts.map(\.cartridge) == [1, 2])
        #expect(Set(device.alerts.map(\.key)).count == 2)
    }

    @Test(arguments: [false, true])
    func `a cartridge that comes back is not alerted again`(withSerials: Bool) {
        var device = SampleDevice()
        if withSerials { device.cartridges[0].serial = "C-1" }
        // 90 % at 2 % a day: within a week of its end, and alerted.
        device.run(days: 40)
        #expect(device.alerts.map(\.cartridge) == [1])
        let old = device.cartridges[0]
        if withSerials { device.cartridges[0].serial = "C-2" }
        device.cartridges[0].level = 100
        device.run(days: 4)
        device.cartridges[0] = old
        device.run(days: 2)
        #expect(device.count(.swapBack) == 1)
        #expect(device.alerts.map(\.cartridge) == [1])
        // The cartridge after it is a new one, and alerted as such.
        device.run(days: 3)
        if withSerials { device.cartridges[0].serial = "C-3" }
        device.cartridges[0].level = 100
        device.run(days: 49)
        #expect(device.alerts.count == 2)
    }

    @Test func `one low reading alone alerts nobody`() {
        var device = SampleDevice()
        device.analysis.rules.days = nil
        device.analysis.rules.level = 50
        device.run(days: 10)
        var odd = device.reading()
        odd.time = Instant(day: device.time + 0.1)
        odd.supplies[0].level = 40
        device.take(odd)
        device.run(days: 1)
        #expect(device.alerts.isEmpty)
        device.run(days: 12)
        #expect(device.alerts.map(\.rule) == ["level"])
    }
}
