// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitRedis
import RedisClient
import TestRedis
import Testing

/// A server that refuses for a while: what, where, what next; and afterwards all that was accepted is
/// there and work goes on.
@Suite(.serialized, .timeLimit(.minutes(3))) struct `Refusals of the server` {
    @Test func `a server that can't save its snapshot refuses writes until it can`() async throws {
        try await withRedisBroker { broker, server, client in
            let first = try await accept(2, by: broker)
            // A directory where the snapshot belongs: not even root can put a file in its place.
            let snapshot = server.directory.appendingPathComponent("dump.rdb")
            try FileManager.default.createDirectory(
                at: snapshot, withIntermediateDirectories: false)
            _ = try await client.send(RedisCommand(["CONFIG", "SET", "save", "3600 1000000"]))
            try await save(client, until: "err")
            let error = await brokerError { _ = try await broker.enqueue([.sample()], to: .work) }
            guard case .storageFull(let problem) = error else {
                Issue.record("not refused: \(String(describing: error))")
                return
            }
            try explains(problem, server, cause: "MISCONF", advice: "disk")
            #expect(problem.what.contains("enqueue to 'work'"))
            let reserving = await brokerError { _ = try await broker.reserveOne() }
            guard case .storageFull = reserving else {
                Issue.record("not refused: \(String(describing: reserving))")
                return
            }
            try FileManager.default.removeItem(at: snapshot)
            try await save(client, until: "ok")
            let second = try await accept(1, by: broker)
            #expect(try await drain(broker) == first.union(second))
        }
    }

    @Test func `a server that runs a long script is busy, and goes on when it has ended`()
        async throws
    {
        try await withRedisBroker { broker, server, client in
            let first = try await accept(2, by: broker)
            _ = try await client.send(RedisCommand(["CONFIG", "SET", "busy-reply-threshold", "1"]))
            let other = try RedisClient(RedisURL(server.url), logger: .quiet)
            async let endless = other.send(RedisCommand(["EVAL", "while true do end", "0"]))
            // It is busy from the moment that somebody hears so.
            try await eventually {
                do {
                    _ = try await client.send(RedisCommand(["PING"]))
                } catch let error as RedisError where error.kind == .busy {
                    return
                }
                throw NotYet()
            }
            let error = await brokerError { _ = try await broker.enqueue([.sample()], to: .work) }
            let settling = await brokerError { _ = try await broker.reserveOne() }
            _ = try await client.send(RedisCommand(["SCRIPT", "KILL"]))
            _ = try? await endless
            await other.shutdown()
            for error in [error, settling] {
                guard case .unavailable(let problem) = error else {
                    Issue.record("not unavailable: \(String(describing: error))")
                    return
                }
                try explains(problem, server, cause: "BUSY", advice: "again")
            }
            let second = try await accept(1, by: broker)
            #expect(try await drain(broker) == first.union(second))
        }
    }

    @Test func `a server that is loading is unavailable, and goes on when it has loaded`()
        async throws
    {
        try await withProxy { broker, proxy, _ in
            let first = try await accept(2, by: broker)
            proxy.set(.say("LOADING Redis is loading the dataset in memory"))
            for _ in 0..<3 {
                let error = await brokerError {
                    _ = try await broker.enqueue([.sample()], to: .work)
                }
                guard case .unavailable(let problem) = error else {
                    Issue.record("not unavailable: \(String(describing: error))")
                    return
                }
                #expect(problem.cause.contains("LOADING"))
                #expect(problem.advice.contains("starting"))
            }
            // Whoever comes new hears the same.
            let opening = await brokerError { _ = try await RedisBroker(proxy.url) }
            guard case .unavailable(let problem) = opening else {
                Issue.record("not unavailable: \(String(describing: opening))")
                return
            }
            #expect(problem.what == "open the broker")
            #expect(problem.cause.contains("LOADING"))
            proxy.set(.open)
            let second = try await eventually { try await accept(1, by: broker) }
            #expect(try await drain(broker) == first.union(second))
        }
    }

    /// Cut before the first byte, within the answer, and before its last byte.
    @Test(arguments: [0, 1, 3])
    func `an answer lost half way is unknown, and sent again it makes one message`(
        _ bytes: Int
    ) async throws {
        try await withProxy { broker, proxy, _ in
            let first = try await accept(1, by: broker)
            var message = NewMessage.sample()
            proxy.set(.cut(after: bytes))
            let error = await brokerError { _ = try await broker.enqueue([message], to: .work) }
            guard case .unknown(let problem) = error else {
                Issue.record("not unknown: \(String(describing: error))")
                return
            }
            #expect(problem.what.contains("enqueue to 'work'"))
            #expect(problem.location.contains("127.0.0.1"))
            #expect(problem.advice.contains("same ids"))
            message.isResend = true
            let again = try await eventually { [message] in
                try await broker.enqueue([message], to: .work)
            }
            #expect(again == [.known])
            let counts = try await broker.inspector.counts(of: .work)
            #expect(counts.ready == 2)
            #expect(counts.enqueued == 2)
            #expect(try await drain(broker) == first.union([message.id]))
        }
    }

    @Test func `a settle whose answer was lost is unknown, has happened, and happens once`()
        async throws
    {
        try await withProxy { broker, proxy, _ in
            _ = try await accept(1, by: broker)
            let token = try await broker.reserveOne().token
            proxy.set(.cut(after: 1))
            let error = await brokerError {
                _ = try await broker.settle([Settlement(token, .ack)], in: .work)
            }
            guard case .unknown = error else {
                Issue.record("not unknown: \(String(describing: error))")
                return
            }
            let before = try await eventually { try await broker.inspector.counts(of: .work) }
            #expect(before.completed == 1)
            _ = try await broker.settle([Settlement(token, .ack)], in: .work)
            #expect(try await broker.inspector.counts(of: .work) == before)
            #expect(try await broker.inspector.check(.work, limit: 100) == [])
        }
    }

    // MARK: Steps

    private struct NotYet: Error {}

    /// What was accepted, by id.
    private func accept(_ count: Int, by broker: RedisBroker) async throws -> Set<MessageID> {
        let messages = (0..<count).map { _ in NewMessage.sample() }
        let outcomes = try await broker.enqueue(messages, to: .work)
        #expect(outcomes.allSatisfy { $0 == .enqueued })
        return Set(messages.map(\.id))
    }

    /// Works all there is and returns what it was.
    private func drain(_ broker: RedisBroker) async throws -> Set<MessageID> {
        var worked: Set<MessageID> = []
        while true {
            let found = try await broker.reserve(ReserveRequest(16, kinds: [.mail]), from: .work)
            if found.messages.isEmpty { break }
            let outcomes = try await broker.settle(
                found.messages.map { Settlement($0.token, .ack) }, in: .work)
            #expect(outcomes.allSatisfy { $0 == .done })
            worked.formUnion(found.messages.map(\.token.id))
        }
        #expect(try await broker.inspector.check(.work, limit: 100) == [])
        return worked
    }

    private func save(_ client: RedisClient, until status: String) async throws {
        _ = try await client.send(RedisCommand(["BGSAVE"]))
        try await eventually {
            let info = try await client.send(RedisCommand(["INFO", "persistence"])).string ?? ""
            guard info.contains("rdb_bgsave_in_progress:0"),
                info.contains("rdb_last_bgsave_status:\(status)")
            else { throw NotYet() }
        }
    }

    private func explains(
        _ problem: BrokerError.Problem, _ server: RedisServer, cause: String, advice: String,
        at location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(problem.cause.contains(cause), "\(problem)", sourceLocation: location)
        #expect(problem.location.contains(server.socketPath), sourceLocation: location)
        #expect(problem.advice.contains(advice), "\(problem)", sourceLocation: location)
    }
}
