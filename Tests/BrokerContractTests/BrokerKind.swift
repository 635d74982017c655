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
    /// A memory broker behind a door on this machine.
    case grpc
    // To add a store: a case here and its branch in `withBroker`; nothing else changes.

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
        broker = try await RedisBroker(SharedRedis.freshURL(), time: clock, limits: limits)
    case .grpc:
        return try await withDoor(clock, limits, body)
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

/// The same over gRPC: client and server on one virtual clock, on a free port of this machine.
private func withDoor(
    _ clock: VirtualClock, _ limits: BrokerLimits,
    _ body: (any Broker, VirtualClock) async throws -> Void
) async throws {
    let store = MemoryBroker(time: clock, limits: limits)
    let (ports, started) = AsyncStream.makeStream(of: Int.self)
    let server = QueueServer(store, host: "127.0.0.1", port: 0, interceptors: [LetIn()]) {
        started.yield($0)
        started.finish()
    }
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer { started.finish() }
            try await server.run()
        }
        defer { tasks.cancelAll() }
        var places = ports.makeAsyncIterator()
        let port = try #require(await places.next(), "the door did not open")
        let broker = try await RemoteBroker(
            host: "127.0.0.1", port: port, time: clock, limits: limits)
        do {
            try await body(broker, clock)
        } catch {
            await broker.shutdown()
            throw error
        }
        await broker.shutdown()
    }
    await store.shutdown()
}
