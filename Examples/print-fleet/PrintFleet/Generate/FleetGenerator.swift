// SPDX-License-Identifier: Apache-2.0

/// Generates a fleet device by device: same recipe, same bytes.
package enum FleetGenerator {
    /// The readings of device `number` (from 0) as JSON lines, in order of arrival.
    package static func lines(_ recipe: FleetRecipe, device number: Int) -> [[UInt8]] {
        DeviceSimulation(recipe, number: number).readings().map { reading in
            var json = JSONWriter()
            reading.write(to: &json)
            return json.bytes
        }
    }

    /// All of one device at once, parsed already, for tests and the backtest.
    package static func readings(_ recipe: FleetRecipe, device number: Int) -> [Reading] {
        DeviceSimulation(recipe, number: number).readings()
    }

    /// The readings and the truth of device `number` as bytes of JSON lines.
    package static func device(
        _ recipe: FleetRecipe, _ number: Int, levels: Bool
    ) -> (readings: [UInt8], truth: [UInt8]) {
        let simulation = DeviceSimulation(recipe, number: number)
        var json = JSONWriter()
        for reading in simulation.readings() { reading.write(to: &json) }
        var truth = JSONWriter()
        simulation.writeTruth(to: &truth, levels: levels)
        return (json.bytes, truth.bytes)
    }
}
