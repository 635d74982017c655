// SPDX-License-Identifier: Apache-2.0
import PrintFleet
import Testing

@Suite struct `Report` {
    private func report() -> FleetReport {
        var report = FleetReport()
        var recipe = FleetRecipe(devices: 4, days: 120, seed: 3)
        recipe.color = 0.5
        for number in 0..<4 {
            var state = DeviceState()
            for reading in FleetGenerator.readings(recipe, device: number) {
                let findings = Analysis().analyse(current: reading, previous: [], state: &state)
                report.add(reading, findings)
            }
        }
        return report
    }

    @Test func `the table is sorted by days left`() {
        let rows = report().rows
        #expect(rows.count >= 4)
        let days = rows.map { $0.p50 ?? .infinity }
        #expect(days == days.sorted())
        #expect(report().table().split(separator: "\n").count == rows.count + 1)
    }

    @Test func `the page holds one chart per device and is the same each time`() {
        let page = report().html()
        #expect(page == report().html())
        #expect(page.split(separator: "<svg").count - 1 == 4)
        #expect(!page.contains("nan") && !page.contains("<script"))
    }

    @Test func `a strange name does no harm to the page`() {
        var report = FleetReport()
        var state = DeviceState()
        var reading = Reading(device: "<b>&\"", time: Instant(day: 20_000))
        reading.supplies = [Supply(index: 1, level: 50, capacity: 100, unit: 19)]
        let findings = Analysis().analyse(current: reading, previous: [], state: &state)
        report.add(reading, findings)
        #expect(!report.html().contains("<b>&\""))
    }

    @Test func `a silent device is stale in every output, and a gap is told`() {
        var report = FleetReport()
        var device = SampleDevice()
        device.run(days: 30)
        let state = device.state
        report.add("d-1", state, window: [])
        report.judgeStale(asOf: Instant(day: device.time + 1)) { _ in state }
        #expect(report.forecasts.map(\.reason) == [.ok])
        report.judgeStale(asOf: Instant(day: device.time + 30)) { _ in state }
        #expect(report.forecasts.map(\.reason) == [.stale])
        #expect(report.rows == report.forecasts)
        report.gaps = ["<7> devices are not here"]
        #expect(report.html().contains("&lt;7&gt; devices are not here"))
    }
}
