// SPDX-License-Identifier: Apache-2.0

/// All that is kept of a device between readings, beside the window of its last readings.
///
/// It depends on the device's readings alone: no clock, no arrival time, no unordered map.
package struct DeviceState: Hashable, Sendable {
    /// Supplies kept of one device, twice what one reading may name.
    package static let supplyLimit = 2 * Reading.maxSupplies
    /// Days after which a device that speaks again is heard only at its second word.
    static let leapLimit = 60.0

    var readings: UInt64 = 0
    var firstDay = 0.0
    /// Time of the newest reading handled.
    package var lastTime = Instant(ms: 0)
    /// Usual time between readings, in days, decayed.
    var interval = 0.0
    var serial: UInt64 = 0
    /// The page counter as last read; nil before the first.
    var total: Int?
    var totalDay = 0.0
    /// Pages since the first reading, across resets and swaps; 0 where nothing counts.
    var pages = 0.0
    /// True once a page counter was seen: usage is then pages, else normal days.
    var countsPages = false
    var movedDay = 0.0
    var flags: UInt8 = 0
    var jumpDay = 0.0
    var week = WeekProfile()
    var use = UsageModel()
    var supplies: [SupplyState] = []
    package var late: UInt64 = 0
    package var duplicates: UInt64 = 0

    package init() {}

    /// Usage so far, in pages or days, the scale on which supplies are measured.
    var usage: Double { countsPages ? pages : lastTime.day - firstDay }

    /// Usage per normal day.
    var rate: Double {
        guard countsPages else { return 1 }
        return use.rate ?? 0
    }

    /// Percent per unit of usage to assume of a supply that has shown nothing.
    var prior: Double {
        guard countsPages else { return Tuning.priorRate }
        guard let rate = use.rate, rate > 0 else { return 0.01 }
        return Tuning.priorRate / rate
    }
}
