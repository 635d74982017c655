// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit

/// Opens a history by its address.
public enum History {
    /// Where the password of a ClickHouse is read: never from a URL, which others can see.
    public static let passwordVariable = "GODWIT_CLICKHOUSE_PASSWORD"

    /// `sqlite:PATH` or `clickhouse+http(s)://[USER@]HOST[:PORT][/DATABASE]`; the port is 8123, or 8443 with
    /// TLS, the database `godwit`, unless they are named. The password is ``passwordVariable``'s, unless given.
    ///
    /// With `creates` false nothing is made: a history that is not there is an error, and in ClickHouse a
    /// user who may only read is enough.
    public static func open(
        _ url: String, password given: String? = nil, creates: Bool = true
    ) async throws(HistoryError) -> any HistoryStore {
        if url.hasPrefix("sqlite:") {
            let path = String(url.dropFirst("sqlite:".count))
            guard creates || FileManager.default.fileExists(atPath: path) else {
                throw .invalid(
                    .init(
                        what: "open the history", location: "the history file '\(path)'",
                        cause: "there is no such file",
                        advice: "Check the path; an Archiver makes it at its first start."))
            }
            return try await SQLiteHistory.opened(path)
        }
        let isTLS = url.hasPrefix("clickhouse+https://")
        guard isTLS || url.hasPrefix("clickhouse+http://"),
            let parts = URLComponents(string: String(url.dropFirst("clickhouse+".count)))
        else {
            throw refusal(
                "it is neither sqlite:PATH nor clickhouse+http(s)://HOST:PORT/DATABASE",
                "Write one of these.")
        }
        guard parts.password == nil else {
            throw refusal(
                "it holds a password, which process lists and logs would show",
                "Put it into \(passwordVariable) and leave it out of the address.")
        }
        guard let host = parts.host, !host.isEmpty, parts.query == nil, parts.fragment == nil else {
            throw refusal(
                "it names no host, or has a query",
                "Write clickhouse+http://USER@HOST:PORT/DATABASE.")
        }
        let password = given ?? ProcessInfo.processInfo.environment[passwordVariable]
        let database = parts.path.drop { $0 == "/" }
        return try await ClickHouseHistory(
            host: host.trimmingCharacters(in: ["[", "]"]),
            port: parts.port ?? (isTLS ? 8443 : 8123),
            database: database.isEmpty ? "godwit" : String(database), user: parts.user,
            password: password?.isEmpty == true ? nil : password, isTLS: isTLS, creates: creates)
    }

    private static func refusal(_ cause: String, _ advice: String) -> HistoryError {
        // Why without the address: it may hold a password.
        .invalid(
            .init(
                what: "open the history", location: "the address of the history", cause: cause,
                advice: advice))
    }
}
