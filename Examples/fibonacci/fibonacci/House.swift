// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitRedis
import GodwitSQLite

/// One number to be computed.
struct ComputeNumber: Job {
    static let name = "fibonacci.compute"
    static var defaults: JobDefaults {
        JobDefaults(
            retry: .exponential(maxAttempts: 30, base: .milliseconds(100), cap: .seconds(2)),
            timeout: .seconds(60))
    }

    let n: UInt32
}

/// The names all parts share.
enum House {
    static let queue: QueueName = "fibonacci"

    /// The broker of a URL: `sqlite:PATH` or `redis://…`.
    static func open(_ url: String) async throws -> any Broker {
        if url.hasPrefix("sqlite:"), url.count > "sqlite:".count {
            return try await SQLiteBroker(path: String(url.dropFirst("sqlite:".count)))
        }
        if url.hasPrefix("redis") { return try await RedisBroker(url) }
        throw Wrong(
            """
            --broker does not begin like a broker that several processes can share. Use sqlite:PATH, \
            redis://host:port/db or redis+unix:///path.
            """)
    }

    /// Lends a broker and ends it, whatever happens.
    static func with<R>(
        _ url: String, _ body: (any Broker) async throws -> R
    ) async throws -> R {
        let broker = try await open(url)
        do {
            let result = try await body(broker)
            await broker.shutdown()
            return result
        } catch {
            await broker.shutdown()
            throw error
        }
    }

    /// Enqueues numbers, one message each; while one waits or runs, the same number again adds nothing.
    static func enqueue(_ numbers: [UInt32], on broker: any Broker) async throws -> [Enqueued] {
        let queue = Queue(Self.queue, on: broker)
        var accepted: [Enqueued] = []
        for n in numbers {
            accepted.append(try await queue.enqueue(ComputeNumber(n: n), .unique(by: "F(\(n))")))
        }
        return accepted
    }

    /// Makes a folder, private to its owner, if it is not there.
    static func makeFolder(_ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
    }

    /// Says something to the person who waits; data goes to stdout.
    static func say(_ text: String, newline: Bool = true) {
        FileHandle.standardError.write(Data((newline ? text + "\n" : text).utf8))
    }

    /// One value as a line of JSON on stdout.
    static func print(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        FileHandle.standardOutput.write(try encoder.encode(value) + Data("\n".utf8))
    }

    /// Calls `end` when standard input ends, which it does when the process that holds its other end is gone.
    ///
    /// Why a thread: reading blocks.
    static func whenStarterIsGone(_ end: @escaping @Sendable () -> Void) {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            var count = 1
            while count > 0 || (count < 0 && errno == EINTR) { count = read(0, &byte, 1) }
            end()
        }
    }
}

/// Said to the user, who can do something about it.
struct Wrong: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
