// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import PrintFleet

/// Replays readings and scores the forecasts against what truly happened.
struct BacktestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backtest",
        abstract: "Scores the forecasts against the ground truth, beside simple baselines.")

    enum Format: String, ExpressibleByArgument { case json, text }

    @Option(help: "Number of generated devices.") var devices = 100
    @Option(help: "Days per device.") var days = 730
    @Option(help: "Seeds A,B,…, or the names tuning and test.") var seeds = "tuning"
    @Option(help: "Mean changes of the usage regime per 730 days.") var regimes = 1.2
    @Flag(help: "CMYK, refills, swaps and the other extras.") var extras = false
    @Flag(help: "Pages go on while black is empty.") var printsWhenEmpty = false
    @Flag(help: .hidden) var calibrate = false
    @Option(help: "Score these readings instead of generated ones.") var readings: String?
    @Option(help: "The truth that belongs to --readings.") var truth: String?
    @Option(help: "Devices replayed at a time; does not change the result.") var lanes = 2
    @Option(name: .shortAndLong, help: "json or text.") var output = Format.text

    func validate() throws {
        guard (readings == nil) == (truth == nil) else {
            throw ValidationError("--readings and --truth belong together.")
        }
        guard devices > 0, days >= 40, lanes > 0, regimes >= 0 else {
            throw ValidationError(
                "--devices and --lanes must be above 0, --days at least 40, --regimes ≥ 0.")
        }
    }

    func run() async throws {
        if calibrate {
            // The constants of the intervals as source: tuning seeds only, whatever --seeds says.
            return print(await Calibration.table(devices: devices, lanes: lanes))
        }
        var scores = Scores()
        if let readings, let truth {
            let (devices, rejects) = try load(readings, truth)
            if rejects > 0 {
                FileHandle.standardError.write(Data("\(rejects) lines were no readings\n".utf8))
            }
            scores = await Backtest.run(devices, lanes: lanes)
        } else {
            for seed in try chosen() {
                var recipe = FleetRecipe(devices: devices, days: days, seed: seed)
                recipe.regimes = regimes
                recipe.printsWhenEmpty = printsWhenEmpty
                if extras { recipe.addExtras() }
                scores.merge(await Backtest.run(recipe, lanes: lanes))
            }
        }
        switch output {
        case .json:
            var json = JSONWriter()
            json.open()
            scores.write(to: &json)
            json.close()
            json.endLine()
            FileHandle.standardOutput.write(Data(json.bytes))
        case .text: print(scores.table)
        }
    }

    private func chosen() throws -> [UInt64] {
        switch seeds {
        case "tuning": return Seeds.tuning
        case "test": return Seeds.test
        default:
            let numbers = seeds.split(separator: ",").map { UInt64($0) }
            guard !numbers.isEmpty, !numbers.contains(nil) else {
                throw ValidationError("--seeds takes numbers with commas between, tuning or test.")
            }
            return numbers.compactMap { $0 }
        }
    }

    /// Reads both files; readings keep their order, devices the order of their names.
    private func load(
        _ readings: String, _ truth: String
    ) throws -> (devices: [(readings: [Reading], truth: DeviceTruth)], rejects: Int) {
        var byDevice: [String: [Reading]] = [:]
        var rejects = 0
        let data = try Data(contentsOf: URL(fileURLWithPath: readings), options: .alwaysMapped)
        for line in data.split(separator: 0x0A) {
            do throws(RejectReason) {
                let reading = try ReadingParser.parse([UInt8](line))
                byDevice[reading.device, default: []].append(reading)
            } catch { rejects += 1 }
        }
        let lines = try Data(contentsOf: URL(fileURLWithPath: truth), options: .alwaysMapped)
        let truths = try TruthFile.devices(lines)
        return (
            truths.compactMap { one in byDevice[one.device].map { ($0, one) } }, rejects
        )
    }
}
