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
    /// Opens one that runs on the clock. It serves many sequences, each with a stream of its own, and
    /// is shut down at the end; then what it leaves behind is cleaned up.
    let make:
        @Sendable (VirtualClock) async throws -> (any StreamBroker, cleanUp: @Sendable () -> Void)

    var testDescription: String { name }

    static let memory = StreamModelBroker(name: "memory") {
        (MemoryBroker(time: $0), {})
    }

    /// Why a memory file system where there is one: the model asks about order, not about the disk.
    static let sqlite = StreamModelBroker(name: "sqlite") { clock in
        let shared = URL(fileURLWithPath: "/dev/shm")
        let parent =
            FileManager.default.isWritableFile(atPath: shared.path)
            ? shared : FileManager.default.temporaryDirectory
        let directory = parent.appendingPathComponent("godwit-streams-\(UUID().uuidString)")
        let cleanUp = { @Sendable () -> Void in
            try? FileManager.default.removeItem(at: directory)
        }
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        do {
            let path = directory.appendingPathComponent("jobs.db").path
            return (try await SQLiteBroker(path: path, time: clock), cleanUp)
        } catch {
            cleanUp()
            throw error
        }
    }

    static let redis = StreamModelBroker(name: "redis") { clock in
        (try await RedisBroker(SharedRedis.freshURL(), time: clock), {})
    }

    /// Not the memory broker: it holds the very book that judges.
    static var all: [StreamModelBroker] { [.sqlite, .redis] }
}
