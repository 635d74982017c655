// SPDX-License-Identifier: Apache-2.0

/// One server for all tests of a process, each in a namespace of its own; it ends with the process.
public actor SharedRedis {
    public static let shared = SharedRedis()

    private var starting: Task<RedisServer, any Error>?

    public func server() async throws -> RedisServer {
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
