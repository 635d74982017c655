// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitRedis
import GodwitSQLite
import GodwitTesting
import TestRedis
import Testing

/// Every store that must keep the contract. Each test runs once per case, all at the same time.
enum BrokerKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory
    case sqlite
    case redis
    // To add a store: a case here and its branch in `withBroker`; nothing else changes.

    var testDescription: String { rawValue }
}

/// Runs `body` on a fresh broker whose clock stands still until the test moves it; shuts it down.
///
/// Where the closure holds no `try` but inside `#expect`, it says `async throws` itself: the compiler
/// looks for what throws before it expands macros.
func withBroker(
    _ kind: BrokerKind, limits: BrokerLimits = BrokerLimits(),
    _ body: (any Broker, VirtualClock) async throws -> Void
) async throws {
    let clock = VirtualClock()
    let broker: any Broker
    var cleanUp: () -> Void = {}
    switch kind {
    case .memory:
        broker = MemoryBroker(time: clock, limits: limits)
    case .sqlite:
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("godwit-contract-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        cleanUp = { try? FileManager.default.removeItem(at: directory) }
        var options = SQLiteOptions()
        options.limits = limits
        broker = try await SQLiteBroker(
            path: directory.appendingPathComponent("jobs.db").path, time: clock, options: options)
    case .redis:
        // A namespace of its own: queues of different ones know nothing of each other.
        let server = try await SharedRedis.shared.server()
        let namespace = UUID().uuidString.prefix(18)
        broker = try await RedisBroker(
            "\(server.url)?ns=\(namespace)", time: clock, limits: limits)
    }
    defer { cleanUp() }
    do {
        try await body(broker, clock)
    } catch {
        await broker.shutdown()
        throw error
    }
    await broker.shutdown()
}

/// One server for all tests of the process; it ends with the process.
actor SharedRedis {
    static let shared = SharedRedis()

    private var starting: Task<RedisServer, any Error>?

    func server() async throws -> RedisServer {
        // A log on disk that nobody waits for: a server without one makes every broker warn.
        let task =
            starting
            ?? Task {
                try await RedisServer.start(
                    arguments: ["--appendonly", "yes", "--appendfsync", "no"])
            }
        starting = task
        return try await task.value
    }
}
