// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// Many callers at the same moment.
@Suite("Races", .timeLimit(.minutes(2))) struct RaceTests {
    /// Runs `body` in `count` tasks at once and returns what they answered.
    private static func race<Answer: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (Int) async throws -> Answer
    ) async throws -> [Answer] {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            for index in 0..<count { group.addTask { try await body(index) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test(.tags(.i1, .i4, .i5), arguments: BrokerKind.allCases)
    func `racing consumers get every message once`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.messages(1...300))
            let answers = try await Self.race(8) { index in
                var mine: [Int] = []
                while true {
                    let taken = try await broker.reserve(7, worker: UInt32(index))
                    if taken.isEmpty { return mine }
                    #expect(taken.numbers == taken.numbers.sorted(), "in order for each of them")
                    try await broker.settle(taken, .ack)
                    mine += taken.numbers
                }
            }
            let all = answers.flatMap { $0 }
            #expect(all.sorted() == Array(1...300))
            #expect(try await broker.counts().completed == 300)
        }
    }

    @Test(.tags(.i1, .i4), arguments: BrokerKind.allCases)
    func `producers and consumers at the same time lose nothing`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let answers = try await Self.race(6) { index -> [Int] in
                if index < 3 {
                    for number in 0..<60 { try await broker.enqueue(index * 60 + number) }
                    return []
                }
                var mine: [Int] = []
                while try await broker.counts().completed < 180 {
                    let taken = try await broker.reserve(5)
                    try await broker.settle(taken, .ack)
                    mine += taken.numbers
                    await Task.yield()
                }
                return mine
            }
            #expect(answers.flatMap { $0 }.sorted() == Array(0..<180))
        }
    }

    @Test(.tags(.i3), arguments: BrokerKind.allCases)
    func `of two different verdicts at once one wins`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let verdicts: [Verdict] = [.ack, .reject("no"), .release, .retry(after: .seconds(60))]
            for number in 1...20 {
                try await broker.enqueue(number)
                let taken = try await broker.reserveOne()
                let outcomes = try await Self.race(4) { index in
                    try await broker.settle(taken, verdicts[index])
                }
                #expect(outcomes.count { $0 == .done } == 1)
                #expect(outcomes.count { $0 == .stale } == 3)
                _ = try await broker.operator.purge(.work, limit: 10)
            }
            let counts = try await broker.counts()
            #expect(
                counts.completed + counts.dead + counts.cancelled + counts.scheduled == 20)
        }
    }

    @Test(.tags(.i9), arguments: BrokerKind.allCases)
    func `one of many enqueues with one key wins, and the others hear who`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            let outcomes = try await Self.race(16) { index in
                (index, try await broker.enqueue(Sample.message(index, unique: "key")))
            }
            let winners = outcomes.filter { $0.1 == .enqueued }.map(\.0)
            #expect(winners.count == 1)
            let winner = Sample.id(try #require(winners.first))
            #expect(outcomes.count { $0.1 == .duplicate(of: winner) } == 15)
            #expect(try await broker.counts().enqueued == 1)
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `resends at once make one message`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            let outcomes = try await Self.race(12) { _ in
                try await broker.enqueue(Sample.message(1, isResend: true))
            }
            #expect(outcomes.count { $0 == .enqueued } == 1)
            #expect(outcomes.count { $0 == .known } == 11)
            #expect(try await broker.reserveAll().numbers == [1])
        }
    }

    @Test(.tags(.i4, .i6), arguments: BrokerKind.allCases)
    func `racing reclaims take each lease back once`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(Sample.messages(1...100))
            _ = try await broker.reserveAll()
            clock.advance(by: .seconds(31))
            let answers = try await Self.race(6) { _ in try await broker.reclaim(40, in: .work) }
            #expect(answers.map(\.ready).reduce(0, +) == 100)
            let taken = try await broker.reserveAll()
            #expect(taken.numbers.sorted() == Array(1...100))
            #expect(taken.allSatisfy { $0.token.entry.lost == 1 })
        }
    }

    @Test(.tags(.i2, .i3), arguments: BrokerKind.allCases)
    func `an ack and a reclaim at once agree on the outcome`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            for number in 1...20 {
                try await broker.enqueue(number)
                let taken = try await broker.reserveOne()
                clock.advance(by: .seconds(31))
                async let reclaimed = broker.reclaim(64, in: .work)
                let outcome = try await broker.settle(taken, .ack)
                let ready = try await reclaimed.ready
                #expect((outcome == .done) == (ready == 0))
                #expect(try await broker.state(number) == (ready == 0 ? .completed : .ready))
                _ = try await broker.operator.purge(.work, limit: 1)
            }
        }
    }

    @Test(.tags(.i2), arguments: BrokerKind.allCases)
    func `a redrive, a cancel and a second redrive at once agree`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            for number in 1...20 {
                try await broker.enqueue(number)
                try await broker.settle(broker.reserveOne(), .reject("no"))
                let id = [Sample.id(number)]
                async let cancelled = broker.operator.cancel(id, in: .work)
                let outcomes = try await Self.race(2) { _ in
                    try await broker.operator.redrive(id, in: .work)
                }
                #expect(try await cancelled == [true])
                #expect(outcomes.count { $0 == [.redriven] } <= 1)
                #expect(try await broker.state(number) == .cancelled)
            }
            #expect(try await broker.reserveAll().isEmpty)
            #expect(try await broker.inspector.check(.work, limit: 100) == [])
        }
    }

    @Test(.tags(.i1), arguments: BrokerKind.allCases)
    func `forwards in both directions at once lose nothing`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            try await broker.enqueue(Sample.messages(1...40))
            _ = try await broker.enqueue(Sample.messages(101...140), to: .other)
            let here = try await broker.reserveAll()
            let there = try await broker.reserveAll(from: .other)
            let answers = try await Self.race(2) { index in
                index == 0
                    ? try await broker.settle(here, .forward(to: .other))
                    : try await broker.settle(there, .forward(to: .work), in: .other)
            }
            #expect(answers.flatMap { $0 }.allSatisfy { $0 == .done })
            #expect(try await broker.reserveAll().numbers == Array(101...140))
            #expect(try await broker.reserveAll(from: .other).numbers == Array(1...40))
        }
    }

    @Test(arguments: BrokerKind.allCases)
    func `every waiter comes back when there is work for all`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, _ in
            async let worked = Self.race(4) { _ in
                while true {
                    let taken = try await broker.reserve(1)
                    if let one = taken.first {
                        try await broker.settle(one, .ack)
                        return one.number
                    }
                    await broker.wait(for: nil, in: .work, upTo: .seconds(3600))
                }
            }
            for number in 1...4 {
                try await broker.enqueue(number)
                await Task.yield()
            }
            #expect(try await worked.sorted() == [1, 2, 3, 4])
        }
    }
}
