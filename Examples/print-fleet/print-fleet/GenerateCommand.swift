// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import PrintFleet

/// Writes the readings of an invented fleet as JSON lines, and the truth beside them.
struct GenerateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Generates readings of an invented fleet, with ground truth.",
        discussion: """
            The same options give the same bytes, and more devices change none of the others. Readings \
            come device after device, each in the order it reported; --by-time sorts them all, in memory.
            """)

    @Option(help: "Number of devices.") var devices = 100
    @Option(help: "Days per device.") var days = 730
    @Option(help: "Seed of the fleet.") var seed: UInt64 = 1
    @Option(help: "Mean changes of the usage regime per 730 days.") var regimes = 1.2
    @Option(help: "Further meters per reading, 0 to 100.") var meters = 0
    @Flag(help: "CMYK, refills, swaps, resets, leaks, skewed clocks, duplicates and late readings.")
    var extras = false
    @Flag(help: "Pages go on while black is empty.") var printsWhenEmpty = false
    @Option(help: "File for the readings; standard output if absent.") var out: String?
    @Option(help: "File for the ground truth.") var truth: String?
    @Flag(help: "Write the true level of every day into the truth.") var levels = false
    @Flag(help: "Sort the readings of all devices by time.") var byTime = false

    func validate() throws {
        guard devices > 0, days >= 40, (0...100).contains(meters), regimes >= 0 else {
            throw ValidationError(
                "--devices must be above 0, --days at least 40, --meters 0 to 100, --regimes ≥ 0.")
        }
    }

    func run() async throws {
        var recipe = FleetRecipe(devices: devices, days: days, seed: seed)
        recipe.regimes = regimes
        recipe.meters = meters
        recipe.printsWhenEmpty = printsWhenEmpty
        if extras { recipe.addExtras() }
        let readings = try out.map(open) ?? .standardOutput
        let truths = try truth.map(open)
        if byTime {
            var lines: [(time: Instant, line: [UInt8])] = []
            for number in 0..<devices {
                let parts = FleetGenerator.lines(recipe, device: number)
                lines += parts
                if let truths { try write(FleetGenerator.truth(recipe, number, levels), truths) }
            }
            // Why with the place: lines of one moment keep the order of their devices.
            let order = lines.indices.sorted { (lines[$0].time, $0) < (lines[$1].time, $1) }
            var buffer: [UInt8] = []
            for at in order {
                buffer += lines[at].line
                if buffer.count > 1 << 20 {
                    try write(buffer, readings)
                    buffer.removeAll(keepingCapacity: true)
                }
            }
            try write(buffer, readings)
        } else {
            for number in 0..<devices {
                try write(FleetGenerator.lines(recipe, device: number).flatMap(\.line), readings)
                if let truths { try write(FleetGenerator.truth(recipe, number, levels), truths) }
            }
        }
    }

    private func open(_ path: String) throws -> FileHandle {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw ValidationError("cannot write \(path); does its folder exist?") }
        return handle
    }

    private func write(_ bytes: [UInt8], _ handle: FileHandle) throws {
        try handle.write(contentsOf: Data(bytes))
    }
}
