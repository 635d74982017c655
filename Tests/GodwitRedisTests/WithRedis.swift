// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import Logging
import RedisClient
import Synchronization
import TestRedis
import Testing

/// Runs `body` with a broker on a server of its own, and a client to look behind the broker.
func withRedisBroker(
    _ arguments: [String] = [],
    _ body: (RedisBroker, RedisServer, RedisClient) async throws -> Void
) async throws {
    try await withServer(arguments) { server in
        try await withLogger(.quiet) { _ in
            let broker = try await RedisBroker(server.url)
            let client = try RedisClient(RedisURL(server.url), logger: .quiet)
            do { try await body(broker, server, client) } catch {
                await broker.shutdown()
                await client.shutdown()
                throw error
            }
            await broker.shutdown()
            await client.shutdown()
        }
    }
}

extension Logger {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// Keeps what was logged, for tests of what an operator reads.
final class LogBook: LogHandler {
    private let lines = Mutex<[String]>([])

    var text: String { lines.withLock { $0.joined(separator: "\n") } }

    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) { lines.withLock { $0.append("\(event.level): \(event.message)") } }
}

extension QueueName {
    static let work: QueueName = "work"
    static let other: QueueName = "other"
}

extension Kind {
    static let mail: Kind = "mail"
    static let invoice: Kind = "invoice"
}

extension NewMessage {
    /// A plain message with an id made now.
    static func sample(_ kind: Kind = .mail, bytes: Int = 100) -> NewMessage {
        NewMessage(
            id: MessageID(at: SystemTime().now()), kind: kind,
            body: [UInt8](repeating: 7, count: bytes))
    }
}

extension RedisBroker {
    /// The first message that is handed out, asked for again and again for a while.
    func reserveOne(_ kinds: [Kind] = [.mail]) async throws -> LeasedMessage {
        let found = try await reserve(ReserveRequest(1, kinds: kinds), from: .work)
        return try #require(found.messages.first)
    }
}

/// The error that `body` throws, or nil.
func brokerError(_ body: () async throws -> Void) async -> BrokerError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? BrokerError
    }
}

/// Repeats `body` until it succeeds, for what comes back by itself; 10 s at most.
func eventually<T>(_ body: () async throws -> T) async throws -> T {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(10)
    while true {
        do {
            return try await body()
        } catch {
            if clock.now > end { throw error }
        }
    }
}
