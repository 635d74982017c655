// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitSQLite
import GodwitTesting
import Testing

/// Every store that must keep the contract. Each test runs once per case, all at the same time.
enum BrokerKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory
    case sqlite
    // To add a store: a case here and its branch in `withBroker`; nothing else changes.

    var testDescription: String { rawValue }
}

/// Runs `body` on a fresh broker whose clock stands still until the test moves it; shuts it down.
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
