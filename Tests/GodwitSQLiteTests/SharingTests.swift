// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitSQLite
import GodwitTesting
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// Several brokers on one file, as several processes have them, and many callers of one.
@Suite("SQLite: sharing", .timeLimit(.minutes(2))) struct SharingTests {
    @Test func `two brokers never hand out one message twice`() async throws {
        try await withScene { scene in
            let (one, two) = (try await scene.open(), try await scene.open())
            let ids = try await one.enqueue(1000)
            let taken = try await withThrowingTaskGroup(of: [MessageID].self) { group in
                for broker in [one, two, one, two] {
                    group.addTask {
                        var mine: [MessageID] = []
                        while true {
                            let some = try await broker.reserve(ReserveRequest(7), from: .work)
                            if some.messages.isEmpty { return mine }
                            mine += some.messages.map(\.token.id)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(taken.count == 1000)
            #expect(Set(taken) == Set(ids))
            #expect(try await two.inspector.counts(of: .work).leased == 1000)
            await one.shutdown()
            await two.shutdown()
        }
    }

    @Test func `a message of another broker ends a wait`() async throws {
        try await withScene { scene in
            let (one, two) = (try await scene.open(), try await scene.open())
            let clock = ContinuousClock()
            let start = clock.now
            async let woken: Void = two.wait(for: [.mail], in: .work, upTo: .seconds(3600))
            while !two.isWatching, !Task.isCancelled { await Task.yield() }
            try await one.enqueue(1)
            await woken
            // 250 ms on a machine at rest; the virtual hour would never pass.
            #expect(clock.now - start < .seconds(300))
            #expect(!two.isWatching, "nobody waits, so nothing is watched")
            await one.shutdown()
            await two.shutdown()
        }
    }

    @Test func `a message of another task ends a wait`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            async let woken: Void = broker.wait(for: nil, in: .work, upTo: .seconds(3600))
            while !broker.isWatching, !Task.isCancelled { await Task.yield() }
            try await broker.enqueue(1)
            await woken
            await broker.shutdown()
        }
    }

    @Test func `calls that wait together share a commit`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            try await broker.enqueue(1)
            let before = broker.commitCount
            let calls = broker.submittedCalls
            // Another process is writing.
            let descriptor = Glibc.open(scene.path + "-lock", O_RDWR | O_CLOEXEC)
            #expect(flock(descriptor, LOCK_EX) == 0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<64 { group.addTask { try await broker.enqueue(1) } }
                // Some are with the writer already, which stands at the lock.
                while broker.submittedCalls < calls + 64, !Task.isCancelled { await Task.yield() }
                flock(descriptor, LOCK_UN)
                try await group.waitForAll()
            }
            close(descriptor)
            #expect(broker.commitCount - before <= 2)
            #expect(try await broker.inspector.counts(of: .work).ready == 65)
            await broker.shutdown()
        }
    }

    @Test func `a cancelled call is done all the same and spoils no other`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            let tasks = (0..<16).map { _ in
                Task { try await broker.enqueue(samples(1, at: scene.clock.now()), to: .work) }
            }
            for task in tasks.prefix(8) { task.cancel() }
            for task in tasks { #expect(try await task.value == [.enqueued]) }
            #expect(try await broker.inspector.counts(of: .work).ready == 16)
            await broker.shutdown()
        }
    }

    @Test func `a refused call of a group spoils no other`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            // Two names of one CRC-32.
            let plain = NewMessage(
                id: MessageID(at: scene.clock.now()), kind: "plumless", body: [1])
            let clash = NewMessage(
                id: MessageID(at: scene.clock.now()), kind: "buckeroo", body: [1])
            #expect(plain.kind.hash == clash.kind.hash)
            #expect(try await broker.enqueue([plain], to: .work) == [.enqueued])
            let error = try await brokerError { _ = try await broker.enqueue([clash], to: .work) }
            guard case .invalid = error else {
                Issue.record("expected invalid, not \(error)")
                return
            }
            #expect(try await broker.inspector.counts(of: .work).ready == 1)
            await broker.shutdown()
        }
    }

    /// The usual ack is one statement of its own, so its fence has a test of its own: after a release
    /// nothing but the token tells the two runs apart (I3).
    @Test func `the token of a run before a release acks nothing`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            let ids = try await broker.enqueue(1)
            func token() async throws -> LeaseToken {
                try #require(
                    try await broker.reserve(ReserveRequest(1), from: .work).messages.first?.token)
            }
            let old = try await token()
            #expect(try await broker.settle([Settlement(old, .release)], in: .work) == [.done])
            let new = try await token()
            let before = try await broker.inspector.message(ids[0], in: .work)
            #expect(try await broker.settle([Settlement(old, .ack)], in: .work) == [.stale])
            #expect(try await broker.inspector.message(ids[0], in: .work) == before)
            #expect(try await broker.settle([Settlement(new, .ack)], in: .work) == [.done])
            await broker.shutdown()
        }
    }
}
