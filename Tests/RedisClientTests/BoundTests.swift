// SPDX-License-Identifier: Apache-2.0
import RedisClient
import Synchronization
import Testing

/// What a server that is slow, wrong or a replica can cost us.
@Suite(.timeLimit(.minutes(1))) struct `Bounds of the client` {
    @Test func `a pipeline that ran in part is not repeated by itself`() async throws {
        let script = RedisScript(name: "one", source: "return 1")
        try await withFake { command in
            switch command[0] {
            case "INCR": .say(":1\r\n")
            case "SET": .say("-READONLY You can't write against a read only replica.\r\n")
            case "EVALSHA": .say("-NOSCRIPT No matching script.\r\n")
            default: .say("+OK\r\n")
            }
        } _: { client, server in
            _ = try await client.send(RedisCommand("PING"))
            // The replica ends the connection, so the second write, with the source, can't leave.
            let error = await failure {
                _ = try await client.send(pipeline: [
                    RedisCommand(["INCR", "n"]), RedisCommand(["SET", "k", "v"]),
                    RedisCommand(script, keys: 0),
                ])
            }
            #expect(error?.kind == .unknown)
            #expect(server.heard.withLock { $0.count { $0[0] == "INCR" } } == 1)
        }
    }

    @Test func `commands without a reply count until it has come`() async throws {
        try await withFake(outstanding: 1 << 20) { command in
            command[0] == "SET" ? .silence : .say("+OK\r\n")
        } _: { client, server in
            _ = try await client.send(RedisCommand("PING"))
            let large = RedisCommand(["SET", "k", String(repeating: "v", count: 300_000)])
            let refused = Counter()
            for number in 1...20 {
                client.submit([large]) { result in
                    if case .failure(let error) = result, error.kind == .unavailable {
                        refused.add()
                    }
                }
                // It has left, so it waits for its reply and not for being sent.
                while number < 5, server.heard.withLock({ $0.count { $0[0] == "SET" } }) < number {
                    await Task.yield()
                }
            }
            #expect(refused.value == 16, "four of 300 kB are over one MiB")
        }
    }

    @Test func `what was answered counts no more`() async throws {
        try await withFake(outstanding: 1 << 20) { _ in
            .say("+OK\r\n")
        } _: { client, _ in
            let large = RedisCommand(["SET", "k", String(repeating: "v", count: 300_000)])
            for _ in 0..<20 {
                let reply = try await client.send(pipeline: [large, large])
                #expect(reply.map(\.string) == ["OK", "OK"])
            }
        }
    }

    @Test func `a reply of many strings that is too large as a whole ends the stream`() throws {
        var limits = RESPParser.Limits()
        limits.reply = 1 << 20
        var parser = RESPParser(limits: limits)
        let string = Array("$1000\r\n\(String(repeating: "x", count: 1000))\r\n".utf8)
        parser.feed(Array("*2000\r\n".utf8))
        #expect(throws: RESPError.tooLarge(limit: 1 << 20)) {
            for _ in 0..<2000 {
                parser.feed(string)
                let value = try parser.next()
                #expect(value == nil)
                if parser.waiting > 2 << 20 { return }
            }
        }
        // Small replies are no more for being many.
        var other = RESPParser(limits: limits)
        for _ in 0..<2000 {
            other.feed(string)
            #expect(try other.next() != nil)
        }
    }

    @Test func `a replica is not asked again and again without a pause`() async throws {
        let server = try await FakeServer.start { _ in
            .say("-READONLY You can't write against a read only replica.\r\n")
        }
        try await withClient(server.url) {
            $0.timeout = .milliseconds(50)
            $0.connectTimeout = .seconds(5)
            $0.backoff = Backoff(base: .seconds(1000), cap: .seconds(1000))
        } _: { client in
            for _ in 0..<8 {
                let error = await failure { _ = try await client.send(RedisCommand("GET")) }
                #expect(error?.kind == .readOnly || error?.kind == .unavailable)
            }
            let connections = server.heard.withLock { $0.count { $0[0] == "HELLO" } }
            #expect(connections < 3, "\(connections) connections")
        }
        await server.stop()
    }
}

private final class Counter: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .relaxed) }

    func add() { count.add(1, ordering: .relaxed) }
}
