// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import Logging
import RedisClient
import TestRedis
import Testing

/// What is looked at before anything is kept on a server.
@Suite(.timeLimit(.minutes(2))) struct `Fitness of a server` {
    @Test(arguments: ["allkeys-lru", "volatile-ttl"])
    func `a server that may evict keys is refused with the command that mends it`(
        _ policy: String
    ) async throws {
        try await withServer(["--maxmemory-policy", policy]) { server in
            let error = await brokerError { _ = try await RedisBroker(server.url) }
            guard case .misconfigured(let problem) = error else {
                Issue.record("not refused: \(String(describing: error))")
                return
            }
            #expect(problem.cause.contains(policy))
            #expect(problem.advice.contains("CONFIG SET maxmemory-policy noeviction"))
        }
    }

    @Test func `a server that keeps nothing on disk gives a warning`() async throws {
        try await withServer { server in
            let book = LogBook()
            try await withLogger(Logger(label: "test") { _ in book }) { _ in
                await (try RedisBroker(server.url)).shutdown()
            }
            #expect(book.text.contains("warning"))
            #expect(book.text.contains("CONFIG SET appendonly yes"))
        }
    }

    @Test func `a server with a log on disk gives none`() async throws {
        try await withServer(["--appendonly", "yes"]) { server in
            let book = LogBook()
            try await withLogger(Logger(label: "test") { _ in book }) { _ in
                await (try RedisBroker(server.url)).shutdown()
            }
            #expect(!book.text.contains("warning"), "\(book.text)")
        }
    }

    @Test func `a right that the scripts need and we lack is told at the start`() async throws {
        try await withServer { server in
            let url = try await user("+@all -rpush", of: server)
            let error = await brokerError { _ = try await RedisBroker(url) }
            guard case .misconfigured(let problem) = error else {
                Issue.record("not misconfigured: \(String(describing: error))")
                return
            }
            #expect(problem.cause.contains("RPUSH"))
        }
    }

    @Test func `where we may not ask, a refusal in mid-script is unknown and names the rights`()
        async throws
    {
        try await withServer { server in
            let broker = try await RedisBroker(try await user("+@all -acl -rpush", of: server))
            let error = await brokerError { _ = try await broker.enqueue([.sample()], to: .work) }
            guard case .unknown(let problem) = error else {
                Issue.record("not unknown: \(String(describing: error))")
                return
            }
            #expect(problem.advice.contains("ACL user"))
            await broker.shutdown()
        }
    }

    @Test func `where CONFIG is forbidden the warning says what it does not know`() async throws {
        try await withServer { server in
            let url = try await user("+@all -config", of: server)
            let book = LogBook()
            try await withLogger(Logger(label: "test") { _ in book }) { _ in
                await (try RedisBroker(url)).shutdown()
            }
            #expect(book.text.contains("can't be read"))
            #expect(!book.text.contains("keeps nothing on disk"))
        }
    }

    /// The URL of a user with these rights.
    private func user(_ rights: String, of server: RedisServer) async throws -> String {
        let client = try RedisClient(RedisURL(server.url), logger: .quiet)
        let words = "ACL SETUSER worker on >secret ~* &* " + rights
        _ = try await client.send(RedisCommand(words.split(separator: " ").map(String.init)))
        await client.shutdown()
        return "redis://worker:secret@127.0.0.1:\(server.port)"
    }

    @Test(arguments: ["", "a:b", "a{b", "ü", String(repeating: "n", count: 33)])
    func `a namespace that could break keys is refused`(_ namespace: String) async throws {
        let error = await brokerError {
            _ = try await RedisBroker(
                "redis://127.0.0.1:1/?ns=\(namespace == "ü" ? "%C3%BC" : namespace)")
        }
        guard case .invalid = error else {
            Issue.record("not refused as invalid: \(String(describing: error))")
            return
        }
    }

    @Test func `a server that is not there is unavailable`() async throws {
        let port = try RedisServer.freePort()
        let error = await brokerError { _ = try await RedisBroker("redis://127.0.0.1:\(port)") }
        guard case .unavailable(let problem) = error else {
            Issue.record("not unavailable: \(String(describing: error))")
            return
        }
        #expect(problem.location.contains("\(port)"))
    }

    @Test func `a password that is wrong is a matter of configuration`() async throws {
        try await withServer(["--requirepass", "right"]) { server in
            let error = await brokerError {
                _ = try await RedisBroker("redis://:wrong@127.0.0.1:\(server.port)")
            }
            guard case .misconfigured(let problem) = error else {
                Issue.record("not misconfigured: \(String(describing: error))")
                return
            }
            #expect(!problem.cause.contains("right") && !"\(problem)".contains("wrong@"))
        }
    }
}
