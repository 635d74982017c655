// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import RedisClient
import TestRedis
import Testing

/// A worker takes only what it can run (I11), and names do not meet.
@Suite(.timeLimit(.minutes(2))) struct `Kinds and names` {
    @Test func `a worker that knows one kind leaves the other to others`() async throws {
        try await withRedisBroker { broker, _, _ in
            _ = try await broker.enqueue([.sample(.mail), .sample(.invoice)], to: .work)
            let mail = try await broker.reserve(ReserveRequest(10, kinds: [.mail]), from: .work)
            #expect(mail.messages.map(\.token.entry.kindHash) == [Kind.mail.hash])
            let counts = try await broker.inspector.counts(of: .work)
            #expect(counts.ready == 1 && counts.leased == 1)
            let rest = try await broker.reserve(ReserveRequest(10, kinds: [.invoice]), from: .work)
            #expect(rest.messages.map(\.token.entry.kindHash) == [Kind.invoice.hash])
        }
    }

    @Test func `kinds that another process brings are found by one who takes any`() async throws {
        try await withRedisBroker { broker, server, _ in
            let other = try await RedisBroker(server.url)
            #expect(try await broker.reserve(ReserveRequest(1), from: .work).messages.isEmpty)
            _ = try await other.enqueue([.sample(.mail)], to: .work)
            #expect(try await broker.reserve(ReserveRequest(1), from: .work).messages.count == 1)
            _ = try await other.enqueue([.sample(.invoice)], to: .work)
            #expect(try await broker.reserve(ReserveRequest(1), from: .work).messages.count == 1)
            await other.shutdown()
        }
    }

    // Both have the CRC-32 0x4DDB0C25.
    @Test func `two names with one hash are refused in one queue`() async throws {
        let plumless: Kind = "plumless"
        let buckeroo: Kind = "buckeroo"
        #expect(plumless.hash == buckeroo.hash)
        try await withRedisBroker { broker, server, _ in
            _ = try await broker.enqueue([.sample(plumless)], to: .work)
            let other = try await RedisBroker(server.url)
            for one in [broker, other] {
                let error = await brokerError {
                    _ = try await one.enqueue([.sample(buckeroo)], to: .work)
                }
                guard case .invalid(let problem) = error else {
                    Issue.record("not refused: \(String(describing: error))")
                    continue
                }
                #expect(problem.cause.contains("plumless"))
                let asked = await brokerError {
                    _ = try await one.reserve(ReserveRequest(1, kinds: [buckeroo]), from: .work)
                }
                #expect(asked != nil, "a worker of the other name takes what is not its own")
            }
            #expect(try await broker.enqueue([.sample(buckeroo)], to: .other) == [.enqueued])
            await other.shutdown()
        }
    }

    @Test func `two namespaces know nothing of each other`() async throws {
        try await withServer { server in
            let shop = try await RedisBroker("\(server.url)?ns=shop")
            let press = try await RedisBroker("\(server.url)?ns=press")
            _ = try await shop.enqueue([.sample()], to: .work)
            #expect(try await press.reserve(ReserveRequest(1), from: .work).messages.isEmpty)
            #expect(try await press.inspector.queues() == [])
            #expect(try await shop.inspector.queues() == [.work])
            #expect(try await shop.reserve(ReserveRequest(1), from: .work).messages.count == 1)
            await shop.shutdown()
            await press.shutdown()
        }
    }
}
