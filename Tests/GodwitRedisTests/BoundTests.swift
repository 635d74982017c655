// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import RedisClient
import TestRedis
import Testing

/// What fills has a bound, and keeps its order at it (I10).
@Suite(.serialized, .timeLimit(.minutes(3))) struct `Bounds of a queue` {
    private static let tag = "{godwit:q:work:0}:"

    @Test func `the stream of events keeps to its cap however fast it grows`() async throws {
        try await withRedisBroker { broker, server, client in
            // One call for each result, so that each is an entry of its own.
            let single = try await RedisBroker(server.url, limits: BrokerLimits(batch: 1))
            let cap = 64 << 10
            _ = try await client.send(
                RedisCommand(["HSET", Self.tag + "cfg", "evbytes", "\(cap)"]))
            try await work(3000, broker, single)
            try await broker.prune(64, in: .work)
            try await work(600, broker, single)
            let stream = Self.tag + "ev"
            let length = try await client.send(RedisCommand(["XLEN", stream])).int ?? 0
            let bytes = try await client.send(RedisCommand(["MEMORY", "USAGE", stream])).int ?? 0
            #expect(length > 0)
            // The cut is by whole nodes of the stream, and the size of an entry is an average.
            #expect(bytes < 2 * cap, "\(length) entries take \(bytes) bytes")
            try await broker.prune(64, in: .work)
            let left = try await client.send(RedisCommand(["XLEN", stream])).int ?? 0
            let dropped = try await client.send(
                RedisCommand(["HGET", Self.tag + "st", "evdropped"]))
            #expect(dropped.int == 3600 - left, "all that went is counted")
            await single.shutdown()
        }
    }

    /// Enqueues, reserves and acks so many.
    private func work(_ count: Int, _ broker: RedisBroker, _ single: RedisBroker) async throws {
        var left = count
        while left > 0 {
            let some = min(left, 100)
            _ = try await broker.enqueue((0..<some).map { _ in .sample() }, to: .work)
            let found = try await broker.reserve(ReserveRequest(some, kinds: [.mail]), from: .work)
            let acks = found.messages.map { Settlement($0.token, .ack) }
            _ = try await single.settle(acks, in: .work)
            left -= found.messages.count
        }
    }

    @Test func `a batch that does not fit as a whole is taken in its order, up to the limit`()
        async throws
    {
        try await withRedisBroker { broker, _, _ in
            var settings = QueueSettings()
            settings.maxMessages = 300
            try await broker.operator.apply(settings, to: .work)
            // Calls of 256, 256 and 20: the last one alone would fit after the first.
            let messages = (0..<532).map { _ in NewMessage.sample() }
            let outcomes = try await broker.enqueue(messages, to: .work)
            #expect(outcomes.count { $0 == .enqueued } == 300)
            #expect(outcomes.count { $0 == .full } == 232)
            let accepted = zip(messages, outcomes).filter { $0.1 == .enqueued }.map(\.0.id)
            var found: [MessageID] = []
            while found.count < accepted.count {
                let more = try await broker.reserve(
                    ReserveRequest(128, kinds: [.mail]), from: .work)
                if more.messages.isEmpty { break }
                found += more.messages.map(\.token.id)
            }
            #expect(found == messages.prefix(300).map(\.id))
            #expect(accepted == found)
        }
    }

    @Test func `a large enqueue goes in parts, and what was not sent when one fails is not there`()
        async throws
    {
        try await withProxy { broker, proxy, _ in
            _ = try await broker.enqueue([.sample()], to: .work)
            // Calls so small that the server reads all that is sent at once.
            let single = try await RedisBroker(proxy.url, limits: BrokerLimits(batch: 1))
            _ = try await single.enqueue([.sample()], to: .work)
            let messages = (0..<64).map { _ in NewMessage.sample(bytes: 8) }
            proxy.set(.cut(after: 0))
            let error = await brokerError { _ = try await single.enqueue(messages, to: .work) }
            guard case .unknown = error else {
                Issue.record("not unknown: \(String(describing: error))")
                return
            }
            let counts = try await eventually { try await broker.inspector.counts(of: .work) }
            #expect(counts.ready <= 2 + 16, "no more than one part was under way")
            await single.shutdown()
        }
    }

    @Test func `a cancel that can't tell whether a message runs says so and changes nothing`()
        async throws
    {
        try await withRedisBroker { broker, _, _ in
            var settings = QueueSettings()
            settings.tracksLeases = false
            try await broker.operator.apply(settings, to: .work)
            var leased = 0
            while leased < 4100 {
                _ = try await broker.enqueue((0..<1280).map { _ in .sample(bytes: 1) }, to: .work)
                for _ in 0..<10 {
                    let request = ReserveRequest(128, lease: .seconds(600), kinds: [.mail])
                    leased += try await broker.reserve(request, from: .work).messages.count
                }
            }
            var later = NewMessage.sample()
            later.due = .after(.seconds(600))
            let ready = NewMessage.sample()
            _ = try await broker.enqueue([later, ready], to: .work)
            let error = await brokerError {
                _ = try await broker.operator.cancel([later.id, ready.id], in: .work)
            }
            guard case .unavailable(let problem) = error else {
                Issue.record("not unavailable: \(String(describing: error))")
                return
            }
            #expect(problem.cause.contains("leases"))
            #expect(try await broker.inspector.counts(of: .work).scheduled == 1)
            #expect(try await broker.operator.cancel([later.id], in: .work) == [true])
            #expect(try await broker.inspector.counts(of: .work).scheduled == 0)
        }
    }
}
