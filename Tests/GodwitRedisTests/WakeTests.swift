// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import RedisClient
import TestRedis
import Testing

/// Who is woken, and who hears of suspects: those who can run what waits.
@Suite(.timeLimit(.minutes(2))) struct `Wake-ups by kind` {
    private static let tag = "{godwit:q:work:0}:"

    @Test func `what is put back for want of a slot wakes those who wait for its kind`()
        async throws
    {
        try await withRedisBroker { broker, _, client in
            var urgent = NewMessage.sample(.mail)
            urgent.priority = 0
            var once = NewMessage.sample(.invoice)
            once.maxAttempts = 1
            _ = try await broker.enqueue([urgent, once], to: .work)
            let marker = Self.tag + "mk:" + hex(.invoice)
            _ = try await client.send(RedisCommand(["DEL", marker]))
            let request = ReserveRequest(10, kinds: [.mail, .invoice], freeSlots: 1)
            #expect(try await broker.reserve(request, from: .work).messages.count == 1)
            #expect(try await client.send(RedisCommand(["EXISTS", marker])).int == 1)
        }
    }

    @Test func `without any slot the marker of what stays is armed`() async throws {
        try await withRedisBroker { broker, _, client in
            var once = NewMessage.sample(.invoice)
            once.maxAttempts = 1
            _ = try await broker.enqueue([once], to: .work)
            let marker = Self.tag + "mk:" + hex(.invoice)
            _ = try await client.send(RedisCommand(["DEL", marker]))
            let request = ReserveRequest(10, kinds: [.mail, .invoice], freeSlots: 0)
            #expect(try await broker.reserve(request, from: .work).messages.isEmpty)
            #expect(try await client.send(RedisCommand(["EXISTS", marker])).int == 1)
        }
    }

    @Test func `a worker hears only of suspects of its own kinds`() async throws {
        try await withRedisBroker { broker, _, _ in
            _ = try await broker.enqueue([.sample(.invoice)], to: .work)
            for _ in 0..<2 {
                let request = ReserveRequest(1, lease: .milliseconds(1), kinds: [.invoice])
                #expect(try await broker.reserve(request, from: .work).messages.count == 1)
                try await eventually {
                    struct NotYet: Error {}
                    if try await broker.reclaim(64, in: .work).ready != 1 { throw NotYet() }
                }
            }
            for (kinds, count) in [
                ([.mail], 0), ([.invoice], 1), ([.mail, .invoice], 1), (nil, 1),
            ] as [([Kind]?, Int)] {
                let request = ReserveRequest(1, kinds: kinds)
                let found = try await broker.reserve(request, from: .work)
                #expect(found.messages.isEmpty)
                #expect(found.suspectsWaiting == count)
            }
            let alone = ReserveRequest(1, kinds: [.invoice], takesSuspects: true)
            let found = try await broker.reserve(alone, from: .work)
            #expect(found.messages.count == 1 && found.suspectsWaiting == 0)
        }
    }

    @Test func `a forward whose body was lost is a dead letter with that reason`() async throws {
        try await withRedisBroker { broker, _, client in
            _ = try await broker.enqueue([.sample(), .sample()], to: .work)
            let found = try await broker.reserve(ReserveRequest(2, kinds: [.mail]), from: .work)
            let lost = try #require(found.messages.first).token
            var delete = RedisCommand("HDEL")
            delete.append(Self.tag + "p")
            delete.append(lost.id.bytes)
            _ = try await client.send(delete)
            let outcomes = try await broker.settle(
                found.messages.map { Settlement($0.token, .forward(to: .other)) }, in: .work)
            #expect(outcomes == [.done, .done])
            let record = try #require(try await broker.inspector.message(lost.id, in: .work))
            #expect(record.state == .dead && record.reason == "payload lost")
            #expect(try await broker.inspector.counts(of: .other).ready == 1)
            #expect(try await broker.inspector.counts(of: .work).forwarded == 1)
        }
    }

    private func hex(_ kind: Kind) -> String {
        let digits = String(kind.hash, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
