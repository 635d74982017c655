// SPDX-License-Identifier: Apache-2.0

/// What a report is made of: per device the newest forecasts, the levels by day and the events.
///
/// Pure and ordered: devices by name, supplies by index. Memory is bounded by devices × days kept.
package struct FleetReport: Sendable {
    package struct Level: Sendable {
        package var time: Instant
        package var percent: Double
    }

    package struct SupplyHistory: Sendable {
        package var color: Supply.Color
        /// The last level of each day, oldest first, at most `daysKept`.
        package var levels: [Level] = []
        package var forecast: Forecast?
    }

    package struct Device: Sendable {
        package var name: String
        package var supplies: [Int: SupplyHistory] = [:]
        /// The newest `eventsKept` events, oldest first.
        package var events: [Event] = []
        package var newest: Instant
        package var isStale = false
    }

    package static let daysKept = 400
    package static let eventsKept = 100

    package private(set) var devices: [String: Device] = [:]
    /// What is not in the report and why, for its reader.
    package var gaps: [String] = []

    package init() {}

    /// Takes what the analysis of one reading gave.
    package mutating func add(_ reading: Reading, _ findings: Findings) {
        guard findings.arrival == .fresh else { return }
        var device = devices[reading.device] ?? Device(name: reading.device, newest: reading.time)
        devices[reading.device] = nil
        device.newest = max(device.newest, reading.time)
        device.events += findings.events
        if device.events.count > Self.eventsKept {
            device.events.removeFirst(device.events.count - Self.eventsKept)
        }
        for forecast in findings.forecasts {
            var supply = device.supplies[forecast.supply] ?? SupplyHistory(color: forecast.color)
            device.supplies[forecast.supply] = nil
            supply.forecast = forecast
            if let percent = reading.supplies.first(where: { $0.index == forecast.supply })?.percent
            {
                if let last = supply.levels.last,
                    last.time.ms / 86_400_000 == reading.time.ms / 86_400_000
                {
                    supply.levels.removeLast()
                }
                supply.levels.append(Level(time: reading.time, percent: percent))
                if supply.levels.count > Self.daysKept { supply.levels.removeFirst() }
            }
            device.supplies[forecast.supply] = supply
        }
        devices[reading.device] = device
    }

    /// Puts the forecasts of a device in the place of all that were added before.
    mutating func set(_ name: String, _ forecasts: [Forecast], newest: Instant) {
        var device = devices[name] ?? Device(name: name, newest: newest)
        device.newest = max(device.newest, newest)
        for forecast in forecasts {
            device.supplies[forecast.supply, default: SupplyHistory(color: forecast.color)]
                .forecast = forecast
        }
        devices[name] = device
    }

    /// Marks the devices that are silent for longer than their habit, as of `now` or, if nil, of the
    /// newest reading of the fleet.
    package mutating func judgeStale(
        asOf now: Instant? = nil, _ state: (String) -> DeviceState?
    ) {
        guard let now = now ?? devices.values.map(\.newest).max() else { return }
        for name in devices.keys.sorted() {
            devices[name]?.isStale = state(name)?.isStale(asOf: now) ?? false
        }
    }

    /// All forecasts by device and supply, each with what its device's silence says of it.
    package var forecasts: [Forecast] {
        devices.keys.sorted().flatMap { name -> [Forecast] in
            guard let device = devices[name] else { return [] }
            return device.supplies.keys.sorted().compactMap { index in
                guard var forecast = device.supplies[index]?.forecast else { return nil }
                if device.isStale {
                    forecast.reason = .stale
                    forecast.confidence = .low
                }
                return forecast
            }
        }
    }

    /// One row per supply, the most urgent first; those without an answer last.
    package var rows: [Forecast] {
        forecasts.enumerated().sorted {
            ($0.element.p50 ?? .infinity, $0.offset) < ($1.element.p50 ?? .infinity, $1.offset)
        }.map(\.element)
    }
}
