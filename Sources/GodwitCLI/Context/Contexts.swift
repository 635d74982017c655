// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import RedisClient

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Names for stores, in `$XDG_CONFIG_HOME/godwit/contexts.json`, readable by the user alone.
struct Contexts: Codable {
    struct Context: Codable {
        var broker: String
        var history: String?
        /// The environment variable that holds the broker's password.
        var passwordVariable: String?
    }

    var schema = "godwit.contexts/1"
    /// The one in use where nothing else is named.
    var current: String?
    var contexts: [String: Context] = [:]

    /// The folder of the user's settings.
    static func folder(_ environment: [String: String]) throws -> URL {
        if let path = environment["XDG_CONFIG_HOME"], path.hasPrefix("/") {
            return URL(fileURLWithPath: path).appendingPathComponent("godwit")
        }
        guard let home = environment["HOME"], home.hasPrefix("/") else {
            throw Failure(
                .configuration,
                "HOME is not set, so there is no place for settings. Set HOME or XDG_CONFIG_HOME.")
        }
        return URL(fileURLWithPath: home).appendingPathComponent(".config/godwit")
    }

    private static func file(_ environment: [String: String]) throws -> URL {
        try folder(environment).appendingPathComponent("contexts.json")
    }

    static func load(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws
        -> Contexts
    {
        guard let file = try? file(environment),
            FileManager.default.fileExists(atPath: file.path)
        else { return Contexts() }
        do {
            return try JSONDecoder().decode(Contexts.self, from: Data(contentsOf: file))
        } catch {
            throw Failure(
                .configuration,
                """
                \(file.path) can't be read as contexts: \(error.localizedDescription). Mend it, or \
                move it away and add the contexts again with `godwit context add`.
                """)
        }
    }

    /// Written whole under another name and renamed: a crash leaves the old or the new one.
    func save(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try SafeFile.replace(try Self.file(environment), with: [UInt8](try encoder.encode(self)))
    }

    /// The context that counts where no --broker is given: the named one, GODWIT_CONTEXT's, the one
    /// in use; nil where GODWIT_BROKER names a store, or there is none.
    static func chosen(_ name: String?, environment: [String: String]) throws -> Context? {
        let fromEnvironment = environment["GODWIT_CONTEXT"].flatMap { $0.isEmpty ? nil : $0 }
        if name == nil, environment["GODWIT_BROKER"]?.isEmpty == false { return nil }
        let all = try load(environment)
        guard let name = name ?? fromEnvironment ?? all.current else { return nil }
        return try all.named(name)
    }

    func named(_ name: String) throws -> Context {
        if let context = contexts[name] { return context }
        let known = contexts.keys.sorted()
        throw Failure(
            .configuration,
            """
            there is no context '\(name.prefix(60))'. \
            \(known.isEmpty ? "There is none at all" : "There are: \(known.joined(separator: ", "))"). \
            `godwit context add NAME URL` makes one.
            """)
    }
}

extension Contexts.Context {
    /// The URL with its password, for opening only.
    func brokerURL(_ environment: [String: String]) throws -> String {
        guard let passwordVariable else { return broker }
        guard let password = environment[passwordVariable], !password.isEmpty else {
            throw Failure(
                .configuration,
                """
                this context takes its password from \(passwordVariable), which is not set. \
                Set it, or change the context with `godwit context add`.
                """)
        }
        return Self.inserting(password, into: broker)
    }

    func historyURL(_ environment: [String: String]) throws -> String? { history }

    /// The URL with a password, which is percent-encoded.
    static func inserting(_ password: String, into url: String) -> String {
        guard let colon = url.firstRange(of: "://") else { return url }
        let encoded = password.utf8.map { byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte)
            return isPlain
                ? String(UnicodeScalar(byte))
                : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
        var rest = String(url[colon.upperBound...])
        let host = rest.firstIndex(of: "/") ?? rest.endIndex
        var user = ""
        if let at = rest[..<host].firstIndex(of: "@") {
            user = String(rest[..<at].prefix { $0 != ":" })
            rest = String(rest[rest.index(after: at)...])
        }
        return String(url[..<colon.upperBound]) + "\(user):\(encoded)@\(rest)"
    }

    /// How it is shown: without user, password and query.
    static func shown(_ url: String) -> String {
        if let parsed = try? RedisURL(url) { return "\(parsed)" }
        guard let colon = url.firstRange(of: "://") else { return url }
        var rest = url[colon.upperBound...]
        rest = rest.prefix { $0 != "?" }
        let host = rest.firstIndex(of: "/") ?? rest.endIndex
        if let at = rest[..<host].lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
        return String(url[..<colon.upperBound] + rest)
    }
}
