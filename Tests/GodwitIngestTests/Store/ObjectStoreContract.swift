// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Foundation
import GodwitIngest
import SystemPackage
import TestAWS
import Testing

/// What the contract is run on.
enum StoreKind: String, CaseIterable, Sendable {
    case directory
    case moto
    /// A server that recomputes every signature.
    case verifying
}

/// A store of its own for the length of `body`, with a folder for files.
func withStore<Result>(
    _ kind: StoreKind, _ body: (any ObjectStore, URL) async throws -> Result
) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "godwit-store-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    switch kind {
    case .directory:
        let root = folder.appendingPathComponent("store")
        return try await body(DirectoryStore(FilePath(root.path)), folder)
    case .moto:
        let url = try await MotoServer.shared().url
        return try await withBucket(
            url, Credentials(accessKeyID: "test", secretAccessKey: "test"), region: "us-east-1"
        ) { try await body($0, folder) }
    case .verifying:
        return try await VerifyingServer.run { server in
            let result = try await withBucket(
                server.url,
                Credentials(
                    accessKeyID: VerifyingServer.accessKey,
                    secretAccessKey: VerifyingServer.secret), region: "eu-test-1"
            ) { try await body($0, folder) }
            #expect(server.refusals == [])
            #expect(server.openUploads == 0)
            return result
        }
    }
}

private func withBucket<Result>(
    _ url: String, _ credentials: Credentials, region: String,
    _ body: (S3Store) async throws -> Result
) async throws -> Result {
    let pool = HTTPPool()
    do {
        var s3 = try S3(
            AWSOptions(region: region, endpoint: url, credentials: credentials, environment: [:]),
            pool)
        s3.partSize = 5 << 20
        let bucket = "store-\(UUID().uuidString.lowercased())"
        try await s3.createBucket(bucket)
        // What lies beside the prefix is not the store's.
        _ = try await s3.put([0], bucket, "beside")
        let result = try await body(S3Store(s3, bucket: bucket, prefix: "a prefix+é"))
        await pool.shutdown()
        return result
    } catch {
        await pool.shutdown()
        throw error
    }
}

extension ObjectStore {
    func bytes(
        _ key: String, _ range: Range<UInt64>? = nil, ifMatch: String? = nil
    ) async throws -> [UInt8] {
        let sink = Sink()
        _ = try await read(key, range, ifMatch: ifMatch) { sink.take($0) }
        return sink.bytes
    }
}

func storeFailure(_ body: () async throws -> Void) async throws -> StoreError? {
    do {
        try await body()
        return nil
    } catch let error as StoreError {
        return error
    }
}

@Suite struct `Object store` {
    static let keys = [
        "plain.wav", "with space.wav", "a+b.wav", "naïve/日本語/😀.flac", "percent%20sign", "%",
        "question?mark&and=equals", "#hash", "quote'\"<>&;", "~tilde", "...", ".hidden", "-option",
        "line\nbreak", "e\u{301}", "back\\slash", "a:b@c,d!*()$[]{}|^`",
        (0..<5).map { _ in String(repeating: "k", count: 200) }.joined(separator: "/"),
    ]

