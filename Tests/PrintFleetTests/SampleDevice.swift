// SPDX-License-Identifier: Apache-2.0
import PrintFleet

/// A device played by hand: four readings a day, so many pages and percent a day, and whatever the
/// test does to it in between.
struct SampleDevice {
    struct Cartridge {
        var level: Double
        var perPage: Double
        var color = Supply.Color.black
        var serial: String?
        var capacity = 100
    }

    var cartridges: [Cartridge] = [Cartridge(level: 90, perPage: 0.02)]
    var pagesPerDay = 100.0
    var step = 1.0
    var serial = "S-1"
    var total: Int? = 50_000
    var time = 20_000.0
    var state = DeviceState()
    var analysis = Analysis()
    private(set) var window: [Reading] = []
    private(set) var events: [Event] = []
    private(set) var alerts: [Alert] = []
    private(set) var latest: Findings?
    private var pagesOwed = 0.0

    /// Lets `days` pass, a reading every quarter of a day.
    mutating func run(days: Double) {
        for _ in 0..<Int(days * 4) {
            time += 0.25
            pagesOwed += pagesPerDay / 4
            let pages = pagesOwed.rounded(.down)
            pagesOwed -= pages
            if let old = total { total = old + Int(pages) }
            for at in cartridges.indices {
                cartridges[at].level = max(0, cartridges[at].level - pages * cartridges[at].perPage)
            }
            read()
        }
    }

    /// The reading of this moment.
    func reading() -> Reading {
        var reading = Reading(device: "d-1", time: Instant(day: time), serial: serial)
        for (at, cartridge) in cartridges.enumerated() {
            let percent = (cartridge.level / step).rounded(.up) * step
            reading.supplies.append(
                Supply(
                    index: at + 1, color: cartridge.color, kind: .toner,
                    level: Int((percent * Double(cartridge.capacity) / 100).rounded()),
                    capacity: cartridge.capacity, unit: cartridge.capacity == 100 ? 19 : 7,
                    serial: cartridge.serial))
        }
        if let total { reading.counters = [.init(name: "total", value: total)] }
        return reading
    }

    mutating func read() { take(reading()) }

    /// Hands over a reading, be it late, doubled or invented.
    mutating func take(_ reading: Reading) {
        let findings = analysis.analyse(current: reading, previous: window, state: &state)
        events += findings.events
        alerts += findings.alerts
        latest = findings
        window.append(reading)
        if window.count > 99 { window.removeFirst() }
    }

    func count(_ kind: Event.Kind) -> Int { events.count { $0.kind == kind } }

    func first(_ kind: Event.Kind) -> Event? { events.first { $0.kind == kind } }

    var forecast: Forecast? { latest?.forecasts.first }
}
