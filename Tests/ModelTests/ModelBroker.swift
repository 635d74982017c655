// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// A broker that the model tests may be run on.
struct ModelBroker: Sendable, CustomTestStringConvertible {
    let name: String
    /// How many of it run side by side, each with a clock of its own.
    var lanes = 2
    /// Opens one that runs on the clock. It serves all sequences of a lane, each with queues of its
    /// own, and is shut down at the end.
    let make: @Sendable (VirtualClock) async throws -> any Broker

    var testDescription: String { name }

    static let memory = ModelBroker(name: "memory") { MemoryBroker(time: $0) }

    /// Every broker joins this list.
    static let all: [ModelBroker] = [.memory]
}
