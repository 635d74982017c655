// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// A message that lost two leases runs alone; a third one ends it.
@Suite("Reserve: suspects", .timeLimit(.minutes(2))) struct SuspectTests {
    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `a suspect is handed out only to one who asks, and alone`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1, 2)
            try await broker.lose(2, times: 2, on: clock)
            try await broker.enqueue(3, 4)
            #expect(try await broker.counts().suspects == 2)

            let busy = try await broker.reserve(ReserveRequest(5), from: .work)
            #expect(busy.messages.numbers == [3, 4])
            #expect(busy.suspectsWaiting == 2)

            let idle = try await broker.reserve(
                ReserveRequest(5, takesSuspects: true), from: .work)
            #expect(idle.messages.numbers == [1])
            #expect(idle.suspectsWaiting == 1)
            #expect(try await broker.counts().suspects == 1)
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `a suspect goes before others when it may go`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            try await broker.lose(times: 2, on: clock)
            try await broker.enqueue(2)
            #expect(try await broker.reserve(2, suspects: true).numbers == [1])
            #expect(try await broker.reserve(2, suspects: true).numbers == [2])
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `one lost lease makes no suspect`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            try await broker.lose(on: clock)
            #expect(try await broker.counts().suspects == 0)
            #expect(try await broker.reserveOne().token.entry.lost == 1)
        }
    }

    @Test(
        .tags(.i6), arguments: BrokerKind.allCases,
        [Verdict.release, .retry(after: .seconds(1), reason: "later")])
    func `a suspect stays one however it becomes ready again`(
        _ kind: BrokerKind, verdict: Verdict
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            try await broker.lose(times: 2, on: clock)
            try await broker.settle(broker.reserveOne(suspects: true), verdict)
            clock.advance(by: .seconds(2))
            #expect(try await broker.reserveAll().isEmpty)
            #expect(try await broker.counts().suspects == 1)
            #expect(try await broker.reserveOne(suspects: true).token.entry.lost == 2)
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `a suspect of an unknown kind is left alone too`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.message(1, kind: .invoice))
            try await broker.lose(times: 2, on: clock)
            #expect(try await broker.reserve(1, kinds: [.mail], suspects: true).isEmpty)
            #expect(try await broker.reserve(1, kinds: [.invoice], suspects: true).numbers == [1])
        }
    }

    @Test(.tags(.i5, .i6), arguments: BrokerKind.allCases)
    func `the third lost lease ends a message as crash-loop, not the second`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            for lost in 1...3 {
                _ = try await broker.reserveOne(suspects: true)
                clock.advance(by: .seconds(31))
                let reclaimed = try await broker.reclaim(64, in: .work)
                let dies = lost == 3
                #expect(reclaimed == Reclaimed(ready: dies ? 0 : 1, dead: dies ? 1 : 0))
                let record = try await broker.record(1)
                #expect(record.state == (dies ? .dead : .ready))
                #expect(record.entry.lost == UInt8(lost))
                #expect(record.entry.attempt == 0)
                #expect(record.entry.epoch == UInt32(lost))
                #expect(record.attempts.count == lost)
            }
            let record = try await broker.record(1)
            #expect(record.reason == "crash-loop")
            #expect(record.attempts.map(\.verdict) == ["reclaim", "reclaim", "crashLoop"])
            #expect(record.body == Sample.body(1))
            #expect(record.finishedAt == clock.now())
            let counts = try await broker.counts()
            #expect(counts.dead == 1 && counts.suspects == 0 && counts.lost == 3)
        }
    }

    @Test(.tags(.i6), arguments: BrokerKind.allCases)
    func `a reported failure is no lost lease`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(1)
            for attempt in 0..<5 {
                let taken = try await broker.reserveOne()
                #expect(taken.token.entry.attempt == UInt8(attempt))
                #expect(taken.token.entry.lost == 0)
                try await broker.settle(taken, .retry(after: .zero))
            }
            #expect(try await broker.counts().suspects == 0)
        }
    }

    @Test(.tags(.i1, .i6), arguments: BrokerKind.allCases)
    func `a poison message among 16 neighbours dies alone`(_ kind: BrokerKind) async throws {
        let poison = 9
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.messages(1...17))
            var deaths = 0
            // A worker takes all it may; the poison kills it before it has settled anything.
            while try await broker.counts().isDrained == false {
                var taken = try await broker.reserve(17)
                if taken.isEmpty { taken = try await broker.reserve(17, suspects: true) }
                if taken.numbers.contains(poison) {
                    deaths += 1
                    clock.advance(by: .seconds(31))
                    try await broker.reclaim(64, in: .work)
                    if deaths == 1 {
                        for number in 1...17 {
                            let entry = try await broker.record(number).entry
                            #expect(entry.attempt == 0 && entry.lost == 1)
                        }
                    }
                } else {
                    #expect(taken.count == 1, "after two deaths every one runs alone")
                    try await broker.settle(taken, .ack)
                }
                #expect(deaths <= 3)
                if deaths > 3 { break }
            }
            #expect(deaths == 3)
            #expect(try await broker.numbers(.dead) == [poison])
            #expect(try await broker.record(poison).reason == "crash-loop")
            for number in 1...17 where number != poison {
                let record = try await broker.record(number)
                #expect(record.state == .completed)
                #expect(record.entry.attempt == 0 && record.entry.lost == 2)
            }
        }
    }
}
