// SPDX-License-Identifier: Apache-2.0
import Foundation
import RedisClient
import TestRedis
import Testing

@Suite struct `Client` {
    @Test func `speaks RESP3 and names itself, over socket and TCP`() async throws {
        try await withServer { server in
            for url in [server.url, "redis://127.0.0.1:\(server.port)", "redis://localhost:\(server.port)/2"] {
                try await withClient(url) { client in
                    var set = RedisCommand("HSET")
                    set.append(contentsOf: ["h", "a"])
                    set.append(-12)
                    _ = try await client.send(set)
                    let map = try await client.send(RedisCommand(["HGETALL", "h"]))
                    #expect(map == .map([.bulk(bytes("a")), .bulk(bytes("-12"))]))
                    #expect(map["a"]?.int == -12)
                    #expect(try await client.send(RedisCommand(["CLIENT", "GETNAME"])).string == "godwit")
                    let info = try await client.send(RedisCommand(["CLIENT", "INFO"])).string
                    #expect(info?.contains(url.hasSuffix("/2") ? " db=2 " : " db=0 ") == true)
                }
            }
        }
    }

    @Test func `carries any bytes and any number`() async throws {
        try await withServer { server in
            try await withClient(server.url) { client in
                let all = (0...255).map { UInt8($0) }
                let large = [UInt8](repeating: 7, count: 3 << 20)
                for value in [[], all, Array("\r\n$5\r\n".utf8), large] {
                    var echo = RedisCommand("ECHO", capacity: 0)
                    echo.append(value)
                    let answer = try await client.send(echo)
                    #expect(answer.bytes.map { Array($0) } == value)
                }
                for number in [0, 9, 10, 99, 100, -1, .min, .max] {
                    var echo = RedisCommand("ECHO")
                    echo.append(number)
                    let answer = try await client.send(echo)
                    #expect(answer.int == number)
                }
            }
        }
    }

    @Test func `a command that fails does not touch the others of its pipeline`() async throws {
        try await withServer { server in
            try await withClient(server.url) { client in
                let replies = try await client.send(pipeline: [
                    RedisCommand(["SET", "k", "v"]), RedisCommand(["LPUSH", "k", "x"]),
                    RedisCommand(["NOSUCH"]), RedisCommand(["GET", "k"]),
                ])
                #expect(replies.count == 4)
                #expect(replies[0].string == "OK" && replies[3].string == "v")
                let wrong = #expect(throws: RedisError.self) { try replies[1].get() }
                #expect(wrong?.kind == .server && wrong?.text.hasPrefix("WRONGTYPE") == true)
                #expect(throws: RedisError.self) { try replies[2].get() }
                let error = await failure { _ = try await client.send(RedisCommand(["LPUSH", "k", "x"])) }
                #expect(error?.kind == .server && error?.server == server.socketPath)
                #expect(try await client.send(pipeline: []) == [])
            }
        }
    }

    @Test func `a pipeline is one burst and in order, also a long one`() async throws {
        try await withServer { server in
            try await withClient(server.url) { client in
                let commands = (0..<20_000).map { number in
                    var echo = RedisCommand("ECHO")
                    echo.append(number)
                    return echo
                }
                let replies = try await client.send(pipeline: commands)
                #expect(replies.map(\.int) == (0..<20_000).map { $0 })
            }
        }
    }

    @Test func `scripts are there before the first call and survive SCRIPT FLUSH`() async throws {
        let add = RedisScript(name: "add", source: "return redis.call('INCRBY', KEYS[1], ARGV[1])")
        let three = RedisScript(name: "three", source: "return {KEYS[1], ARGV[1], false, 3}")
        try await withServer { server in
            try await withClient(server.url, scripts: [add, three]) { client in
                let exists = try await client.send(RedisCommand(["SCRIPT", "EXISTS", add.sha, three.sha]))
                #expect(exists == .array([.integer(1), .integer(1)]))
                #expect(try await client.evalsha(add, keys: ["n"], arguments: [Array("5".utf8)]).int == 5)
                _ = try await client.send(RedisCommand(["SCRIPT", "FLUSH"]))
                #expect(try await client.evalsha(add, keys: ["n"], arguments: [Array("5".utf8)]).int == 10)
                _ = try await client.send(RedisCommand(["SCRIPT", "FLUSH"]))
                var first = RedisCommand(three, keys: 1)
                first.append(contentsOf: ["k", "a"])
                var second = RedisCommand(add, keys: 1)
                second.append("n")
                second.append(1)
                let replies = try await client.send(pipeline: [first, RedisCommand("PING"), second, second])
                #expect(replies[0] == .array([.bulk(bytes("k")), .bulk(bytes("a")), .null, .integer(3)]))
                #expect(replies[1].string == "PONG")
                #expect(replies[2].int == 11 && replies[3].int == 12)
            }
        }
    }

