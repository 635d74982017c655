// SPDX-License-Identifier: Apache-2.0

/// What a generated fleet is drawn from. The parameters are invented, fitted to no real fleet.
///
/// Extras have rates of their own, per device, and are off by default: the forecast bar is stated
/// for the plain recipe.
package struct FleetRecipe: Sendable {
    package var devices: Int
    package var days: Int
    package var seed: UInt64
    /// Mean number of changes of the usage regime per 730 days.
    package var regimes: Double = 1.2
    package var meters: Int = 0
    /// Whether pages go on while black is empty. Off: the user waits or goes elsewhere.
    package var printsWhenEmpty = false
    /// Share of devices with cyan, magenta and yellow beside black.
    package var color: Double = 0
    /// Share of replacements that are refills to 60–95 %.
    package var refill: Double = 0
    /// Mean events per device and 730 days.
    package var swapBack: Double = 0
    package var counterReset: Double = 0
    package var deviceSwap: Double = 0
    package var leak: Double = 0
    package var shaken: Double = 0
    /// Share of devices.
    package var capacityChange: Double = 0
    package var lowOnly: Double = 0
    /// Share of readings.
    package var clockSkew: Double = 0
    package var duplicate: Double = 0
    package var outOfOrder: Double = 0

    package init(devices: Int, days: Int = 730, seed: UInt64) {
        self.devices = devices
        self.days = days
        self.seed = seed
    }

    /// Switches every extra on, at rates that a large mixed fleet could show.
    package mutating func addExtras() {
        color = 0.4
        refill = 0.03
        swapBack = 0.3
        counterReset = 0.1
        deviceSwap = 0.1
        leak = 0.2
        shaken = 1
        capacityChange = 0.1
        lowOnly = 0.05
        clockSkew = 0.0005
        duplicate = 0.002
        outOfOrder = 0.002
    }

    static let yields: [Double] = [1500, 2600, 6000, 10_000, 20_000, 35_000]
    static let weekends: [Double] = [0, 0.02, 0.1, 0.6]
    static let weekendShares: [Double] = [0.45, 0.3, 0.15, 0.1]
    static let steps: [Double] = [1, 2, 5, 10, 20]
    static let stepShares: [Double] = [0.55, 0.1, 0.15, 0.15, 0.05]
    static let polls: [Double] = [1.0 / 24, 0.25, 1, 2]
    static let pollShares: [Double] = [0.2, 0.3, 0.4, 0.1]
    /// 2024-01-01, a Monday; a device's first day is up to six days later.
    static let epoch = 19_723
}

/// How a device rounds its levels. Readings do not tell.
package enum Rounding: Int, Sendable, CaseIterable {
    case floor, nearest, ceil

    package var text: String {
        switch self {
        case .floor: "floor"
        case .nearest: "round"
        case .ceil: "ceil"
        }
    }

    func apply(_ level: Double, step: Double) -> Double {
        let quotient = level / step
        let rounded =
            switch self {
            case .floor: quotient.rounded(.down)
            case .nearest: quotient.rounded()
            case .ceil: quotient.rounded(.up)
            }
        return min(100, max(0, rounded * step))
    }
}
