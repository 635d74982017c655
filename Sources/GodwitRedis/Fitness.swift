// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import RedisClient

/// Looks at a server before anything is kept there.
struct Fitness {
    let failure: Failure

    /// Refuses a server that may lose what it accepted, warns of one that forgets on a restart, and
    /// returns what to add to our clock to get the server's.
    func check(
        _ client: RedisClient, against time: any TimeSource
    ) async throws(BrokerError) -> Duration {
        let what = "open the broker"
        let replies: [RESPValue]
        let before = time.now()
        do throws(RedisError) {
            replies = try await client.send(pipeline: [
                RedisCommand(["TIME"]), RedisCommand(["INFO", "server"]),
                RedisCommand(["INFO", "memory"]), RedisCommand(["INFO", "persistence"]),
                RedisCommand(["CONFIG", "GET", "save"]),
            ])
        } catch {
            throw failure.error(error, what)
        }
        let after = time.now()
        guard replies.count == 5 else { throw failure.unreadable(what) }
        for reply in replies.prefix(4) {
            if case .error(let text) = reply { throw failure.error(RedisError(reply: text), what) }
        }
        try checkVersion(Self.fields(replies[1]))
        try checkEviction(Self.fields(replies[2]))
        warn(Self.fields(replies[3]), save: replies[4])
        guard let parts = replies[0].elements, parts.count == 2, let seconds = parts[0].int,
            let micros = parts[1].int
        else { throw failure.unreadable(what) }
        let server = Int64(seconds) * 1_000_000 + Int64(micros)
        let local = (before.milliseconds + after.milliseconds) * 500
        return .microseconds(server - local)
    }

    private func checkVersion(_ server: [Substring: Substring]) throws(BrokerError) {
        let text = server["redis_version"] ?? ""
        guard let major = text.split(separator: ".").first.flatMap({ Int($0) }), major < 7 else {
            return
        }
        throw misconfigured(
            "its version is \(text), and the scripts need 7.0",
            "Use Redis 7.0 or later, or Valkey 7.2 or later.")
    }

    private func checkEviction(_ memory: [Substring: Substring]) throws(BrokerError) {
        guard let policy = memory["maxmemory_policy"], policy != "noeviction" else { return }
        throw misconfigured(
            "its maxmemory-policy is '\(policy)', so a full server would throw messages away unseen",
            "Run: redis-cli CONFIG SET maxmemory-policy noeviction, and write "
                + "'maxmemory-policy noeviction' to its configuration file.")
    }

    private func warn(_ persistence: [Substring: Substring], save: RESPValue) {
        guard persistence["aof_enabled"] == "0" else { return }
        let snapshots = save["save"]?.string ?? ""
        if snapshots.isEmpty {
            Logger.current.warning(
                """
                \(failure.location) keeps nothing on disk: when it stops, all messages are gone. \
                Run: redis-cli CONFIG SET appendonly yes, and write 'appendonly yes' to its \
                configuration file
                """)
        } else {
            Logger.current.warning(
                """
                \(failure.location) only takes snapshots (save \(snapshots)): when it stops \
                unexpectedly, what was accepted since the last one is gone. \
                Run: redis-cli CONFIG SET appendonly yes, and write 'appendonly yes' to its \
                configuration file
                """)
        }
    }

    private func misconfigured(_ cause: String, _ advice: String) -> BrokerError {
        .misconfigured(
            BrokerError.Problem(
                what: "open the broker", location: failure.location, cause: cause, advice: advice))
    }

    private static func fields(_ info: RESPValue) -> [Substring: Substring] {
        var fields: [Substring: Substring] = [:]
        for line in (info.string ?? "").split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...]
        }
        return fields
    }
}
