// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import RedisClient

/// Looks at a server before anything is kept there.
struct Fitness {
    let failure: Failure
    let namespace: String

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
        try checkVersion(ServerInfo.fields(replies[1]))
        try checkEviction(ServerInfo.fields(replies[2]))
        warn(ServerInfo.fields(replies[3]), save: replies[4])
        try await checkRights(client)
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
        guard let policy = memory["maxmemory_policy"] else {
            Logger.current.warning(
                """
                \(failure.location) does not tell its maxmemory-policy: with another than noeviction a \
                full server throws messages away unseen. Ask its operator
                """)
            return
        }
        if policy == "noeviction" { return }
        throw misconfigured(
            "its maxmemory-policy is '\(policy)', so a full server would throw messages away unseen",
            "Run: redis-cli CONFIG SET maxmemory-policy noeviction, and write "
                + "'maxmemory-policy noeviction' to its configuration file.")
    }

    private func warn(_ persistence: [Substring: Substring], save: RESPValue) {
        guard persistence["aof_enabled"] == "0" else { return }
        guard let snapshots = save["save"]?.string else {
            Logger.current.warning(
                """
                \(failure.location) has no append-only file, and whether it takes snapshots can't be \
                read (CONFIG is not allowed): when it stops, messages may be gone. \
                Let its operator set appendonly yes
                """)
            return
        }
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

    /// Commands of the scripts that write or that stand behind a write, with arguments enough for their
    /// arity: a right that is missing there would end a script half way.
    static let needed = [
        ["HSET", "f", "v"], ["HSETNX", "f", "v"], ["HGET", "f"], ["HMGET", "f"], ["HDEL", "f"],
        ["HINCRBY", "f", "1"], ["HLEN"], ["HEXISTS", "f"], ["HSTRLEN", "f"], ["HKEYS"],
        ["RPUSH", "v"], ["LPUSH", "v"], ["LPOP"], ["LINDEX", "0"], ["LLEN"],
        ["ZADD", "0", "m"], ["ZREM", "m"], ["ZCARD"], ["ZSCORE", "m"], ["ZMSCORE", "m"],
        ["ZRANGE", "0", "1"], ["XADD", "*", "f", "v"], ["XTRIM", "MAXLEN", "0"], ["XLEN"],
        ["XDEL", "0-1"], ["EXISTS"],
    ]

    /// Asks the server what our user may do, where it lets us ask (Redis 7.0: ACL DRYRUN).
    private func checkRights(_ client: RedisClient) async throws(BrokerError) {
        let key = KeySpace(namespace: namespace, queue: "rights").key("p")
        let replies: [RESPValue]
        do throws(RedisError) {
            let user = try await client.send(RedisCommand(["ACL", "WHOAMI"])).string ?? ""
            replies = try await client.send(
                pipeline: Self.needed.map { words in
                    RedisCommand(["ACL", "DRYRUN", user, words[0], key] + words.dropFirst())
                })
        } catch {
            if [.noPermission, .server].contains(error.kind) { return }
            throw failure.error(error, "open the broker")
        }
        // An error means that we may not ask; what is refused is told in a string.
        for (words, reply) in zip(Self.needed, replies) {
            if case .error = reply { continue }
            guard let text = reply.string, text != "OK" else { continue }
            throw misconfigured(
                "our ACL user may not run \(words[0]) on our keys: \(text)",
                "Let the operator give this user that command on the keys ~{\(namespace):q:* and "
                    + "~godwit:\(namespace):*.")
        }
    }

    private func misconfigured(_ cause: String, _ advice: String) -> BrokerError {
        .misconfigured(
            BrokerError.Problem(
                what: "open the broker", location: failure.location, cause: cause, advice: advice))
    }
}

/// What INFO says.
enum ServerInfo {
    static func fields(_ info: RESPValue) -> [Substring: Substring] {
        var fields: [Substring: Substring] = [:]
        for line in (info.string ?? "").split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...]
        }
        return fields
    }
}
