// SPDX-License-Identifier: Apache-2.0
import Logging
import RedisClient
import TestRedis

/// Runs `body` with a client that is shut down at the end however it ends.
func withClient(
    _ url: String, scripts: [RedisScript] = [],
    configure: (inout RedisClient.Configuration) -> Void = { _ in },
    _ body: (RedisClient) async throws -> Void
) async throws {
    var configuration = RedisClient.Configuration()
    configure(&configuration)
    let client = try RedisClient(
        RedisURL(url), scripts: scripts, configuration: configuration,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    do { try await body(client) } catch {
        await client.shutdown()
        throw error
    }
    await client.shutdown()
}

/// The error that `body` throws, or nil.
func failure(_ body: () async throws -> Void) async -> RedisError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? RedisError
    }
}
