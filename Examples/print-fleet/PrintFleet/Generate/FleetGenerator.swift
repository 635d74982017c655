// SPDX-License-Identifier: Apache-2.0

/// Generates a fleet device by device: same recipe, same bytes.
package enum FleetGenerator {
    /// The readings of device `number` (from 0) as JSON lines with their times, in order of arrival.
    package static func lines(
        _ recipe: FleetRecipe, device number: Int
    ) -> [(time: Instant, line: [UInt8])] {
        DeviceSimulation(recipe, number: number).readings().map { reading in
            var json = JSONWriter()
            reading.write(to: &json)
            return (reading.time, json.bytes)
        }
    }

    /// The readings of device `number` as values, in order of arrival.
    package static func readings(_ recipe: FleetRecipe, device number: Int) -> [Reading] {
        DeviceSimulation(recipe, number: number).readings()
    }

    /// The ground truth of device `number` as JSON lines.
    package static func truth(_ recipe: FleetRecipe, _ number: Int, _ levels: Bool) -> [UInt8] {
        var json = JSONWriter()
        DeviceSimulation(recipe, number: number).writeTruth(to: &json, levels: levels)
        return json.bytes
    }
}
