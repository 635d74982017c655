// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting
import Testing

/// leased → dead.
@Suite("Reject", .timeLimit(.minutes(2))) struct RejectTests {
    @Test(.tags(.i1, .i2, .i6), arguments: BrokerKind.allCases)
    func `a dead letter keeps its bytes, its reason and its history`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            try await broker.settle(broker.reserveOne(), .retry(after: .zero, reason: "first"))
            clock.advance(by: .seconds(1))
            let taken = try await broker.reserveOne(worker: 4)
            #expect(try await broker.settle(taken, .reject("not a PNG")) == .done)
            let record = try await broker.record(1)
            #expect(record.state == .dead)
            #expect(record.reason == "not a PNG")
            #expect(record.body == Sample.body(1))
            #expect(record.finishedAt == clock.now())
            #expect(record.entry.attempt == 2 && record.entry.lost == 0)
            #expect(record.entry.epoch == 2 && record.count == 2)
            #expect(record.attempts.map(\.reason) == ["first", "not a PNG"])
            #expect(record.attempts.map(\.verdict) == ["retry", "reject"])
            #expect(record.attempts.last?.worker == 4)
            let counts = try await broker.counts()
            #expect(counts.dead == 1 && counts.rejected == 1 && counts.isDrained)
        }
    }

    @Test(.tags(.i2), arguments: BrokerKind.allCases)
    func `a dead letter is never handed out`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            try await broker.settle(broker.reserveOne(), .reject("no"))
            clock.advance(by: .seconds(3600))
            try await broker.reclaim(64, in: .work)
            try await broker.promote(in: .work)
            #expect(try await broker.reserve(1, suspects: true).isEmpty)
            #expect(try await broker.numbers(.dead) == [1])
        }
    }

    @Test(.tags(.i12), arguments: BrokerKind.allCases)
    func `the same reject again answers done and changes nothing`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(1)
            let taken = try await broker.reserveOne()
            try await broker.settle(taken, .reject("no"))
            let before = try await broker.snapshot(1)
            clock.advance(by: .seconds(5))
            #expect(try await broker.settle(taken, .reject("no")) == .done)
            #expect(try await broker.snapshot(1) == before)
        }
    }

    @Test(.tags(.i10), arguments: BrokerKind.allCases)
    func `a reason in any script and of any length is kept within its bound`(
        _ kind: BrokerKind
    ) async throws {
        try await withBroker(kind) { broker, _ in
            let reasons = [
                "", "zażółć 🐦 \u{0} \n ' \" ;", String(repeating: "ä", count: 5000),
            ]
            for (number, reason) in reasons.enumerated() {
                try await broker.enqueue(number)
                #expect(try await broker.settle(broker.reserveOne(), .reject(reason)) == .done)
                let record = try await broker.record(number)
                let kept = record.reason ?? ""
                #expect(kept.utf8.count <= BrokerLimits.reasonBytes)
                #expect(reason.hasPrefix(kept), "cut at a whole character")
                if reason.utf8.count <= 200 {
                    #expect(kept == reason)
                    #expect(record.attempts.last?.reason == reason)
                } else {
                    #expect(kept.utf8.count > BrokerLimits.reasonBytes - 4)
                    let brief = try #require(record.attempts.last?.reason)
                    #expect(brief.utf8.count <= 200 && reason.hasPrefix(brief))
                }
            }
        }
    }

    @Test(.tags(.order), arguments: BrokerKind.allCases)
    func `dead letters are listed from the oldest to the newest`(_ kind: BrokerKind) async throws {
        try await withBroker(kind) { broker, clock in
            try await broker.enqueue(3, 1, 2)
            for taken in try await broker.reserve(3) {
                try await broker.settle(taken, .reject("no"))
                clock.advance(by: .seconds(1))
            }
            #expect(try await broker.numbers(.dead) == [3, 1, 2])
        }
    }
}
