// SPDX-License-Identifier: Apache-2.0

/// What one device said at one time: a line of the reading format, version 1.
///
/// (`device`, `time`) is its identity. Values are checked when it is parsed or unpacked, never after.
package struct Reading: Hashable, Sendable {
    package struct Meter: Hashable, Sendable {
        package var name: String
        package var value: Double

        package init(name: String, value: Double) {
            self.name = name
            self.value = value
        }
    }

    package struct Counter: Hashable, Sendable {
        package var name: String
        package var value: Int

        package init(name: String, value: Int) {
            self.name = name
            self.value = value
        }
    }

    package static let maxSupplies = 16
    package static let maxMeters = 100
    package static let maxCounters = 100
    package static let maxLine = 64 * 1024

    package var device: String
    package var time: Instant
    package var serial: String?
    package var model: String?
    package var supplies: [Supply]
    package var counters: [Counter]
    package var meters: [Meter]

    package init(
        device: String, time: Instant, serial: String? = nil, model: String? = nil,
        supplies: [Supply] = [], counters: [Counter] = [], meters: [Meter] = []
    ) {
        self.device = device
        self.time = time
        self.serial = serial
        self.model = model
        self.supplies = supplies
        self.counters = counters
        self.meters = meters
    }

    /// The life-long page counter, if the device gives one.
    package var total: Int? {
        for counter in counters where counter.name == "total" { return counter.value }
        return nil
    }
}
