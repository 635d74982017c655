// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import RedisClient

/// What a store has used so far, as it says itself.
struct StoreUsage: Sendable {
    /// Processor time since the store began; nil where it is not a process of its own.
    var processorSeconds: Double?
    var bytes: Int?
}

/// Reads a store's usage, for the bench.
protocol StoreMeter: Sendable {
    func read() async throws -> StoreUsage
    func close() async
}

struct NoMeter: StoreMeter {
    func read() async throws -> StoreUsage { StoreUsage() }
    func close() async {}
}

/// The size of a database file with its log.
struct FileMeter: StoreMeter {
    let path: String

    func read() async throws -> StoreUsage {
        let sizes = [path, path + "-wal"].map { path in
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            return (attributes?[.size] as? NSNumber)?.intValue ?? 0
        }
        return StoreUsage(bytes: sizes.reduce(0, +))
    }

    func close() async {}
}

/// INFO of a Redis server, over a connection of its own.
struct RedisMeter: StoreMeter {
    private let client: RedisClient

    init(_ url: RedisURL) throws {
        client = try RedisClient(url)
    }

    func read() async throws -> StoreUsage {
        var usage = StoreUsage()
        for section in ["cpu", "memory"] {
            let text = try await client.send(RedisCommand(["INFO", section])).string ?? ""
            for line in text.split(whereSeparator: \.isNewline) {
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2 else { continue }
                switch parts[0] {
                case "used_cpu_user", "used_cpu_sys":
                    usage.processorSeconds = (usage.processorSeconds ?? 0) + (Double(parts[1]) ?? 0)
                case "used_memory": usage.bytes = Int(parts[1])
                default: break
                }
            }
        }
        return usage
    }

    func close() async { await client.shutdown() }
}
