// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitSQLite
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// The file: how it is made, opened, and refused.
@Suite("SQLite: the file", .timeLimit(.minutes(2))) struct FileTests {
    @Test func `every commit is synced: synchronous is 2 as read back, in WAL`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            #expect(try await broker.pragma("synchronous") == "2")
            #expect(try await broker.pragma("journal_mode") == "wal")
            #expect(try await broker.pragma("wal_autocheckpoint") == "0")
            await broker.shutdown()
        }
    }

    @Test func `the rollback journal is as durable`() async throws {
        try await withScene { scene in
            let broker = try await scene.open { $0.journalMode = .truncate }
            #expect(try await broker.pragma("synchronous") == "2")
            #expect(try await broker.pragma("journal_mode") == "truncate")
            try await broker.enqueue(3)
            #expect(try await broker.reserve(ReserveRequest(9), from: .work).messages.count == 3)
            await broker.shutdown()
            #expect(scene.size(of: "-wal") == 0)
        }
    }

    @Test func `only its owner may read the file and what stands beside it`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            try await broker.enqueue(1)
            for suffix in ["", "-wal", "-shm", "-lock"] {
                #expect(try scene.mode(of: suffix) == "600")
            }
            await broker.shutdown()
        }
    }

    @Test func `what was accepted is there after reopening`() async throws {
        try await withScene { scene in
            let first = try await scene.open()
            let ids = try await first.enqueue(3, size: 100)
            let large = try await first.enqueue(1, size: 100_000)
            await first.shutdown()
            let second = try await scene.open()
            let taken = try await second.reserve(
                ReserveRequest(9, bytes: 1 << 20), from: .work
            ).messages
            #expect(taken.map(\.token.id) == ids + large)
            #expect(taken.last?.body == [UInt8](repeating: 7, count: 100_000))
            #expect(try await second.inspector.check(.work, limit: 100) == [])
            await second.shutdown()
        }
    }

    @Test func `an empty file becomes a queue`() async throws {
        try await withScene { scene in
            try Data().write(to: URL(fileURLWithPath: scene.path))
            let broker = try await scene.open()
            try await broker.enqueue(1)
            #expect(try await broker.inspector.queues() == [.work])
            await broker.shutdown()
        }
    }

    @Test func `a file that is no database is named and left as it is`() async throws {
        try await withScene { scene in
            let text = Data(String(repeating: "not a database. ", count: 500).utf8)
            try text.write(to: URL(fileURLWithPath: scene.path))
            let error = try await brokerError { _ = try await scene.open() }
            guard case .corrupt(let problem) = error else {
                Issue.record("expected corrupt, not \(error)")
                return
            }
            #expect(problem.location.contains(scene.path))
            #expect(try Data(contentsOf: URL(fileURLWithPath: scene.path)) == text)
        }
    }

    @Test func `a damaged file is named, with what to do`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            for _ in 0..<20 { try await broker.enqueue(100) }
            await broker.shutdown()
            // Everything behind the first page, which holds the schema.
            var bytes = try Data(contentsOf: URL(fileURLWithPath: scene.path))
            #expect(bytes.count > 100_000)
            for index in 4096..<bytes.count { bytes[index] = 0xA5 }
            try bytes.write(to: URL(fileURLWithPath: scene.path))
            let error = try await brokerError {
                let damaged = try await scene.open()
                do {
                    _ = try await damaged.reserve(ReserveRequest(10), from: .work)
                } catch {
                    await damaged.shutdown()
                    throw error
                }
                await damaged.shutdown()
            }
            guard case .corrupt(let problem) = error else {
                Issue.record("expected corrupt, not \(error)")
                return
            }
            #expect(problem.location.contains(scene.path))
            #expect(problem.advice.contains(".recover"))
        }
    }

    @Test func `a directory that is not there is the caller's to make`() async throws {
        try await withScene { scene in
            let error = try await brokerError {
                _ = try await SQLiteBroker(path: scene.directory + "/no/jobs.db")
            }
            guard case .misconfigured(let problem) = error else {
                Issue.record("expected misconfigured, not \(error)")
                return
            }
            #expect(problem.advice.contains("directory"))
        }
    }

    @Test(arguments: ["", ":memory:", "/"])
    func `a path that is no file is refused`(_ path: String) async throws {
        let error = try await brokerError { _ = try await SQLiteBroker(path: path) }
        guard case .misconfigured = error else {
            Issue.record("expected misconfigured, not \(error)")
            return
        }
    }

    @Test func `a lock that is a symbolic link is not followed`() async throws {
        try await withScene { scene in
            let target = scene.directory + "/elsewhere"
            try FileManager.default.createSymbolicLink(
                atPath: scene.path + "-lock", withDestinationPath: target)
            let error = try await brokerError { _ = try await scene.open() }
            guard case .misconfigured = error else {
                Issue.record("expected misconfigured, not \(error)")
                return
            }
            #expect(!FileManager.default.fileExists(atPath: target))
        }
    }

    @Test func `a link to the file meets the others at one lock`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            let link = scene.directory + "/link.db"
            try FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: scene.path)
            let other = try await SQLiteBroker(path: link)
            #expect(other.path == broker.path)
            await other.shutdown()
            await broker.shutdown()
            #expect(!FileManager.default.fileExists(atPath: link + "-lock"))
        }
    }

    @Test func `a broker that was shut down says so`() async throws {
        try await withScene { scene in
            let broker = try await scene.open()
            await broker.shutdown()
            await broker.shutdown()
            for word in [
                { _ = try await broker.promote(in: .work) },
                { _ = try await broker.inspector.counts(of: .work) },
            ] as [() async throws -> Void] {
                let error = try await brokerError(word)
                guard case .unavailable = error else {
                    Issue.record("expected unavailable, not \(error)")
                    return
                }
            }
            await broker.wait(for: nil, in: .work, upTo: .seconds(3600))
        }
    }

    @Test func `a full disk keeps what was accepted, and goes on when there is room`() async throws
    {
        try await withScene { scene in
            let broker = try await scene.open { $0.checkpointPages = 100 }
            try await broker.enqueue(10)
            let pages = try #require(try await broker.pragma("page_count").flatMap { Int($0) })
            _ = try await broker.pragma("max_page_count = \(pages + 20)")
            var accepted = 10
            let error = try await brokerError {
                for _ in 0..<1000 {
                    try await broker.enqueue(10, size: 400)
                    accepted += 10
                }
            }
            guard case .storageFull = error else {
                Issue.record("expected storageFull, not \(error)")
                return
            }
            #expect(try await broker.inspector.counts(of: .work).ready == accepted)
            _ = try await broker.pragma("max_page_count = 1000000")
            try await broker.enqueue(10)
            #expect(try await broker.inspector.counts(of: .work).ready == accepted + 10)
            #expect(try await broker.inspector.check(.work, limit: 100_000) == [])
            await broker.shutdown()
        }
    }

    @Test func `a call that fails half way does not say that nothing was accepted`() async throws {
        try await withScene { scene in
            let broker = try await scene.open { $0.limits.batch = 10 }
            try await broker.enqueue(10)
            let pages = try #require(try await broker.pragma("page_count").flatMap { Int($0) })
            _ = try await broker.pragma("max_page_count = \(pages + 20)")
            let many = samples(2000, size: 400, at: broker.time.now())
            let error = try await brokerError { _ = try await broker.enqueue(many, to: .work) }
            let accepted = try await broker.inspector.counts(of: .work).ready - 10
            #expect(accepted > 0 && accepted < 2000)
            guard case .unknown = error else {
                Issue.record("\(accepted) messages are there, and the error is \(error)")
                return
            }
            _ = try await broker.pragma("max_page_count = 1000000")
            // As the error says: the same ids again, as resends.
            let again = many.map { message in
                var message = message
                message.isResend = true
                return message
            }
            let outcomes = try await broker.enqueue(again, to: .work)
            #expect(outcomes.count { $0 == .known } == accepted)
            #expect(try await broker.inspector.counts(of: .work).ready == 2010)
            await broker.shutdown()
        }
    }

    @Test func `a lock that nobody gives back ends as unavailable, and goes on when it is`()
        async throws
    {
        try await withScene { scene in
            let broker = try await scene.open { $0.lockPatience = .milliseconds(300) }
            // A process that is stopped in the middle of a commit, as the others see it.
            let other = open(scene.path + "-lock", O_RDWR | O_CLOEXEC)
            try #require(other >= 0)
            defer { close(other) }
            try #require(flock(other, LOCK_EX) == 0)
            for _ in 0..<2 {
                let error = try await brokerError { try await broker.enqueue(1) }
                guard case .unavailable(let problem) = error else {
                    Issue.record("expected unavailable, not \(error)")
                    return
                }
                #expect(problem.cause.contains("another process"))
            }
            flock(other, LOCK_UN)
            try await broker.enqueue(1)
            // What it waited for in vain it does not keep, either.
            try #require(flock(other, LOCK_EX) == 0)
            flock(other, LOCK_UN)
            #expect(try await broker.inspector.counts(of: .work).enqueued == 1)
            await broker.shutdown()
        }
    }

    @Test func `the checkpoint keeps the WAL small`() async throws {
        try await withScene { scene in
            let broker = try await scene.open { $0.checkpointPages = 100 }
            for _ in 0..<100 { try await broker.enqueue(100) }
            #expect(broker.checkpointCount > 5)
            // A commit of 100 messages is less than 50 pages.
            #expect(scene.size(of: "-wal") < 2 * 150 * 4200)
            await broker.shutdown()
        }
    }
}
