// SPDX-License-Identifier: Apache-2.0
import NIOCore
import RedisClient
import Synchronization
import TestRedis
import Testing

@Suite struct `Connection` {
    @Test func `an old server is spoken to in RESP2`() async throws {
        try await withFake { _ in
            .say("$-1\r\n")
        } _: { client, server in
            do {
                let value = try await client.send(RedisCommand("GET")).isNull
                #expect(value)
            }
            let words = server.heard.withLock { $0.map { $0[0] } }
            #expect(words == ["HELLO", "CLIENT", "GET"])
        }
    }

    @Test func `a server that closes in mid-reply makes it unknown`() async throws {
        try await withFake { command in
            command[0] == "GET"
                ? .init(bytes: Array("$10\r\nabc".utf8), closes: true) : .say("+OK\r\n")
        } _: { client, _ in
            let error = await failure { _ = try await client.send(RedisCommand(["GET", "k"])) }
            #expect(error?.kind == .unknown)
            do {
                let value = try await client.send(RedisCommand(["SET", "k", "v"])).string
                #expect(value == "OK")
            }
        }
    }

    @Test func `all that is in flight is unknown, and nobody is resumed twice`() async throws {
        try await withFake { command in
            command == ["ECHO", "99"] ? .close : .silence
        } _: { client, _ in
            await withTaskGroup(of: RedisError.Kind?.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        await failure {
                            _ = try await client.send(RedisCommand(["ECHO", "\(number)"]))
                        }?.kind
                    }
                }
                for await kind in group { #expect(kind == .unknown || kind == .unavailable) }
            }
        }
    }

    @Test(arguments: [
        "?\r\n", "$-5\r\n", "*99999999999\r\n", "+OK\rX", "HTTP/1.1 400 Bad Request\r\n\r\n",
    ])
    func `what is not RESP ends the connection, not the process`(_ nonsense: String) async throws {
        try await withFake { command in
            command[0] == "GET" ? .say(nonsense) : .say("+OK\r\n")
        } _: { client, _ in
            let error = await failure { _ = try await client.send(RedisCommand(["GET", "k"])) }
            #expect(error?.kind == .unknown && error?.text.contains("not RESP") == true)
            do {
                let value = try await client.send(RedisCommand("PING")).string
                #expect(value == "OK")
            }
        }
    }

    @Test func `a reply nobody asked for ends the connection`() async throws {
        try await withFake { command in
            command[0] == "GET" ? .say("+one\r\n+two\r\n") : .say("+OK\r\n")
        } _: { client, _ in
            do {
                let value = try await client.send(RedisCommand(["GET", "k"])).string
                #expect(value == "one")
            }
            // The second must not become the answer to this one.
            for _ in 0..<10 {
                let reply = try? await client.send(RedisCommand("PING"))
                #expect(reply == nil || reply?.string == "OK")
            }
        }
    }

    @Test func `a push between replies answers nobody`() async throws {
        try await withFake { command in
            .say(">2\r\n+invalidate\r\n*0\r\n+\(command[1])\r\n>1\r\n+x\r\n")
        } _: { client, _ in
            for word in ["a", "b", "c"] {
                do {
                    let value = try await client.send(RedisCommand(["ECHO", word])).string
                    #expect(value == word)
                }
            }
        }
    }

    @Test func `a server that is full or says no at the door is told by kind`() async throws {
        try await withFake(raw: true) { _ in
            .init(bytes: Array("-ERR max number of clients reached\r\n".utf8), closes: true)
        } _: { client, _ in
            let error = await failure { _ = try await client.send(RedisCommand("PING")) }
            #expect(error?.kind == .unavailable && error?.text.contains("max number") == true)
        }
        try await withFake(raw: true) { _ in
            .say("-LOADING Redis is loading the dataset in memory\r\n")
        } _: { client, _ in
            let error = await failure { _ = try await client.send(RedisCommand("PING")) }
            #expect(error?.kind == .loading)
        }
        try await withFake(raw: true) { _ in
            .close
        } _: { client, _ in
            let error = await failure { _ = try await client.send(RedisCommand("PING")) }
            #expect(error?.kind == .unavailable)
        }
    }

    @Test func `a server that never greets is given up`() async throws {
        let server = try await FakeServer.start(raw: true) { _ in .silence }
        try await withClient(server.url) {
            // Connecting has as long, and must not be what runs out on a busy machine.
            $0.connectTimeout = .seconds(1)
        } _: { client in
            let error = await failure { _ = try await client.send(RedisCommand("PING")) }
            #expect(error?.kind == .unavailable && error?.text.contains("greet") == true)
        }
        await server.stop()
    }

    @Test func `a late reply is thrown away and the next ones fit`() async throws {
        try await withFake { command in
            var answer = FakeServer.Answer.say("+\(command[1])\r\n")
            // One connection answers in order, so what follows is late, too, but not out of time.
            if command[1] == "slow" { answer.after = .milliseconds(300) }
            if command[1] == "next" { answer.after = .milliseconds(300) }
            return answer
        } _: { client, _ in
            _ = try await client.send(RedisCommand(["ECHO", "connect"]))
            let error = await failure {
                _ = try await client.send(
                    RedisCommand(["ECHO", "slow"]), timeout: .milliseconds(20))
            }
            #expect(error?.kind == .unknown)
            do {
                let value = try await client.send(RedisCommand(["ECHO", "next"])).string
                #expect(value == "next")
            }
        }
    }

    @Test func `a peer that owes a reply and is silent for the whole timeout is left`() async throws
    {
        try await withFake(timeout: .milliseconds(30)) { _ in
            .silence
        } _: { client, _ in
            let own = try await client.dedicated()
            let error = await failure { _ = try await own.send(RedisCommand("GET")) }
            #expect(error?.kind == .unknown)
            while own.isOpen { await Task.yield() }
            let refused = await failure { _ = try await own.send(RedisCommand("PING")) }
            #expect(refused?.kind == .unavailable)
        }
    }

    @Test func `one impatient caller does not cost the others their connection`() async throws {
        try await withFake { command in
            .init(bytes: Array("+\(command[1])\r\n".utf8), after: .milliseconds(100))
        } _: { client, _ in
            let own = try await client.dedicated()
            for _ in 0..<3 {
                let error = await failure {
                    _ = try await own.send(RedisCommand(["ECHO", "x"]), timeout: .milliseconds(1))
                }
                #expect(error?.kind == .unknown)
            }
            let reply = try await own.send(RedisCommand(["ECHO", "mine"]))
            #expect(reply.string == "mine")
        }
    }

    @Test func `a cancelled caller leaves the others alone`() async throws {
        try await withServer { server in
            try await withClient(server.url) { client in
                let own = try await client.dedicated()
                try await withThrowingTaskGroup(of: RedisError.Kind?.self) { group in
                    group.addTask {
                        await failure {
                            _ = try await own.send(RedisCommand(["BLPOP", "none", "0"]))
                        }?.kind
                    }
                    let info = RedisCommand(["INFO", "clients"])
                    while try await client.send(info).string?.contains("blocked_clients:1") != true
                    {}
                    group.cancelAll()
                    do {
                        let value = try await group.next()
                        #expect(value == .unknown)
                    }
                }
                _ = try await client.send(RedisCommand(["RPUSH", "none", "late"]))
                // The late reply to BLPOP comes first and must not become this one's.
                do {
                    let value = try await own.send(RedisCommand(["ECHO", "mine"])).string
                    #expect(value == "mine")
                }
                own.close()
            }
        }
    }

    @Test func `a task already cancelled sends nothing`() async throws {
        try await withServer { server in
            try await withClient(server.url) { client in
                _ = try await client.send(RedisCommand(["SET", "k", "1"]))
                await withTaskGroup(of: RedisError.Kind?.self) { group in
                    group.cancelAll()
                    group.addTask {
                        await failure {
                            _ = try await client.send(RedisCommand(["SET", "k", "2"]))
                        }?.kind
                    }
                    for await kind in group { #expect(kind == .cancelled) }
                }
                do {
                    let value = try await client.send(RedisCommand(["GET", "k"])).int
                    #expect(value == 1)
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `a cancelled blocking command closes its connection and only that`() async throws {
        try await withServer { server in
            try await withClient(server.url) { client in
                let pop = RedisCommand(["BZPOPMIN", "z", "0"])
                let info = RedisCommand(["INFO", "clients"])
                try await withThrowingTaskGroup(of: RedisError.Kind?.self) { group in
                    group.addTask {
                        await failure {
                            _ = try await client.sendBlocking(pop, blocks: .seconds(600))
                        }?.kind
                    }
                    while try await client.send(info).string?.contains("blocked_clients:1") != true
                    {}
                    group.cancelAll()
                    do {
                        let value = try await group.next()
                        #expect(value == .unknown)
                    }
                }
                while try await client.send(info).string?.contains("blocked_clients:0") != true {}
                _ = try await client.send(RedisCommand(["ZADD", "z", "1", "m"]))
                let popped = try await client.sendBlocking(pop, blocks: .seconds(30))
                #expect(popped.elements?[1].string == "m")
                let empty = try await client.sendBlocking(
                    RedisCommand(["BZPOPMIN", "z", "0.01"]), blocks: .milliseconds(10))
                #expect(empty.isNull)
            }
        }
    }

    @Test func `in a storm of cancellations and timeouts each reply finds its own`() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        let tally = Tally()
        try await withServer { server in
            try await withClient(server.url) { client in
                let own = try await client.dedicated()
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<1000 {
                        group.addTask {
                            var random = Seeded(seed &+ UInt64(number))
                            await withTaskGroup(of: Void.self) { inner in
                                let timeout: Duration =
                                    random.next() % 3 == 0
                                    ? .microseconds(Int(random.next() % 3000)) : .seconds(10)
                                let yields = Int(random.next() % 200)
                                let cancels = random.next() % 3 == 0
                                inner.addTask {
                                    for round in 0..<10 {
                                        let nonce = "\(number)-\(round)"
                                        do throws(RedisError) {
                                            let answers =
                                                round % 2 == 0
                                                ? [
                                                    try await own.send(
                                                        RedisCommand(["ECHO", nonce]),
                                                        timeout: timeout)
                                                ]
                                                : try await own.send(
                                                    pipeline: [
                                                        RedisCommand(["ECHO", nonce]),
                                                        RedisCommand(["ECHO", nonce]),
                                                    ], timeout: timeout)
                                            for answer in answers where answer.string != nonce {
                                                Issue.record("\(nonce) got \(answer), seed \(seed)")
                                            }
                                            tally.right.add(1, ordering: .relaxed)
                                        } catch {
                                            if error.kind != .unknown && error.kind != .cancelled {
                                                Issue.record("\(error), seed \(seed)")
                                            }
                                        }
                                        tally.ended.add(1, ordering: .relaxed)
                                    }
                                }
                                if cancels {
                                    for _ in 0..<yields { await Task.yield() }
                                    inner.cancelAll()
                                }
                            }
                        }
                    }
                }
                #expect(tally.ended.load(ordering: .relaxed) == 10_000)
                #expect(tally.right.load(ordering: .relaxed) > 1000, "seed \(seed)")
                do {
                    let value = try await own.send(RedisCommand(["ECHO", "after"])).string
                    #expect(value == "after")
                }
            }
        }
    }
}

/// SplitMix64, so that a failing storm can be run again.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

private final class Tally: Sendable {
    let right = Atomic(0)
    let ended = Atomic(0)
}
