// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitSQLite
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A disk that is really full: a file system of a few hundred kilobytes in memory.
@Suite(
    "SQLite: a full disk", .serialized, .timeLimit(.minutes(2)),
    .enabled(if: SmallDisk.isPossible, "needs Linux, and root to mount a small tmpfs"))
struct FullDiskTests {
    /// Filled to the last page, or with so much left: SQLite then trips over it in another place.
    @Test(arguments: [0, 4096, 40_960, 90_000])
    func `what was accepted stays, the rest is told that the disk is full, and room lets it go on`(
        _ left: Int
    ) async throws {
        try await withSmallDisk(kilobytes: 2048) { disk in
            let broker = try await SQLiteBroker(path: disk.path + "/jobs.db")
            try await broker.enqueue(10)
            let leased = try await broker.reserve(ReserveRequest(1), from: .work).messages
            try disk.fill(but: left)
            var accepted = 10
            let error = try await brokerError {
                for _ in 0..<1000 {
                    try await broker.enqueue(10, size: 400)
                    accepted += 10
                }
            }
            guard case .storageFull(let problem) = error else {
                Issue.record("expected storageFull, not \(error)")
                return
            }
            #expect(problem.location.contains(disk.path))
            #expect(problem.what.contains("enqueue to 'work'"))
            #expect(problem.advice.contains("Free space"))
            disk.free()
            let token = try #require(leased.first).token
            #expect(try await broker.settle([Settlement(token, .ack)], in: .work) == [.done])
            try await broker.enqueue(10)
            let counts = try await broker.inspector.counts(of: .work)
            #expect(counts.ready == accepted - 1 + 10)
            #expect(counts.completed == 1)
            #expect(try await broker.inspector.check(.work, limit: 100_000) == [])
            await broker.shutdown()
            // And so it is for whoever opens it anew.
            let again = try await SQLiteBroker(path: disk.path + "/jobs.db")
            #expect(try await again.inspector.counts(of: .work) == counts)
            await again.shutdown()
        }
    }

    @Test(arguments: [0, 4096, 16_384, 40_960])
    func `no room to open it is a full disk, and room opens it`(_ left: Int) async throws {
        try await withSmallDisk(kilobytes: 512) { disk in
            try disk.fill(but: left)
            let error = try await brokerError {
                let broker = try await SQLiteBroker(path: disk.path + "/jobs.db")
                await broker.shutdown()
            }
            guard case .storageFull(let problem) = error else {
                Issue.record("expected storageFull, not \(error)")
                return
            }
            #expect(problem.location.contains(disk.path))
            #expect(problem.advice.contains("Free space"))
            disk.free()
            let broker = try await SQLiteBroker(path: disk.path + "/jobs.db")
            try await broker.enqueue(10)
            await broker.shutdown()
        }
    }
}

/// A small file system, gone at the end.
struct SmallDisk: Sendable {
    let path: String

    /// Leaves so many bytes free.
    func fill(but left: Int) throws {
        let descriptor = open(path + "/ballast", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let page = [UInt8](repeating: 0, count: 4096)
        while write(descriptor, page, page.count) > 0 {}
        var info = stat()
        try #require(fstat(descriptor, &info) == 0)
        try #require(ftruncate(descriptor, off_t(max(0, Int(info.st_size) - left))) == 0)
    }

    func free() { unlink(path + "/ballast") }

    #if os(Linux)
    /// Tried once: root may be without the right in a container.
    static let isPossible: Bool = {
        guard let disk = try? SmallDisk(kilobytes: 64) else { return false }
        disk.remove()
        return true
    }()

    init(kilobytes: Int) throws {
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("godwit-disk-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(kilobytes)k,mode=700") == 0 else {
            rmdir(path)
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EPERM)
        }
    }

    func remove() {
        // Detached: a file that is still open must not keep it mounted.
        umount2(path, 2)
        rmdir(path)
    }
    #else
    static let isPossible = false
    init(kilobytes: Int) throws { throw POSIXError(.ENOTSUP) }
    func remove() {}
    #endif
}

func withSmallDisk(kilobytes: Int, _ body: (SmallDisk) async throws -> Void) async throws {
    let disk = try SmallDisk(kilobytes: kilobytes)
    defer { disk.remove() }
    try await body(disk)
}
