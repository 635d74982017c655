// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import Logging

/// What every command that opens a store takes.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            memory:, sqlite:PATH, redis://host:port/db, rediss://…, redis+unix:///path. Else \
            GODWIT_BROKER, else a SQLite file under the user's data directory.
            """, valueName: "url"))
    var broker: String?

    @Option(name: [.customShort("o"), .customLong("output")], help: "How data is printed.")
    var format: OutputFormat = .text

    @Option(
        help:
            "From which level on things are logged to stderr: trace, debug, info, notice, warning, error, critical.",
        transform: StoreOptions.level)
    var logLevel: Logger.Level = .warning

    var output: Output { Output(format: format) }

    /// Opens the store, lends it, and shuts it down whatever happens.
    func withStore<R: Sendable>(
        _ body: @Sendable (OpenStore) async throws -> R
    ) async throws -> R {
        var logger = Logger(label: "godwit") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = logLevel
        return try await withLogger(logger) { logger in
            let store = try await Compose.open(broker, logger: logger)
            do {
                let result = try await body(store)
                await store.broker.shutdown()
                return result
            } catch {
                await store.broker.shutdown()
                throw error
            }
        }
    }

    private static func level(_ text: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            throw ValidationError(
                "'\(text.escapedForDisplay)' is no log level. Use one of "
                    + Logger.Level.allCases.map(\.rawValue).joined(separator: ", ") + ".")
        }
        return level
    }
}

extension StoreOptions {
    /// The name of a queue as somebody typed it.
    static func queue(_ text: String) throws -> QueueName {
        try named { () throws(InvalidName) in try QueueName(text) }
    }

    static func kind(_ text: String) throws -> Kind {
        try named { () throws(InvalidName) in try Kind(text) }
    }

    static func id(_ text: String) throws -> MessageID {
        guard let id = MessageID(text) else {
            throw ValidationError(
                """
                '\(text.prefix(60).escapedForDisplay)' is not a message id: it is a UUID, 36 \
                characters like 0197a3c4-… as `enqueue` printed it.
                """)
        }
        return id
    }

    static func duration(_ text: String) throws -> Duration {
        guard let duration = Duration(typed: text) else {
            throw ValidationError(
                """
                '\(text.prefix(60).escapedForDisplay)' is not a length of time: a number and a unit, \
                such as 500ms, 30s, 5m, 2h or 7d.
                """)
        }
        return duration
    }

    private static func named<N>(_ make: () throws(InvalidName) -> N) throws -> N {
        do throws(InvalidName) {
            return try make()
        } catch {
            throw ValidationError("\(error)")
        }
    }
}

extension String.SubSequence {
    var escapedForDisplay: String { String(self).escapedForDisplay }
}
