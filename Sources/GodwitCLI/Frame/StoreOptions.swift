// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import Logging

/// The global options: what every command takes.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            memory:, sqlite:PATH, redis://host:port/db, rediss://…, redis+unix:///path, grpcs://host:port. Else \
            --context, GODWIT_BROKER, GODWIT_CONTEXT, the context in use, or a SQLite file under \
            the user's data directory.
            """, valueName: "url"))
    var broker: String?

    @Option(help: "A name from `godwit context list` for the store and its history.")
    var context: String?

    @Option(
        help: ArgumentHelp(
            """
            sqlite:PATH or clickhouse+https://user@host:port/database. Else GODWIT_HISTORY, the context's, or \
            history.db beside the broker's SQLite file.
            """, valueName: "url"))
    var history: String?

    @Option(name: [.customShort("o"), .customLong("output")], help: "How data is printed.")
    var format: OutputFormat = .text

    @Option(help: ArgumentHelp("Only these fields, in this order.", valueName: "a,b"))
    var fields: String?

    @Option(
        name: .customLong("limit"),
        help: ArgumentHelp("How many at most; larger than a bound counts as it.", valueName: "n"),
        transform: StoreOptions.count)
    var limit: Int?

    @Option(help: "How moments are printed; relative on a terminal, else iso.")
    var time: TimeStyle?

    @Option(help: "Colour on stdout; auto obeys NO_COLOR.")
    var color: ColorChoice = .auto

    @Option(
        name: .customLong("timeout"),
        help: ArgumentHelp("The whole command ends within it.", valueName: "5s"),
        transform: StoreOptions.duration)
    var deadline: Duration?

    @Flag(name: .shortAndLong, help: "Say only what goes wrong.") var quiet = false

    @Flag(name: .shortAndLong, help: "Log what is done to stderr; -vv more of it.")
    var verbose: Int

    @Flag(name: .customLong("yes"), help: "Do not ask.") var isSure = false

    @Flag(name: .customLong("dry-run"), help: "Say what would be done, and do nothing.")
    var isDry = false

    @Option(
        help:
            "From which level on things are logged to stderr: trace, debug, info, notice, warning, error, critical.",
        transform: StoreOptions.level)
    var logLevel: Logger.Level?

    /// The most that one answer holds, unless a command says otherwise.
    static let mostItems = 10_000

    /// The printer for things of one type; refuses unknown fields before anything is done.
    func output<R: Row>(_ type: R.Type) throws -> Output<R> {
        if quiet { Talk.hush() }
        let names = fields?.split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        return try Output(format, fields: names, time: time, terminal: Terminal(color))
    }

    /// `--limit`, else `standard`; never more than `most`, and says so.
    func limit(_ standard: Int = 50, most: Int = StoreOptions.mostItems) -> Int {
        let asked = limit ?? standard
        if asked > most {
            Talk.say("--limit \(asked) is more than one answer holds: \(most) are taken")
        }
        return min(asked, most)
    }

    /// Opens the store, lends it, and shuts it down whatever happens.
    ///
    /// Ctrl-C once cancels what is done and exits with 130 when it has ended; twice ends at once.
    /// `handlesSignals` is false for a command that has its own way.
    func withStore<R: Sendable>(
        handlesSignals: Bool = true, deadline: Duration? = nil,
        _ body: @escaping @Sendable (OpenStore) async throws -> R
    ) async throws -> R {
        if quiet { Talk.hush() }
        let place = try Compose.place(of: self)
        return try await Deadline(
            time: deadline ?? self.deadline, handlesSignals: handlesSignals, place: place.name
        ).run {
            try await withLogger(logger) { _ in
                let store = try await Compose.open(place)
                do {
                    let result = try await body(store)
                    await store.close()
                    return result
                } catch {
                    await store.close()
                    throw error
                }
            }
        }
    }

    private var logger: Logger {
        var logger = Logger(label: "godwit") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel =
            logLevel ?? (quiet ? .error : verbose > 1 ? .debug : verbose == 1 ? .info : .warning)
        return logger
    }
}

extension StoreOptions {
    private static func level(_ text: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            throw ValidationError(
                "'\(text.shown)' is no log level. Use one of "
                    + Logger.Level.allCases.map(\.rawValue).joined(separator: ", ") + ".")
        }
        return level
    }

    /// A count of 1 or more; one that no integer holds is the largest.
    static func count(_ text: String) throws -> Int {
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            let number = Int(text) ?? .max
            if number >= 1 { return number }
        }
        throw ValidationError("'\(text.prefix(40).shown)' is no count: a whole number, 1 or more.")
    }

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
                '\(text.prefix(60).shown)' is not a message id: it is a UUID, 36 \
                characters like 0197a3c4-… as `enqueue` printed it.
                """)
        }
        return id
    }

    static func duration(_ text: String) throws -> Duration {
        guard let duration = Duration(typed: text) else {
            throw ValidationError(
                """
                '\(text.prefix(60).shown)' is not a length of time: a number and a unit, \
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
    var shown: String { String(self).shown }
}
