// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRDB
import Godwit
import GodwitSQLite
import GodwitTesting
import Testing

/// Each fault is planted in the file behind the broker's back.
@Suite(.timeLimit(.minutes(2))) struct `Faults and repairs in a file` {
    struct Planted: Sendable, CustomTestStringConvertible {
        var kind: Fault.Kind
        var sql: String
        var isRefused = false
        var testDescription: String { kind.rawValue }
    }

    static let faults = [
        Planted(kind: .counter, sql: "UPDATE queue SET ready = ready + 5, suspects = 2"),
        Planted(
            kind: .uniqueKeyWithoutOwner,
            sql: "INSERT INTO unique_key VALUES (1, x'6f6c64', 17, 18)"),
        Planted(
            kind: .ownerWithoutUniqueKey, sql: "DELETE FROM unique_key"),
        Planted(
            kind: .leftover,
            sql: "INSERT INTO aside (id_high, id_low, queue, checkpoint) VALUES (1, 2, 1, x'00')"),
        Planted(
            kind: .secondIndex,
            sql: "UPDATE message SET lane = lane + 1 WHERE state = 0"),
        Planted(
            kind: .leaseWithoutDeadline,
            sql: "UPDATE message SET at = 9000000000000000000 WHERE state = 1"),
        Planted(
            kind: .bodyMissing, sql: "UPDATE message SET body = NULL WHERE state = 2",
            isRefused: true),
    ]

    /// One message in each state, one with a unique key.
    private func fill(_ broker: SQLiteBroker, _ clock: VirtualClock) async throws {
        try await broker.enqueue(1)
        _ = try await broker.reserve(ReserveRequest(1), from: .work)
        let dead = try await broker.enqueue(1)
        let taken = try await broker.reserve(ReserveRequest(1), from: .work)
        #expect(taken.messages.map(\.token.id) == dead)
        _ = try await broker.settle(
            taken.messages.map { Settlement($0.token, .reject("no")) }, in: .work)
        let id = MessageID(at: clock.now())
        let later = MessageID(at: clock.now())
        _ = try await broker.enqueue(
            [
                NewMessage(id: id, kind: .mail, uniqueKey: "one", body: [1]),
                NewMessage(id: later, kind: .mail, due: .after(.seconds(3600)), body: [1]),
            ], to: .work)
    }

    private func dump(_ database: DatabaseQueue) throws -> [String] {
        try database.read { db in
            try ["queue", "message", "aside", "unique_key", "body", "event"].flatMap { table in
                try Row.fetchAll(db, sql: "SELECT * FROM \(table)").map { "\(table) \($0)" }
            }
        }
    }

    @Test(arguments: faults)
    func `a planted fault is found, left alone by a dry run, and mended`(
        _ planted: Planted
    ) async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            try await fill(broker, scene.clock)
            #expect(try await broker.faults(in: .work, limit: 1000) == [])
            let database = try DatabaseQueue(path: broker.path)
            try await database.write { try $0.execute(sql: planted.sql) }
            let found = try await broker.faults(in: .work, limit: 1000)
            #expect(!found.isEmpty && found.allSatisfy { $0.kind == planted.kind }, "\(found)")
            let before = try dump(database)
            for fault in found {
                let outcome = try await broker.repair(fault, isDryRun: true)
                #expect(outcome != .gone)
            }
            #expect(try dump(database) == before)
            for fault in found {
                switch try await broker.repair(fault, isDryRun: false) {
                case .mended(let text): #expect(!planted.isRefused && !text.isEmpty)
                case .refused: #expect(planted.isRefused)
                // One count mends all counters.
                case .gone: #expect(planted.kind == .counter)
                }
            }
            if planted.isRefused {
                #expect(try dump(database) == before)
            } else {
                #expect(try await broker.faults(in: .work, limit: 1000) == [])
                #expect(try await broker.inspector.check(.work, limit: 1000) == [])
                for fault in found {
                    #expect(try await broker.repair(fault, isDryRun: false) == .gone)
                }
            }
            await broker.shutdown()
        }
    }

    @Test func `leases that ran out are taken back, and nothing of theirs is lost`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            let ids = try await broker.enqueue(70)
            _ = try await broker.reserve(ReserveRequest(70), from: .work)
            scene.clock.advance(by: .seconds(120))
            let found = try await broker.faults(in: .work, limit: 1000)
            #expect(found.map(\.kind) == [.expiredLease])
            let fault = try #require(found.first)
            #expect(try await broker.repair(fault, isDryRun: true) != .gone)
            #expect(try await broker.inspector.counts(of: .work).leased == 70)
            #expect(try await broker.repair(fault, isDryRun: false) != .gone)
            let page = try await broker.inspector.messages(
                .ready, in: .work, after: nil, limit: 100)
            #expect(Set(page.messages.map(\.id)) == Set(ids))
            #expect(try await broker.repair(fault, isDryRun: false) == .gone)
            await broker.shutdown()
        }
    }

    @Test func `a key that another live message holds is not taken from it`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            let first = MessageID(at: scene.clock.now())
            _ = try await broker.enqueue(
                [NewMessage(id: first, kind: .mail, uniqueKey: "one", body: [1])], to: .work)
            let database = try DatabaseQueue(path: broker.path)
            try await database.write { try $0.execute(sql: "DELETE FROM unique_key") }
            let found = try #require(try await broker.faults(in: .work, limit: 10).first)
            let second = MessageID(at: scene.clock.now())
            _ = try await broker.enqueue(
                [NewMessage(id: second, kind: .mail, uniqueKey: "one", body: [1])], to: .work)
            guard case .refused = try await broker.repair(found, isDryRun: false) else {
                Issue.record("the key was taken from its owner")
                return
            }
            await broker.shutdown()
        }
    }

    @Test func `a queue under load has no faults and no repair touches it`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            try await broker.enqueue(50)
            let worker = Task {
                var random = SystemRandomNumberGenerator()
                for step in 0..<150 {
                    _ = try await broker.enqueue(
                        [
                            NewMessage(
                                id: MessageID(at: scene.clock.now()), kind: .mail,
                                uniqueKey: "k\(step % 7)", body: [1])
                        ], to: .work)
                    let taken = try await broker.reserve(ReserveRequest(5), from: .work).messages
                    _ = try await broker.settle(
                        taken.map { message in
                            Settlement(
                                message.token,
                                Bool.random(using: &random)
                                    ? .ack : .retry(after: .zero, reason: "again"))
                        }, in: .work)
                }
            }
            for _ in 0..<30 {
                let faults = try await broker.faults(in: .work, limit: 10_000)
                #expect(faults == [])
                let page = try await broker.inspector.messages(
                    .ready, in: .work, after: nil, limit: 20)
                for message in page.messages {
                    for kind in [
                        Fault.Kind.counter, .uniqueKeyWithoutOwner, .ownerWithoutUniqueKey,
                        .leftover, .secondIndex, .leaseWithoutDeadline,
                    ] {
                        let outcome = try await broker.repair(
                            Fault(kind, in: .work, message: message.id, place: "6b31", ""),
                            isDryRun: false)
                        #expect(outcome == .gone, "\(kind)")
                    }
                }
            }
            try await worker.value
            #expect(try await broker.inspector.check(.work, limit: 10_000) == [])
            await broker.shutdown()
        }
    }
}
