// SPDX-License-Identifier: Apache-2.0
import PrintFleet
import Testing

@Suite struct `Events` {
    @Test func `a steady device reports nothing and is forecast to the day`() throws {
        var device = SampleDevice()
        device.run(days: 30)
        #expect(device.events.isEmpty)
        let forecast = try #require(device.forecast)
        let left = try #require(forecast.p50)
        #expect(abs(left - 15) < 3)
        let (low, high) = (try #require(forecast.p10), try #require(forecast.p90))
        #expect(low < left && left < high)
    }

    @Test func `a replacement is reported once, by its second reading`() {
        var device = SampleDevice()
        device.run(days: 45)
        device.cartridges[0].level = 100
        device.run(days: 0.25)
        #expect(device.count(.replacement) == 0)
        device.run(days: 0.25)
        #expect(device.count(.replacement) == 1)
        #expect(device.first(.replacement)?.time.day == device.time - 0.25)
        device.run(days: 20)
        #expect(device.count(.replacement) == 1)
        #expect(device.count(.premature) == 0)
    }

    @Test func `one odd high reading is no replacement`() {
        var device = SampleDevice()
        device.run(days: 20)
        var odd = device.reading()
        odd.time = Instant(day: device.time + 0.1)
        odd.supplies[0].level = 100
        device.take(odd)
        device.run(days: 10)
        #expect(device.events.isEmpty)
    }

    @Test func `a new serial needs no second reading`() {
        var device = SampleDevice()
        device.cartridges[0].serial = "C-1"
        device.run(days: 20)
        device.cartridges[0].serial = "C-2"
        device.cartridges[0].level = 100
        device.run(days: 0.25)
        #expect(device.count(.replacement) == 1)
    }

    @Test func `an early change says what was wasted`() throws {
        var device = SampleDevice()
        device.run(days: 35)
        device.cartridges[0].level = 100
        device.run(days: 1)
        let event = try #require(device.first(.premature))
        #expect(abs(event.detail - 20) < 3)
    }

    @Test func `a partial rise of the same cartridge is a refill`() {
        var device = SampleDevice()
        device.run(days: 43)
        device.cartridges[0].level = 75
        device.run(days: 1)
        #expect(device.count(.refill) == 1)
        #expect(device.count(.replacement) == 0)
    }

    @Test func `an old cartridge that comes back is a swap back, with serials`() {
        var device = SampleDevice()
        device.cartridges[0].serial = "C-1"
        device.run(days: 20)
        let old = device.cartridges[0]
        device.cartridges[0].serial = "C-2"
        device.cartridges[0].level = 100
        device.run(days: 4)
        device.cartridges[0] = old
        device.run(days: 1)
        #expect(device.count(.replacement) == 1)
        #expect(device.count(.swapBack) == 1)
    }

    @Test func `an old cartridge that comes back is a swap back, without serials`() {
        var device = SampleDevice()
        device.run(days: 25)
        let old = device.cartridges[0]
        device.cartridges[0].level = 100
        device.run(days: 4)
        device.cartridges[0] = old
        device.run(days: 1)
        #expect(device.count(.replacement) == 1)
        #expect(device.count(.swapBack) == 1)
        #expect(device.count(.leak) == 0)
    }

    @Test func `a small rise is a shaken cartridge and starts none`() {
        var device = SampleDevice()
        device.run(days: 30)
        device.cartridges[0].level += 5
        device.run(days: 1)
        #expect(device.count(.shaken) >= 1)
        #expect(device.count(.replacement) == 0)
        #expect(device.forecast?.cartridge == 1)
    }

    @Test func `a sudden fall without pages is a leak`() throws {
        var device = SampleDevice()
        device.run(days: 30)
        device.cartridges[0].level -= 20
        device.run(days: 1)
        #expect(device.count(.leak) == 1)
        #expect(abs((try #require(device.first(.leak))).detail - 20) < 2)
    }

    @Test func `a counter that starts again is a reset, one that steps back a rollback`() {
        var device = SampleDevice()
        device.run(days: 30)
        device.total = 0
        device.run(days: 5)
        #expect(device.count(.counterReset) == 1)
        device.total = (device.total ?? 0) - 100
        device.run(days: 5)
        #expect(device.count(.counterRollback) == 1)
        #expect(abs((device.forecast?.p50 ?? 0) - 5) < 3)
    }

    @Test func `another device serial is a device swap and no replacement`() {
        var device = SampleDevice()
        device.run(days: 30)
        device.serial = "S-2"
        device.total = 100
        device.cartridges[0].level = 95
        device.run(days: 5)
        #expect(device.count(.deviceSwap) == 1)
        #expect(device.count(.replacement) == 0)
        #expect(device.count(.counterReset) == 0)
    }

    @Test func `another capacity is reported and the percentage goes on`() {
        var device = SampleDevice()
        device.cartridges[0].capacity = 1000
        device.run(days: 30)
        device.cartridges[0].capacity = 1500
        device.cartridges[0].level = 100
        device.run(days: 2)
        #expect(device.count(.capacityChange) == 1)
        #expect(device.count(.replacement) == 1)
        #expect((device.forecast?.level ?? 0) > 90)
    }

    @Test func `a device whose counter stands still is idle, and active again later`() {
        var device = SampleDevice()
        device.run(days: 30)
        device.pagesPerDay = 0
        device.run(days: 20)
        #expect(device.count(.idle) == 1)
        #expect(device.forecast?.reason == .idle)
        device.pagesPerDay = 100
        device.run(days: 1)
        #expect(device.count(.active) == 1)
    }

    @Test func `a device that says nothing is stale, by its own measure`() {
        var device = SampleDevice()
        device.run(days: 30)
        #expect(!device.state.isStale(asOf: Instant(day: device.time + 1)))
        #expect(device.state.isStale(asOf: Instant(day: device.time + 3)))
    }

    @Test func `a lasting jump of usage is reported once`() throws {
        var device = SampleDevice()
        device.cartridges[0].perPage = 0.002
        device.run(days: 60)
        #expect(device.count(.usageJump) == 0)
        device.pagesPerDay = 300
        device.run(days: 30)
        #expect(device.count(.usageJump) == 1)
        #expect((try #require(device.first(.usageJump))).detail > 1.5)
    }

    @Test func `a colour used far faster than its sisters is reported once`() {
        var device = SampleDevice()
        device.cartridges = [
            .init(level: 100, perPage: 0.01, color: .black),
            .init(level: 100, perPage: 0.011, color: .cyan),
            .init(level: 100, perPage: 0.01, color: .magenta),
            .init(level: 100, perPage: 0.05, color: .yellow),
        ]
        for _ in 0..<8 {
            device.run(days: 15)
            for at in device.cartridges.indices where device.cartridges[at].level < 30 {
                device.cartridges[at].level = 100
            }
        }
        #expect(device.events.filter { $0.kind == .colorImbalance }.map(\.supply) == [4])
    }

    @Test func `a device that only enumerates is forecast as such`() {
        var device = SampleDevice()
        device.run(days: 0)
        for day in 0..<40 {
            var reading = Reading(device: "d-1", time: Instant(day: 20_001 + Double(day)))
            reading.supplies = [
                Supply(
                    index: 1, color: .black, kind: .toner, level: day < 30 ? -3 : 0, capacity: -2,
                    unit: 19, condition: day < 30 ? .ok : .empty)
            ]
            reading.counters = [.init(name: "total", value: 1000 + 50 * day)]
            device.take(reading)
        }
        #expect(device.forecast?.reason == .enumeratedOnly)
        #expect(device.forecast?.p50 == 0)
    }
}