    @Test func `a script that does not compile is named before any call`() async throws {
        let broken = RedisScript(name: "broken-one", source: "return (")
        try await withServer { server in
            try await withClient(server.url, scripts: [broken]) { client in
                let error = await failure { _ = try await client.send(RedisCommand("PING")) }
                #expect(error?.kind == .server && error?.text.contains("broken-one") == true)
            }
        }
    }

    @Test func `a server that went away is unavailable and is found again`() async throws {
        let script = RedisScript(name: "one", source: "return 1")
        try await withServer { server in
            try await withClient(server.url, scripts: [script]) {
                $0.backoff = Backoff(base: .milliseconds(1), cap: .milliseconds(20))
            } _: { client in
                #expect(try await client.evalsha(script, keys: []).int == 1)
                await server.kill()
                // The first may still be written into the dying connection.
                _ = await failure { _ = try await client.send(RedisCommand("PING")) }
                for _ in 0..<5 {
                    let error = await failure { _ = try await client.send(RedisCommand("PING")) }
                    #expect(error?.kind == .unavailable)
                    #expect(error?.server == server.socketPath)
                }
                try await server.restart()
                // Paced by the client's own back-off.
                var found = false
                for _ in 0..<100 where !found {
                    found = await failure { _ = try await client.send(RedisCommand("PING")) } == nil
                }
                #expect(found)
                // The new server has never heard of the script; the new connection has told it.
                let exists = try await client.send(RedisCommand(["SCRIPT", "EXISTS", script.sha]))
                #expect(exists == .array([.integer(1)]))
            }
        }
    }

    @Test func `a connection the server closed is replaced without the caller noticing`() async throws {
        try await withServer { server in
            try await withClient(server.url) { client in
                let first = try await client.send(RedisCommand(["CLIENT", "ID"])).int
                try await withClient(server.url) { other in
                    _ = try await other.send(RedisCommand(["CLIENT", "KILL", "ID", "\(first ?? 0)"]))
                }
                var second: Int?
                for _ in 0..<3 where second == nil {
                    second = try? await client.send(RedisCommand(["CLIENT", "ID"])).int
                }
                #expect(second != nil && second != first)
            }
        }
    }

    @Test func `a replica's refusal makes the client connect anew`() async throws {
        try await withServer { server in
            try await withClient(server.url) { client in
                let first = try await client.send(RedisCommand(["CLIENT", "ID"])).int
                _ = try await client.send(RedisCommand(["REPLICAOF", "127.0.0.1", "1"]))
                let error = await failure { _ = try await client.send(RedisCommand(["SET", "a", "b"])) }
                #expect(error?.kind == .readOnly)
                let second = try await client.send(RedisCommand(["CLIENT", "ID"])).int
                #expect(second != nil && second != first)
            }
        }
    }

    @Test func `the server's refusals arrive by their kind`() async throws {
        try await withServer(["--min-replicas-to-write", "1"]) { server in
            try await withClient(server.url) { client in
                let few = await failure { _ = try await client.send(RedisCommand(["SET", "a", "b"])) }
                #expect(few?.kind == .noReplicas)
            }
        }
        try await withServer(["--maxmemory", "1", "--maxmemory-policy", "noeviction"]) { server in
            try await withClient(server.url) { client in
                let full = await failure { _ = try await client.send(RedisCommand(["SET", "a", "b"])) }
                #expect(full?.kind == .outOfMemory)
            }
        }
    }

    @Test func `shutdown closes everything, tells those who wait, and may be repeated`() async throws {
        try await withServer { server in
            let client = try RedisClient(RedisURL(server.url))
            _ = try await client.send(RedisCommand("PING"))
            let ended = try await withThrowingTaskGroup(of: RedisError?.self) { group in
                group.addTask {
                    let pop = RedisCommand(["BZPOPMIN", "none", "0"])
                    return await failure { _ = try await client.sendBlocking(pop, blocks: .seconds(60)) }
                }
                try await withClient(server.url) { other in
                    let info = RedisCommand(["INFO", "clients"])
                    while try await other.send(info).string?.contains("blocked_clients:1") != true {}
                }
                await client.shutdown()
                return try await group.next() ?? nil
            }
            #expect(ended?.kind == .unknown)
            try await withClient(server.url) { other in
                await client.shutdown()
                for call in 0..<3 {
                    let error = await failure {
                        switch call {
                        case 0: _ = try await client.send(RedisCommand("PING"))
                        case 1: _ = try await client.dedicated()
                        default: _ = try await client.sendBlocking(RedisCommand("PING"), blocks: .zero)
                        }
                    }
                    #expect(error?.kind == .closed)
                }
                while try await other.send(RedisCommand(["CLIENT", "LIST"])).string?.split(separator: "\n").count != 1 {}
            }
        }
    }
}
