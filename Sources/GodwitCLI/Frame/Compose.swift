// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitGRPC
import GodwitHTTP
import GodwitMonitor
import GodwitRedis
import GodwitSQLite
import Logging
import RedisClient

/// A store that is open, and what it is called in texts.
struct OpenStore: Sendable {
    let broker: any Broker
    /// Without credentials.
    let name: String
    let meter: any StoreMeter
    /// Where what people do is noted, and what is over is looked up; opened at the first use.
    let history: HistoryPlace

    func close() async {
        await history.close()
        await broker.shutdown()
    }
}

/// Turns the text of `--broker` into a broker: the only file that names concrete ones.
enum Compose {
    enum Location: Hashable, Sendable {
        case memory
        case sqlite(path: String)
        case redis(url: String)
        case grpc(host: String, port: Int)
    }

    /// Where a command works: its store and its history, neither of them opened.
    struct Place: Sendable {
        let location: Location
        /// The history's URL; nil: there is none beside this store.
        let history: String?
        let isHistoryNamed: Bool

        /// Without credentials.
        var name: String {
            switch location {
            case .memory: "memory:"
            case .sqlite(let path): "sqlite:\(path)"
            case .redis(let url): (try? RedisURL(url)).map { "\($0)" } ?? "redis://…"
            case .grpc(let host, let port): "grpc://\(host):\(port)"
            }
        }
    }

    static func open(_ place: Place) async throws -> OpenStore {
        try await open(place.location, HistoryPlace(place.history, isNamed: place.isHistoryNamed))
    }

    static func open(
        _ location: Location, _ history: HistoryPlace = HistoryPlace(nil)
    ) async throws -> OpenStore {
        switch location {
        case .memory:
            return OpenStore(
                broker: MemoryBroker(), name: "memory:", meter: NoMeter(), history: history)
        case .sqlite(let path):
            try makeDirectory(of: path)
            return OpenStore(
                broker: try await SQLiteBroker(path: path), name: "sqlite:\(path)",
                meter: FileMeter(path: path), history: history)
        case .redis(let url):
            let parsed = try RedisURL(url)
            return OpenStore(
                broker: try await RedisBroker(parsed), name: "\(parsed)",
                meter: try RedisMeter(parsed), history: history)
        case .grpc(let host, let port):
            return OpenStore(
                broker: try await RemoteBroker(
                    host: host, port: port,
                    token: ProcessInfo.processInfo.environment["GODWIT_TOKEN"]),
                name: "grpc://\(host):\(port)", meter: NoMeter(), history: history)
        }
    }

    /// What the options, the environment and the contexts name, in this order.
    static func place(
        of options: StoreOptions,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> Place {
        let context =
            options.broker == nil
            ? try Contexts.chosen(options.context, environment: environment) : nil
        let named = try location(
            typed: options.broker, context: try context?.brokerURL(environment),
            environment: environment)
        if let typed = options.history, HistoryPlace.holdsPassword(typed) {
            throw Failure(
                .usage,
                """
                the URL given to --history holds a password, and every user of this machine can \
                read command lines. Nothing was done. Put the password into \
                GODWIT_CLICKHOUSE_PASSWORD and leave it out of the URL; and change it if others \
                may have seen it.
                """)
        }
        // A context's history belongs to its store: another --broker has another.
        var history = options.history
        if history == nil { history = try context?.historyURL(environment) }
        if history == nil, let text = environment["GODWIT_HISTORY"], !text.isEmpty {
            history = text
        }
        let isNamed = history != nil
        if history == nil, case .sqlite(let path) = named {
            history =
                "sqlite:"
                + URL(fileURLWithPath: path).deletingLastPathComponent()
                .appendingPathComponent("history.db").path
        }
        return Place(location: named, history: history, isHistoryNamed: isNamed)
    }

    private static func location(
        typed: String?, context: String?, environment: [String: String]
    ) throws -> Location {
        if let typed {
            let location = try parse(typed, from: "--broker")
            if case .redis(let url) = location, holdsPassword(url) {
                throw Failure(
                    .usage,
                    """
                    the URL given to --broker holds a password, and every user of this machine can \
                    read command lines. Nothing was done. Put the URL into GODWIT_BROKER, or the \
                    password into GODWIT_REDIS_PASSWORD or a file named by ?password-file=/path; \
                    and change it if others may have seen it.
                    """)
            }
            return location
        }
        if let context { return try parse(context, from: "the context") }
        if let text = environment["GODWIT_BROKER"], !text.isEmpty {
            return try parse(text, from: "GODWIT_BROKER")
        }
        let data =
            environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
            ?? environment["HOME"].map { $0 + "/.local/share" }
        guard let data else {
            throw Failure(
                .configuration,
                "no store is named and HOME is not set. Give --broker sqlite:PATH or set GODWIT_BROKER."
            )
        }
        return .sqlite(path: data + "/godwit/godwit.db")
    }

    static func parse(_ text: String, from source: String) throws -> Location {
        if text == "memory:" { return .memory }
        if text.hasPrefix("sqlite:") {
            var path = text.dropFirst("sqlite:".count)
            if path.hasPrefix("//") { path = path.dropFirst(2) }
            guard !path.isEmpty, !path.contains("\0") else {
                throw Failure(
                    .usage,
                    "\(source) names no file. Write sqlite:PATH, for example sqlite:jobs.db.")
            }
            return .sqlite(path: String(path))
        }
        if text.hasPrefix("grpc://"), let address = ListenAddress(String(text.dropFirst(7))) {
            return .grpc(host: address.host, port: address.port)
        }
        if text.hasPrefix("redis://") || text.hasPrefix("rediss://")
            || text.hasPrefix("redis+unix://")
        {
            do {
                _ = try RedisURL(text)
            } catch {
                throw Failure(.usage, "\(source): \(error)")
            }
            return .redis(url: text)
        }
        // Why only the scheme: the rest may hold a password.
        let scheme = text.firstIndex(of: ":").map { String(text[..<$0]) } ?? text
        throw Failure(
            .usage,
            """
            \(source) starts with '\(scheme.prefix(40).shown)', which is no broker. Use \
            memory:, sqlite:PATH, redis://host:port/db, rediss://host:port/db or redis+unix:///path.
            """)
    }

    static func holdsPassword(_ url: String) -> Bool {
        guard url.hasPrefix("redis") else { return false }
        guard let parsed = try? RedisURL(url) else { return true }
        return parsed.password != nil
    }

    private static func makeDirectory(of path: String) throws {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(
                at: directory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure(
                .forbidden,
                """
                the directory \(directory.path) can't be made: \
                \(error.localizedDescription). Check the path and its rights.
                """)
        }
    }
}
