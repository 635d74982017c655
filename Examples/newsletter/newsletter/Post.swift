// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitRedis
import GodwitSQLite

/// The names all parts share.
enum Post {
    static let queue: QueueName = "newsletter"

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

    /// Says something to the person who waits; data goes to stdout.
    static func say(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    /// One value as a line of JSON on stdout.
    static func print(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        FileHandle.standardOutput.write(try encoder.encode(value) + Data("\n".utf8))
    }
}

/// Said to the user, who can do something about it.
struct Wrong: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
