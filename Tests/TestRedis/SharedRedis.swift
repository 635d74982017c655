// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// One redis-server for the whole test process, and a namespace of its own for each test.
///
/// The first test that asks starts it. It ends with the process, however that ends.
public enum SharedRedis {
    // Why a task and not a lock: all tests begin at once, and all of them wait for the one start.
    private static let server = Task {
        let server = try await RedisServer.start(
            // A log on disk that nobody waits for: without one each broker warns.
            arguments: ["--appendonly", "yes", "--appendfsync", "no"])
        directory.withLock { $0 = server.directory }
        atexit { SharedRedis.removeFiles() }
        return server
    }
    private static let directory = Mutex<URL?>(nil)
    private static let lastNamespace = Atomic(0)

    /// Where a fresh broker finds a namespace that nobody else uses.
    public static func freshURL() async throws -> String {
        let number = lastNamespace.add(1, ordering: .relaxed).newValue
        return "\(try await server.value.url)?ns=test-\(number)"
    }

    private static func removeFiles() {
        if let directory = directory.withLock({ $0 }) {
            try? FileManager.default.removeItem(at: directory)
        }
    }
}
