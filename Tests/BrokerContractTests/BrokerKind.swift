// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitGRPC
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
    /// A memory broker behind a gRPC door, in one process.
    case grpc
    // To add a store: a case here and its branch in `withBroker`; nothing else changes.

    /// Those that keep streams too.
    static let streamStores: [BrokerKind] = [.memory, .sqlite, .redis]

    var testDescription: String { rawValue }
}

/// Runs `body` on a fresh broker whose clock stands still until the test moves it; shuts it down.
///
/// Where the closure holds no `try` but inside `#expect`, it says `async throws` itself: the
/// compiler looks for what throws before it expands macros.
func withBroker(
    _ kind: BrokerKind, limits: BrokerLimits = BrokerLimits(),
    _ body: (any Broker, VirtualClock) async throws -> Void
) async throws {
    let clock = VirtualClock()
    let broker: any Broker
    var cleanUp: () async -> Void = {}
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
        broker = try await RedisBroker(SharedRedis.freshURL(), time: clock, limits: limits)
    case .grpc:
        let store = MemoryBroker(time: clock, limits: limits)
        let door = try await ContractDoor(before: store)
        cleanUp = {
            await door.close()
            await store.shutdown()
        }
        do {
            broker = try await RemoteBroker(host: "127.0.0.1", port: door.port, time: clock)
        } catch {
            await cleanUp()
            throw error
        }
    }
    do {
        try await body(broker, clock)
    } catch {
        await broker.shutdown()
        await cleanUp()
        throw error
    }
    await broker.shutdown()
    await cleanUp()
}

/// Lets others go on until `condition` holds, or a long time is over: then the test says what is missing.
func yield(until condition: () -> Bool) async {
    let end = ContinuousClock.now + .seconds(10)
    while !condition(), ContinuousClock.now < end { await Task.yield() }
}
