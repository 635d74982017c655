// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// Every store that must keep the contract. Each test runs once per case, all at the same time.
enum BrokerKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory
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
    switch kind {
    case .memory:
        broker = MemoryBroker(time: clock, limits: limits)
    }
    do {
        try await body(broker, clock)
    } catch {
        await broker.shutdown()
        throw error
    }
    await broker.shutdown()
}
