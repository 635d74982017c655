// SPDX-License-Identifier: Apache-2.0
import Foundation
import GodwitIngest
import SystemPackage
import TestAWS
import Testing

@Suite struct `Directory store` {
    private func withRoot<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "godwit-directory-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder)
    }

    private func leftovers(_ root: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(
            atPath: root.appendingPathComponent(".godwit-tmp").path)
    }

    @Test func `links lead nowhere`() async throws {
        try await withRoot { folder in
            let root = folder.appendingPathComponent("root")
            let outside = folder.appendingPathComponent("outside")
            try FileManager.default.createDirectory(at: outside, withIntermediateDirectories: true)
            let canary = outside.appendingPathComponent("canary")
            try Data("canary".utf8).write(to: canary)
            let store = try DirectoryStore(FilePath(root.path))
            let made = FileManager.default
            try made.createSymbolicLink(
                at: root.appendingPathComponent("file"), withDestinationURL: canary)
            try made.createSymbolicLink(
                at: root.appendingPathComponent("folder"), withDestinationURL: outside)
            for key in ["file", "folder/canary", "folder"] {
                #expect(try await store.head(key) == nil)
                guard case .gone? = try await storeFailure({ _ = try await store.bytes(key) })
                else {
                    Issue.record("\(key) was read")
                    continue
                }
            }
            #expect(try await store.list("", after: nil, limit: 10).isEmpty)
            guard
                case .invalid? = try await storeFailure({
                    _ = try await store.put([1], at: "folder/new", PutOptions())
                })
            else {
                Issue.record("written outside")
                return
            }
            // A put replaces a link, not what it names.
            _ = try await store.put([2], at: "file", PutOptions())
            #expect(made.contents(atPath: canary.path) == Data("canary".utf8))
            #expect(try made.contentsOfDirectory(atPath: outside.path) == ["canary"])
            #expect(try leftovers(root).isEmpty)
        }
    }

    @Test func `no temporary file stays, whatever becomes of the put`() async throws {
        try await withRoot { (root) async throws in
            let store = try DirectoryStore(FilePath(root.path))
            _ = try await store.put([1], at: "a", PutOptions())
            _ = try await store.put([1], at: "a", PutOptions(ifAbsent: true))
            _ = try await store.put([1], at: "d/e", PutOptions(ifAbsent: true))
            for key in ["a/b", "d", String(repeating: "k", count: 300)] {
                for only in [true, false] {
                    guard
                        case .invalid? = try await storeFailure({
                            _ = try await store.put([1], at: key, PutOptions(ifAbsent: only))
                        })
                    else {
                        Issue.record("\(key)")
                        continue
                    }
                }
            }
            #expect(try leftovers(root).isEmpty)
        }
    }

    @Test func `what crashed writers left is swept, what others write is not`() async throws {
        try await withRoot { (root) async throws in
            let first = try DirectoryStore(FilePath(root.path))
            _ = try await first.put([1], at: "a", PutOptions())
            let folder = root.appendingPathComponent(".godwit-tmp")
            let left = folder.appendingPathComponent("left")
            try Data([1]).write(to: left)
            let held = folder.appendingPathComponent("held")
            try Data([2]).write(to: held)
            let number = open(held.path, O_RDWR)
            #expect(flock(number, LOCK_EX) == 0)
            let second = try DirectoryStore(FilePath(root.path))
            #expect(try leftovers(root) == ["held"])
            close(number)
            _ = try DirectoryStore(FilePath(root.path))
            #expect(try leftovers(root).isEmpty)
            #expect(try await second.bytes("a") == [1])
            #expect(try await second.list("", after: nil, limit: 10).map(\.key) == ["a"])
        }
    }

    @Test func `its own folder is nobody's`() async throws {
        try await withRoot { (root) async throws in
            let store = try DirectoryStore(FilePath(root.path))
            for key in [".godwit-tmp", ".godwit-tmp/x", "a//b", "a/"] {
                guard
                    case .invalid? = try await storeFailure({
                        _ = try await store.put([1], at: key, PutOptions())
                    })
                else {
                    Issue.record("\(key)")
                    continue
                }
            }
        }
    }

    @Test func `a file that is written into meanwhile is told as changed`() async throws {
        try await withRoot { (root) async throws in
            let store = try DirectoryStore(FilePath(root.path))
            _ = try await store.put(noise(1 << 20), at: "a", PutOptions())
            let file = root.appendingPathComponent("a")
            let error = try await storeFailure {
                _ = try await store.read("a", nil, ifMatch: nil) { _ in
                    let handle = try FileHandle(forWritingTo: file)
                    try handle.write(contentsOf: Data([0, 0]))
                    try handle.truncate(atOffset: 1_000)
                    try handle.close()
                }
            }
            guard case .changed? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test func `a replaced file is read to its end as it was`() async throws {
        try await withRoot { (root) async throws in
            let store = try DirectoryStore(FilePath(root.path))
            let bytes = noise(1 << 20)
            _ = try await store.put(bytes, at: "a", PutOptions())
            let sink = Sink()
            _ = try await store.read("a", nil, ifMatch: nil) { part in
                if sink.bytes.isEmpty { _ = try await store.put([1], at: "a", PutOptions()) }
                sink.take(part)
            }
            #expect(sink.bytes == bytes)
            #expect(try await store.bytes("a") == [1])
        }
    }

    @Test func `pipes and devices are no objects, and hold nobody up`() async throws {
        try await withRoot { (root) async throws in
            let store = try DirectoryStore(FilePath(root.path))
            #expect(mkfifo(root.appendingPathComponent("pipe").path, 0o600) == 0)
            #expect(try await store.head("pipe") == nil)
            #expect(try await storeFailure { _ = try await store.bytes("pipe") } != nil)
            #expect(try await store.list("", after: nil, limit: 10).isEmpty)
        }
    }
}
