// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import RedisClient
import TestRedis
import Testing

/// A server that is full, gone, restarted or forgetful: typed errors, nothing lost, and on by itself.
@Suite(.serialized, .timeLimit(.minutes(3))) struct `Trouble with the server` {
    @Test func `scripts that the server forgot are sent again`() async throws {
        try await withRedisBroker { broker, _, client in
            _ = try await broker.enqueue([.sample()], to: .work)
            for step in 0..<3 {
                _ = try await client.send(RedisCommand(["SCRIPT", "FLUSH"]))
                _ = try await broker.enqueue([.sample()], to: .work)
                _ = try await client.send(RedisCommand(["SCRIPT", "FLUSH"]))
                let leased = try await broker.reserveOne()
                _ = try await client.send(RedisCommand(["SCRIPT", "FLUSH"]))
                let request = ReserveRequest(1, kinds: [.mail])
                let both = await broker.settle(
                    [Settlement(leased.token, .ack)], thenReserve: request, from: .work)
                #expect(try both.settled.get() == [.done], "step \(step)")
                let next = try #require(try both.reserved.get().messages.first)
                _ = try await broker.settle([Settlement(next.token, .release)], in: .work)
            }
            #expect(try await broker.inspector.counts(of: .work).completed == 3)
        }
    }

    @Test func `a full server refuses producers and lets workers drain it`() async throws {
        try await withRedisBroker { broker, _, client in
            _ = try await broker.enqueue((0..<50).map { _ in .sample() }, to: .work)
            _ = try await client.send(RedisCommand(["CONFIG", "SET", "maxmemory", "1mb"]))
            let error = await brokerError { _ = try await broker.enqueue([.sample()], to: .work) }
            guard case .storageFull(let problem) = error else {
                Issue.record("not refused as full: \(String(describing: error))")
                return
            }
            #expect(problem.advice.contains("maxmemory"))
            var done = 0
            while true {
                let found = try await broker.reserve(
                    ReserveRequest(20, kinds: [.mail]), from: .work)
                if found.messages.isEmpty { break }
                let outcomes = try await broker.settle(
                    found.messages.map { Settlement($0.token, .ack) }, in: .work)
                #expect(outcomes.allSatisfy { $0 == .done })
                done += outcomes.count
            }
            #expect(done == 50)
            _ = try await client.send(RedisCommand(["CONFIG", "SET", "maxmemory", "0"]))
            #expect(try await broker.enqueue([.sample()], to: .work) == [.enqueued])
        }
    }

    @Test func `a full server lets a worker that comes anew drain it, also with a kind nobody has`()
        async throws
    {
        try await withRedisBroker { broker, server, client in
            _ = try await broker.enqueue((0..<50).map { _ in .sample() }, to: .work)
            _ = try await client.send(RedisCommand(["CONFIG", "SET", "maxmemory", "1mb"]))
            let late = try await RedisBroker(server.url)
            var done = 0
            while true {
                let found = try await late.reserve(
                    ReserveRequest(20, kinds: [.mail, .invoice]), from: .work)
                if found.messages.isEmpty { break }
                let both = await late.settle(
                    found.messages.map { Settlement($0.token, .ack) },
                    thenReserve: ReserveRequest(0, kinds: [.mail, .invoice]), from: .work)
                _ = try both.reserved.get()
                done += try both.settled.get().count { $0 == .done }
            }
            #expect(done == 50)
            _ = try await client.send(RedisCommand(["CONFIG", "SET", "maxmemory", "0"]))
            _ = try await late.reserve(ReserveRequest(1, kinds: [.mail, .invoice]), from: .work)
            let kinds = RedisCommand(["HVALS", "{godwit:q:work:0}:k"])
            let names = try await client.send(kinds).elements?.compactMap(\.string) ?? []
            #expect(Set(names) == ["mail", "invoice"], "it is made up for when there is room")
            await late.shutdown()
        }
    }

    @Test func `a replica is unavailable, and good again as soon as it is the primary`()
        async throws
    {
        try await withRedisBroker { broker, _, client in
            _ = try await broker.enqueue([.sample()], to: .work)
            let nobody = try RedisServer.freePort()
            _ = try await client.send(RedisCommand(["REPLICAOF", "127.0.0.1", "\(nobody)"]))
            let error = await brokerError { _ = try await broker.enqueue([.sample()], to: .work) }
            guard case .unavailable(let problem) = error else {
                Issue.record("not unavailable: \(String(describing: error))")
                return
            }
            #expect(problem.cause.contains("replica"))
            #expect(problem.advice.contains("primary"))
            let reserving = await brokerError { _ = try await broker.reserveOne() }
            guard case .unavailable = reserving else {
                Issue.record("not unavailable: \(String(describing: reserving))")
                return
            }
            _ = try await client.send(RedisCommand(["REPLICAOF", "NO", "ONE"]))
            let outcomes = try await eventually {
                try await broker.enqueue([.sample()], to: .work)
            }
            #expect(outcomes == [.enqueued])
            #expect(try await broker.inspector.counts(of: .work).ready == 2)
        }
    }

    @Test func `what was accepted outlives a killed server`() async throws {
        let arguments = ["--appendonly", "yes", "--appendfsync", "always"]
        try await withRedisBroker(arguments) { broker, server, _ in
            var accepted: Set<MessageID> = []
            for round in 0..<3 {
                for _ in 0..<20 {
                    var message = NewMessage.sample()
                    _ = try await eventually {
                        // What had no answer is sent again with its id (I12).
                        defer { message.isResend = true }
                        return try await broker.enqueue([message], to: .work)
                    }
                    accepted.insert(message.id)
                }
                if round < 2 { try await server.restart() }
            }
            var worked: [MessageID] = []
            while true {
                let found = try await eventually {
                    try await broker.reserve(ReserveRequest(16, kinds: [.mail]), from: .work)
                }
                if found.messages.isEmpty { break }
                worked += found.messages.map(\.token.id)
            }
            #expect(Set(worked) == accepted)
            #expect(worked.count == accepted.count, "sent again, it is one message")
        }
    }

    @Test func `a server that lost everything is used as a new one`() async throws {
        try await withRedisBroker { broker, server, _ in
            _ = try await broker.enqueue([.sample()], to: .work)
            try await server.restart()
            _ = try await eventually { try await broker.enqueue([.sample(.mail)], to: .work) }
            #expect(try await broker.inspector.queues() == [.work])
            #expect(try await broker.reserve(ReserveRequest(5), from: .work).messages.count == 1)
        }
    }

    @Test func `connections killed under load never turn into ok`() async throws {
        try await withRedisBroker { broker, _, client in
            let accepted = try await withThrowingTaskGroup(of: Set<MessageID>.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        var accepted: Set<MessageID> = []
                        for _ in 0..<200 {
                            var message = NewMessage.sample()
                            // Sent again with its id until there is an answer.
                            while true {
                                do {
                                    let outcome = try await broker.enqueue([message], to: .work)
                                    #expect(
                                        outcome == [.enqueued]
                                            || (message.isResend && outcome == [.known]))
                                    accepted.insert(message.id)
                                    break
                                } catch {
                                    message.isResend = true
                                }
                            }
                        }
                        return accepted
                    }
                }
                for _ in 0..<20 {
                    _ = try? await client.send(
                        RedisCommand(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]))
                    try await broker.time.sleep(milliseconds: 5)
                }
                return try await group.reduce(into: Set<MessageID>()) { $0.formUnion($1) }
            }
            #expect(accepted.count == 1600)
            let counts = try await eventually { try await broker.inspector.counts(of: .work) }
            #expect(counts.ready == 1600)
            #expect(counts.enqueued == 1600)
        }
    }

    @Test func `after shutdown everything is unavailable and waiters return`() async throws {
        try await withRedisBroker { broker, _, _ in
            async let waiting: Void = broker.wait(for: [.mail], in: .work, upTo: .seconds(60))
            await broker.shutdown()
            await waiting
            let error = await brokerError { _ = try await broker.enqueue([.sample()], to: .work) }
            guard case .unavailable = error else {
                Issue.record("not unavailable: \(String(describing: error))")
                return
            }
        }
    }
}

extension TimeSource {
    fileprivate func sleep(milliseconds: Int) async throws {
        try await ContinuousClock().sleep(for: .milliseconds(milliseconds))
    }
}
