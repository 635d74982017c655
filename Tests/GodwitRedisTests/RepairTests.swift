// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import GodwitTesting
import RedisClient
import TestRedis
import Testing

/// Each fault is planted in the server behind the broker's back.
@Suite(.timeLimit(.minutes(3))) struct `Faults and repairs on a server` {
    /// Where the queue `work` keeps its keys.
    private static let tag = "{godwit:q:work:0}:"
    private static let list = tag + "w:\(Priority.normal.band):" + hash
    private static let hash = String(
        String(UInt64(Kind.mail.hash) + (1 << 32), radix: 16).dropFirst())

    struct Planted: Sendable, CustomTestStringConvertible {
        var kind: Fault.Kind
        var name: String
        var isRefused = false
        var plant: @Sendable (Ground) async throws -> Void
        var testDescription: String { name }
    }

    /// A queue with one message in each state.
    struct Ground: Sendable {
        var client: RedisClient
        var ready: LeaseTokenOrEntry
        var plain: MessageID
        var leased: LeaseToken
        var scheduled: MessageID
        var dead: MessageID

        typealias LeaseTokenOrEntry = Entry

        func send(_ words: String..., bytes: [UInt8]..., last: [String] = []) async throws {
            var command = RedisCommand(words)
            for part in bytes { command.append(part) }
            for part in last { command.append(part) }
            let reply = try await client.send(command)
            if case .error(let text) = reply { Issue.record("\(words): \(text)") }
        }
    }

    static let faults = [
        Planted(kind: .recordWithoutIndex, name: "a ready message with a record is in no list") {
            try await $0.send("LREM", list, "1", bytes: $0.ready.bytes)
        },
        Planted(kind: .recordWithoutIndex, name: "no list at all") {
            try await $0.send("DEL", list)
        },
        Planted(kind: .recordWithoutIndex, name: "a lease without its place") {
            try await $0.send("ZREM", tag + "le", bytes: $0.leased.withUnsafeBytes { Array($0) })
        },
        Planted(kind: .recordWithoutIndex, name: "a schedule that is gone") {
            try await $0.send("DEL", tag + "d")
        },
        Planted(kind: .recordWithoutIndex, name: "a dead letter without its place") {
            try await $0.send("DEL", tag + "x")
        },
        Planted(kind: .indexWithoutRecord, name: "an entry of nothing in the list") {
            var entry = $0.ready
            entry.id = MessageID(high: 1, low: 2)
            try await $0.send("RPUSH", list, bytes: entry.bytes)
        },
        Planted(kind: .indexWithoutRecord, name: "an entry of nothing in the schedule") {
            var entry = $0.ready
            entry.id = MessageID(high: 1, low: 2)
            try await $0.send("ZADD", tag + "d", "99999999999999", bytes: entry.bytes)
        },
        Planted(kind: .secondIndex, name: "twice in one list") {
            try await $0.send("RPUSH", list, bytes: $0.ready.bytes)
        },
        Planted(kind: .secondIndex, name: "leased and ready") {
            try await $0.send("RPUSH", list, bytes: $0.leased.entry.bytes)
        },
        Planted(kind: .secondIndex, name: "ready and dead") {
            try await $0.send("ZADD", tag + "x", "1", bytes: $0.ready.bytes)
        },
        Planted(kind: .leaseWithoutDeadline, name: "a lease without end") {
            try await $0.send(
                "ZADD", tag + "le", "99999999999999", bytes: $0.leased.withUnsafeBytes { Array($0) }
            )
        },
        Planted(kind: .uniqueKeyWithoutOwner, name: "a key of nobody") {
            try await $0.send(
                "HSET", tag + "u", "old", bytes: MessageID(high: 1, low: 2).bytes)
        },
        Planted(kind: .uniqueKeyWithoutOwner, name: "a key of a dead letter") {
            try await $0.send("HSET", tag + "u", "old", bytes: $0.dead.bytes)
        },
        Planted(kind: .ownerWithoutUniqueKey, name: "a live message without its key") {
            try await $0.send("HDEL", tag + "u", "one")
        },
        Planted(kind: .leftover, name: "progress of nothing") {
            try await $0.send("HSET", tag + "pr", bytes: MessageID(high: 1, low: 2).bytes, [7])
        },
        Planted(kind: .counter, name: "suspects that are none") {
            try await $0.send("HSET", tag + "cfg", "sus", "3")
        },
        Planted(kind: .counter, name: "tombstones that are none") {
            try await $0.send("HSET", tag + "st", "ghosts", "1")
        },
        Planted(kind: .registry, name: "a registry that disagrees") {
            try await $0.send("HSET", "godwit:godwit:queues", "work", "q:9")
        },
    ]

    private func fill(_ broker: RedisBroker, _ client: RedisClient) async throws -> Ground {
        // Leased.
        _ = try await broker.enqueue([.sample()], to: .work)
        let leased = try await broker.reserveOne().token
        // Dead.
        _ = try await broker.enqueue([.sample()], to: .work)
        let dead = try await broker.reserveOne().token
        _ = try await broker.settle([Settlement(dead, .reject("no"))], in: .work)
        // Ready with a record, ready without one, scheduled, and one with a unique key.
        _ = try await broker.enqueue([.sample()], to: .work)
        let back = try await broker.reserveOne().token
        _ = try await broker.settle([Settlement(back, .release)], in: .work)
        let plain = NewMessage.sample()
        var scheduled = NewMessage.sample()
        scheduled.due = .after(.seconds(3600))
        var unique = NewMessage.sample()
        unique.uniqueKey = "one"
        _ = try await broker.enqueue([plain], to: .work)
        _ = try await broker.enqueue([scheduled, unique], to: .work)
        let record = try #require(try await broker.inspector.message(back.id, in: .work))
        return Ground(
            client: client, ready: record.entry, plain: plain.id, leased: leased,
            scheduled: scheduled.id, dead: dead.id)
    }

    /// Every key as the server would move it to another.
    private func dump(_ client: RedisClient) async throws -> [String: RESPValue] {
        var dump: [String: RESPValue] = [:]
        for key in try await client.send(RedisCommand(["KEYS", "*"])).elements ?? [] {
            guard let name = key.string else { continue }
            dump[name] = try await client.send(RedisCommand(["DUMP", name]))
        }
        return dump
    }

    @Test(arguments: faults)
    func `a planted fault is found, left alone by a dry run, and mended`(
        _ planted: Planted
    ) async throws {
        try await withRedisBroker { broker, _, client in
            let ground = try await fill(broker, client)
            #expect(try await broker.faults(in: .work, limit: 1000) == [])
            let counts = try await broker.inspector.counts(of: .work)
            try await planted.plant(ground)
            let found = try await broker.faults(in: .work, limit: 1000)
            #expect(!found.isEmpty && found.allSatisfy { $0.kind == planted.kind }, "\(found)")
            let before = try await dump(client)
            for fault in found { #expect(try await broker.repair(fault, isDryRun: true) != .gone) }
            #expect(try await dump(client) == before)
            for fault in found {
                guard case .mended = try await broker.repair(fault, isDryRun: false) else {
                    Issue.record("\(fault) was not mended")
                    continue
                }
            }
            #expect(try await broker.faults(in: .work, limit: 1000) == [])
            #expect(try await broker.inspector.check(.work, limit: 1000) == [])
            for fault in found {
                #expect(try await broker.repair(fault, isDryRun: false) == .gone, "\(fault)")
            }
            // Nothing is lost: what was there before is there again, in its state.
            #expect(try await broker.inspector.counts(of: .work) == counts)
            for id in [ground.ready.id, ground.plain] {
                #expect(try await broker.inspector.message(id, in: .work)?.state == .ready)
            }
            #expect(try await broker.inspector.message(ground.dead, in: .work)?.state == .dead)
            #expect(
                try await broker.settle([Settlement(ground.leased, .ack)], in: .work) == [.done])
        }
    }

    @Test func `a message without a body is not dropped`() async throws {
        try await withRedisBroker { broker, _, client in
            let ground = try await fill(broker, client)
            try await ground.send("HDEL", Self.tag + "p", bytes: ground.ready.id.bytes)
            let found = try #require(try await broker.faults(in: .work, limit: 1000).first)
            let before = try await dump(client)
            guard case .refused = try await broker.repair(found, isDryRun: false) else {
                Issue.record("what is left of the message was dropped")
                return
            }
            #expect(try await dump(client) == before)
        }
    }

    @Test func `a message of a kind that is not registered is put into no list`() async throws {
        try await withRedisBroker { broker, _, client in
            let ground = try await fill(broker, client)
            try await ground.send("DEL", Self.list)
            try await ground.send("HDEL", Self.tag + "k", Self.hash)
            let found = try await broker.faults(in: .work, limit: 1000)
                .filter { $0.kind == .recordWithoutIndex }
            #expect(!found.isEmpty)
            let before = try await dump(client)
            for fault in found {
                guard case .refused(let why) = try await broker.repair(fault, isDryRun: false)
                else {
                    Issue.record("\(fault) was put where no worker looks")
                    continue
                }
                #expect(why.contains("kind"))
            }
            #expect(try await dump(client) == before)
        }
    }

    @Test func `a long queue is read in pages, and only what is lost is lost`() async throws {
        try await withRedisBroker { broker, _, client in
            let ground = try await fill(broker, client)
            for _ in 0..<25 {
                _ = try await broker.enqueue((0..<100).map { _ in .sample() }, to: .work)
            }
            #expect(try await broker.faults(in: .work, limit: 100_000) == [])
            // A look that ends before the last place says nothing of messages without one.
            try await ground.send("LREM", Self.list, "1", bytes: ground.ready.bytes)
            #expect(try await broker.faults(in: .work, limit: 1500) == [])
            let found = try await broker.faults(in: .work, limit: 100_000)
            #expect(found.map(\.message) == [ground.ready.id])
        }
    }

    @Test func `of very many faults a part is confirmed at a time, and none is left in the end`()
        async throws
    {
        try await withRedisBroker { broker, _, client in
            let ground = try await fill(broker, client)
            for _ in 0..<12 {
                _ = try await broker.enqueue((0..<100).map { _ in .sample() }, to: .work)
            }
            let ready = try await broker.inspector.counts(of: .work).ready
            try await ground.send("DEL", Self.list)
            let first = try await broker.faults(in: .work, limit: 100_000)
            #expect(first.count == 1000)
            for fault in first { _ = try await broker.repair(fault, isDryRun: false) }
            let second = try await broker.faults(in: .work, limit: 100_000)
            #expect(second.count == ready - 1000)
            for fault in second { _ = try await broker.repair(fault, isDryRun: false) }
            #expect(try await broker.faults(in: .work, limit: 100_000) == [])
            #expect(try await broker.inspector.counts(of: .work).ready == ready)
        }
    }

    @Test func `leases that ran out are taken back`() async throws {
        let clock = VirtualClock()
        let broker = try await RedisBroker(SharedRedis.freshURL(), time: clock)
        let messages = (0..<70).map { _ in
            NewMessage(id: MessageID(at: clock.now()), kind: .mail, body: [1])
        }
        _ = try await broker.enqueue(messages, to: .work)
        _ = try await broker.reserve(ReserveRequest(70), from: .work)
        clock.advance(by: .seconds(120))
        let found = try await broker.faults(in: .work, limit: 1000)
        #expect(found.map(\.kind) == [.expiredLease])
        let fault = try #require(found.first)
        #expect(try await broker.repair(fault, isDryRun: true) != .gone)
        #expect(try await broker.inspector.counts(of: .work).leased == 70)
        #expect(try await broker.repair(fault, isDryRun: false) != .gone)
        #expect(try await broker.inspector.counts(of: .work).ready == 70)
        #expect(try await broker.repair(fault, isDryRun: false) == .gone)
        await broker.shutdown()
    }

    @Test func `a queue under load has no faults and no repair touches it`() async throws {
        try await withRedisBroker { broker, _, client in
            _ = try await fill(broker, client)
            let worker = Task {
                var random = SystemRandomNumberGenerator()
                for step in 0..<400 {
                    var unique = NewMessage.sample()
                    unique.uniqueKey = "k\(step % 7)"
                    var later = NewMessage.sample()
                    later.due = .after(.milliseconds(20))
                    _ = try await broker.enqueue([.sample(), .sample()], to: .work)
                    _ = try await broker.enqueue([unique, later], to: .work)
                    let taken = try await broker.reserve(
                        ReserveRequest(6, kinds: [.mail]), from: .work
                    ).messages
                    _ = try await broker.settle(
                        taken.map { message in
                            let verdict: Verdict =
                                switch Int.random(in: 0..<5, using: &random) {
                                case 0: .retry(after: .zero, reason: "again")
                                case 1: .release
                                case 2: .reject("no")
                                default: .ack
                                }
                            return Settlement(message.token, verdict)
                        }, in: .work)
                    if step % 5 == 0 {
                        let page = try await broker.inspector.messages(
                            .ready, in: .work, after: nil, limit: 2)
                        _ = try await broker.operator.cancel(page.messages.map(\.id), in: .work)
                    }
                }
            }
            for _ in 0..<15 {
                let faults = try await broker.faults(in: .work, limit: 10_000)
                #expect(faults == [])
                // As if a scan had been misled: every place and every message is put to the repair.
                for (name, verb) in [
                    ("le", "ZRANGE"), ("d", "ZRANGE"), ("x", "ZRANGE"),
                    (String(Self.list.dropFirst(Self.tag.count)), "LRANGE"),
                ] {
                    let members = try await client.send(
                        RedisCommand([verb, Self.tag + name, "0", "20"]))
                    for member in members.elements?.compactMap(\.bytes) ?? [] {
                        for place in [
                            "stray \(Hex.string(member)) \(name)",
                            "home \(Hex.string(member.prefix(16))) ",
                        ] {
                            let outcome = try await broker.repair(
                                Fault(.secondIndex, in: .work, place: place, ""), isDryRun: false)
                            #expect(outcome == .gone, "\(place)")
                        }
                    }
                }
            }
            try await worker.value
            #expect(try await broker.faults(in: .work, limit: 10_000) == [])
            #expect(try await broker.inspector.check(.work, limit: 10_000) == [])
        }
    }
}
