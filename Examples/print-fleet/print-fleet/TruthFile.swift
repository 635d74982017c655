// SPDX-License-Identifier: Apache-2.0
import Foundation
import PrintFleet

/// Reads ground truth lines: `supply` and `cartridge`; the other types are passed over.
enum TruthFile {
    private struct Line: Decodable {
        var type: String
        var device: String?
        var index: Int?
        var step: Double?
        var installed: String?
        var depleted: String?
        var removed: String?
        var levelOut: Double?
        var cause: String?
    }

    struct Broken: Error, CustomStringConvertible {
        var line: Int
        var what: String
        var description: String { "truth line \(line): \(what)" }
    }

    static func devices(_ data: Data) throws -> [DeviceTruth] {
        var devices: [String: [Int: DeviceTruth.Supply]] = [:]
        let decoder = JSONDecoder()
        for (number, bytes) in data.split(separator: 0x0A).enumerated() {
            let line: Line
            do { line = try decoder.decode(Line.self, from: Data(bytes)) } catch {
                throw Broken(line: number + 1, what: "not a line of the truth format")
            }
            guard line.type == "supply" || line.type == "cartridge" else { continue }
            guard let device = line.device, let index = line.index else {
                throw Broken(line: number + 1, what: "device or index is missing")
            }
            var supply =
                devices[device]?[index]
                ?? DeviceTruth.Supply(index: index, step: 1, cartridges: [])
            if line.type == "supply" {
                supply.step = line.step ?? 1
            } else {
                guard let installed = line.installed.flatMap({ Instant($0) }) else {
                    throw Broken(line: number + 1, what: "installed is no time")
                }
                supply.cartridges.append(
                    DeviceTruth.Cartridge(
                        installed: installed, depleted: line.depleted.flatMap { Instant($0) },
                        removed: line.removed.flatMap { Instant($0) },
                        levelOut: line.levelOut ?? 0, cause: line.cause ?? "end"))
            }
            devices[device, default: [:]][index] = supply
        }
        return devices.keys.sorted().map { name in
            let supplies = devices[name] ?? [:]
            return DeviceTruth(
                device: name,
                supplies: supplies.keys.sorted().compactMap { index in
                    supplies[index].map { one in
                        var one = one
                        one.cartridges.sort { $0.installed < $1.installed }
                        return one
                    }
                })
        }
    }
}
