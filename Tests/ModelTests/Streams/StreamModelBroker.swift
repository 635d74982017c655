// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitRedis
import GodwitSQLite
import GodwitTesting
import TestRedis
import Testing

/// A broker on which the model of streams may be run; every broker that keeps streams joins `all`.
struct StreamModelBroker: Sendable, CustomTestStringConvertible {
    let name: String
    /// Opens one that runs on the clock. It serves many sequences, each with a stream of its own.
    let make: @Sendable (VirtualClock) async throws -> any StreamBroker
    /// Takes away what it left.
    var cleanUp: @Sendable () -> Void = {}

    var testDescription: String { name }

    static let memory = StreamModelBroker(name: "memory") { MemoryBroker(time: $0) }

    /// Why a memory file system where there is one: the model asks about order, not about the disk.
    static var sqlite: StreamModelBroker {
        let shared = URL(fileURLWithPath: "/dev/shm")
        let parent =
            FileManager.default.isWritableFile(atPath: shared.path)
            ? shared : FileManager.default.temporaryDirectory
        let directory = parent.appendingPathComponent("godwit-streams-\(UUID().uuidString)")
        return StreamModelBroker(name: "sqlite") { clock in
            try FileManager.default.createDirectory(
                at: directory, withIntermediateDirectories: true)
            return try await SQLiteBroker(
                path: directory.appendingPathComponent("jobs.db").path, time: clock)
        } cleanUp: {
            try? FileManager.default.removeItem(at: directory)
        }
    }

    static let redis = StreamModelBroker(name: "redis") { clock in
        try await RedisBroker(SharedRedis.freshURL(), time: clock)
    }

    /// Not the memory broker: it holds the very book that judges.
    static var all: [StreamModelBroker] { [.sqlite, .redis] }
}
