// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import GodwitSQLite

/// The guide's lines, compiled; each broker has suites of its own.
private enum Choosing {
    static func memory() -> any Broker {
        let broker = MemoryBroker()
        return broker
    }

    static func file(_ path: String) async throws -> any Broker {
        let broker = try await SQLiteBroker(path: path)
        return broker
    }

    static func server(_ url: String) async throws -> any Broker {
        let broker = try await RedisBroker(url)
        return broker
    }
}