    @Test(arguments: StoreKind.allCases)
    func `what was put is there, whole, under its key`(_ kind: StoreKind) async throws {
        try await withStore(kind) { (store, _) async throws in
            // moto loses a key with a line break in it.
            let keys = Self.keys.filter { kind != .moto || !$0.contains("\n") }
            for (index, key) in keys.enumerated() {
                let bytes = noise(index)
                let outcome = try await store.put(bytes, at: key, PutOptions())
                let info = try await store.head(key)
                #expect(info?.key == key)
                #expect(info?.size == UInt64(index))
                #expect(outcome == .stored(etag: info?.etag ?? ""))
                #expect(try await store.bytes(key) == bytes, "\(key)")
            }
            let listed = try await store.list("", after: nil, limit: 1_000)
            #expect(
                listed.map(\.key)
                    == keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
            for info in listed { #expect(try await store.head(info.key)?.etag == info.etag) }
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a key that leaves the store, or is none, is refused`(_ kind: StoreKind) async throws {
        try await withStore(kind) { (store, folder) async throws in
            let file = folder.appendingPathComponent("file")
            try Data([1]).write(to: file)
            for key in [
                "", "/absolute", "..", "../up", "a/../../b", "a/..", ".", "./a", "a/./b",
                "null\u{0}byte", String(repeating: "k", count: 1_025),
            ] {
                let words: [() async throws -> Void] = [
                    { _ = try await store.head(key) },
                    { _ = try await store.bytes(key) },
                    { _ = try await store.put([1], at: key, PutOptions()) },
                    { _ = try await store.put(file: FilePath(file.path), at: key, PutOptions()) },
                    { try await store.delete(key) },
                ]
                for word in words {
                    guard case .invalid? = try await storeFailure(word) else {
                        Issue.record("'\(key)' was not refused")
                        continue
                    }
                }
            }
            #expect(try await store.list("", after: nil, limit: 10).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `what is not there is nil, gone, or no matter`(_ kind: StoreKind) async throws {
        try await withStore(kind) { (store, _) async throws in
            #expect(try await store.head("no/such") == nil)
            guard case .gone? = try await storeFailure({ _ = try await store.bytes("no/such") })
            else {
                Issue.record("not gone")
                return
            }
            try await store.delete("no/such")
            _ = try await store.put([1], at: "a", PutOptions())
            try await store.delete("a")
            try await store.delete("a")
            #expect(try await store.head("a") == nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `ranges are cut at the end, and beyond it refused`(_ kind: StoreKind) async throws {
        try await withStore(kind) { (store, _) async throws in
            let bytes = noise(700_000)
            _ = try await store.put(bytes, at: "a", PutOptions())
            #expect(try await store.bytes("a", 0..<1) == [bytes[0]])
            #expect(
                try await store.bytes("a", 100_000..<600_000) == Array(bytes[100_000..<600_000]))
            #expect(
                try await store.bytes("a", 699_990..<1_000_000) == Array(bytes[699_990...]))
            for range: Range<UInt64> in [700_000..<700_001, 3..<3] {
                guard
                    case .invalid? = try await storeFailure({
                        _ = try await store.bytes("a", range)
                    })
                else {
                    Issue.record("\(range) was not refused")
                    return
                }
            }
            let info = try await store.read("a", 0..<10, ifMatch: nil) { _ in }
            #expect(info.size == 700_000)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a read is pinned to what it names`(_ kind: StoreKind) async throws {
        try await withStore(kind) { (store, _) async throws in
            _ = try await store.put([1, 2, 3], at: "a", PutOptions())
            let etag = try #require(try await store.head("a")?.etag)
            #expect(try await store.bytes("a", ifMatch: etag) == [1, 2, 3])
            _ = try await store.put([4, 5, 6], at: "a", PutOptions())
            guard
                case .changed? = try await storeFailure({
                    _ = try await store.bytes("a", ifMatch: etag)
                })
            else {
                Issue.record("not changed")
                return
            }
            #expect(try await store.bytes("a") == [4, 5, 6])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `only where nothing lies leaves what lies there`(_ kind: StoreKind) async throws {
        try await withStore(kind) { (store, folder) async throws in
            let file = folder.appendingPathComponent("file")
            try Data([9]).write(to: file)
            let only = PutOptions(ifAbsent: true)
            #expect(try await store.put([1], at: "x/a", only) != .exists)
            #expect(try await store.put([2], at: "x/a", only) == .exists)
            #expect(try await store.put(file: FilePath(file.path), at: "x/a", only) == .exists)
            #expect(try await store.bytes("x/a") == [1])
            #expect(try await store.put(file: FilePath(file.path), at: "x/b", only) != .exists)
            #expect(try await store.bytes("x/b") == [9])
            #expect(try await store.put([3], at: "x/a", PutOptions()) != .exists)
            #expect(try await store.bytes("x/a") == [3])
        }
    }

    // Not moto: it looks at the condition before it takes its lock.
    @Test(arguments: [StoreKind.directory, .verifying])
    func `of many who put at once where nothing lies one wins`(_ kind: StoreKind) async throws {
        try await withStore(kind) { (store, _) async throws in
            let winners = try await withThrowingTaskGroup(of: UInt8?.self) { (group) -> [UInt8] in
                for number in UInt8(0)..<20 {
                    group.addTask {
                        let outcome = try await store.put(
                            [number], at: "a", PutOptions(ifAbsent: true))
                        return outcome == .exists ? nil : number
                    }
                }
                var winners: [UInt8] = []
                for try await number in group.compactMap({ $0 }) { winners.append(number) }
                return winners
            }
            #expect(winners.count == 1)
            #expect(try await store.bytes("a") == winners)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a file goes there whole, however long`(_ kind: StoreKind) async throws {
        try await withStore(kind) { (store, folder) async throws in
            for count in [0, 1, 300_000, (11 << 20) + 3] {
                let file = folder.appendingPathComponent("file \(count)")
                let bytes = noise(count)
                try Data(bytes).write(to: file)
                _ = try await store.put(
                    file: FilePath(file.path), at: "a b+c", PutOptions(contentType: "audio/wav"))
                #expect(try await store.bytes("a b+c") == bytes)
                #expect(try await store.head("a b+c")?.size == UInt64(count))
            }
            for path in ["/does/not/exist", folder.path, "/dev/null"] {
                #expect(
                    try await storeFailure {
                        _ = try await store.put(file: FilePath(path), at: "b", PutOptions())
                    } != nil)
            }
            #expect(try await store.head("b") == nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a list is in order, after a key, and no longer than asked`(_ kind: StoreKind) async throws
    {
        try await withStore(kind) { (store, _) async throws in
            let keys = ["a-b", "a/b", "a/b c", "a/c+d/e", "a0", "b", "bé", "z/1", "z/2"]
            for key in keys.reversed() { _ = try await store.put([1], at: key, PutOptions()) }
            func list(
                _ prefix: String, _ after: String? = nil, _ limit: Int = 100
            ) async throws -> [String] {
                try await store.list(prefix, after: after, limit: limit).map(\.key)
            }
            #expect(try await list("") == keys)
            #expect(try await list("a/") == ["a/b", "a/b c", "a/c+d/e"])
            #expect(try await list("a/b") == ["a/b", "a/b c"])
            #expect(try await list("b") == ["b", "bé"])
            #expect(try await list("no") == [])
            #expect(try await list("", nil, 4) == Array(keys[0..<4]))
            #expect(try await list("", nil, 0) == [])
            for index in keys.indices {
                #expect(try await list("", keys[index]) == Array(keys[(index + 1)...]))
                #expect(try await list("", keys[index], 2) == Array(keys[(index + 1)...].prefix(2)))
            }
            #expect(try await list("", "a/bb") == Array(keys[3...]))
            #expect(try await list("z/", "a") == ["z/1", "z/2"])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `what the taker throws ends the read`(_ kind: StoreKind) async throws {
        struct Enough: Error {}
        try await withStore(kind) { (store, _) async throws in
            _ = try await store.put(noise(2 << 20), at: "a", PutOptions())
            let sink = Sink()
            await #expect(throws: Enough.self) {
                _ = try await store.read("a", nil, ifMatch: nil) {
                    sink.take($0)
                    throw Enough()
                }
            }
            #expect(sink.bytes.count < 2 << 20)
        }
    }
}
