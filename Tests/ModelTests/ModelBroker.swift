// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitRedis
import GodwitSQLite
import GodwitTesting
import TestRedis
import Testing

/// A broker that the model tests may be run on.
struct ModelBroker: Sendable, CustomTestStringConvertible {
    let name: String
    /// How many of it run side by side, each with a clock of its own.
    var lanes = 2
    /// Opens one that runs on the clock. It serves all sequences of a lane, each with queues of its
    /// own, and is shut down at the end; then what it leaves behind is cleaned up.
    let make: @Sendable (VirtualClock) async throws -> (any Broker, cleanUp: @Sendable () -> Void)

    var testDescription: String { name }

    static let memory = ModelBroker(name: "memory") { (MemoryBroker(time: $0), {}) }

    /// Why a memory file system where there is one: the model asks about order, not about the disk.
    static let sqlite = ModelBroker(name: "sqlite") { clock in
        let shared = URL(fileURLWithPath: "/dev/shm")
        let parent =
            FileManager.default.isWritableFile(atPath: shared.path)
            ? shared : FileManager.default.temporaryDirectory
        let directory = parent.appendingPathComponent("godwit-model-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let cleanUp = { @Sendable () -> Void in
            try? FileManager.default.removeItem(at: directory)
        }
        do {
            let path = directory.appendingPathComponent("jobs.db").path
            return (try await SQLiteBroker(path: path, time: clock), cleanUp)
        } catch {
            cleanUp()
            throw error
        }
    }

    static let redis = ModelBroker(name: "redis") { clock in
        (try await RedisBroker(SharedRedis.freshURL(), time: clock), {})
    }

    /// Every broker joins this list.
    static let all: [ModelBroker] = [.memory, .sqlite, .redis]
}
