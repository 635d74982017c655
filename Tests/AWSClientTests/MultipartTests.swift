// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Foundation
import Synchronization
import TestAWS
import Testing

@Suite struct `Uploads in parts` {
    /// Three parts of 5 MiB and one of a few bytes.
    private static let bytes = noise((15 << 20) + 77)

    private func withUpload(
        fault: @escaping @Sendable (LoopbackServer.Request, Int) -> VerifyingServer.Fault? = {
            _, _ in nil
        },
        _ body: (VerifyingServer, S3, String) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            let file = folder.appendingPathComponent("long.wav")
            try Data(Self.bytes).write(to: file)
            try await VerifyingServer.run(fault: fault) { server in
                try await withS3(server) { (s3: S3) async throws in
                    var s3 = s3
                    s3.partSize = 5 << 20
                    server.put([], "music", "other")
                    try await body(server, s3, file.path)
                    #expect(server.openUploads == 0)
                    #expect(server.refusals == [])
                }
            }
        }
    }

    private static func isCompletion(_ request: LoopbackServer.Request) -> Bool {
        request.method == "POST" && request.uri.contains("uploadId=")
    }

    @Test func `a long file comes together`() async throws {
        try await withUpload { (server, s3, path) async throws in
            let result = try await s3.put(
                file: path, "music", "a b", S3PutOptions(contentType: "audio/wav"))
            #expect(server.bytes("music", "a b") == Self.bytes)
            let head = try await s3.head("music", "a b")
            #expect(result == .stored(etag: head?.etag ?? ""))
            #expect(head?.contentType == "audio/wav")
            #expect(server.requests.filter { $0.uri.contains("partNumber=") }.count == 4)
        }
    }

    @Test func `a short file goes in one`() async throws {
        try await withFolder { folder in
            let file = folder.appendingPathComponent("short")
            try await VerifyingServer.run { server in
                server.put([], "music", "other")
                try await withS3(server) { (s3: S3) async throws in
                    for count in [0, 1, 300_000] {
                        try Data(noise(count)).write(to: file)
                        _ = try await s3.put(file: file.path, "music", "a")
                        #expect(server.bytes("music", "a") == noise(count))
                    }
                    #expect(server.requests.count == 3)
                }
            }
        }
    }

    @Test func `a part that fails is sent again`() async throws {
        let failed = Mutex<Set<String>>([])
        try await withUpload(fault: { request, _ in
            guard request.uri.contains("partNumber=") else { return nil }
            let isFirst = failed.withLock { $0.insert(request.uri).inserted }
            return isFirst ? .status(500, "InternalError") : nil
        }) { (server, s3, path) async throws in
            _ = try await s3.put(file: path, "music", "a")
            #expect(server.bytes("music", "a") == Self.bytes)
        }
    }

    @Test func `one that goes on failing gives the upload up`() async throws {
        try await withUpload(fault: { request, _ in
            request.uri.contains("partNumber=2") ? .status(403, "AccessDenied") : nil
        }) { (server, s3, path) async throws in
            let error = try await failure { _ = try await s3.put(file: path, "music", "a") }
            #expect(error?.kind == .denied)
            #expect(server.bytes("music", "a") == nil)
            #expect(server.requests.last?.method == "DELETE")
        }
    }

    @Test func `a 200 with an error inside is one`() async throws {
        let errors = Mutex(0)
        try await withUpload(fault: { request, _ in
            guard Self.isCompletion(request),
                errors.withLock({
                    $0 += 1; return $0
                }) <= 2
            else { return nil }
            return .reply(
                .init(200, text: "<Error><Code>InternalError</Code><Message>late</Message></Error>")
            )
        }) { (server, s3, path) async throws in
            _ = try await s3.put(file: path, "music", "a")
            #expect(server.bytes("music", "a") == Self.bytes)
            #expect(errors.withLock { $0 } == 3)
        }
    }

    @Test func `and one that stays is told`() async throws {
        try await withUpload(fault: { request, _ in
            Self.isCompletion(request)
                ? .reply(.init(200, text: "<Error><Code>AccessDenied</Code></Error>")) : nil
        }) { (server, s3, path) async throws in
            let error = try await failure { _ = try await s3.put(file: path, "music", "a") }
            #expect(error?.code == "AccessDenied")
            #expect(server.bytes("music", "a") == nil)
        }
    }

    @Test func `a conflict at the end begins again`() async throws {
        let seen = Mutex<Set<String>>([])
        try await withUpload(fault: { request, _ in
            guard Self.isCompletion(request) else { return nil }
            let count = seen.withLock { seen in
                seen.insert(request.uri)
                return seen.count
            }
            return count == 1 ? .status(409, "ConflictingUpload") : nil
        }) { (server, s3, path) async throws in
            _ = try await s3.put(file: path, "music", "a", S3PutOptions(ifAbsent: true))
            #expect(server.bytes("music", "a") == Self.bytes)
            #expect(seen.withLock { $0.count } == 2)
        }
    }

    @Test func `the answer to a completion may be lost`() async throws {
        let count = Mutex(0)
        try await withUpload(fault: { request, _ in
            guard Self.isCompletion(request),
                count.withLock({
                    $0 += 1; return $0
                }) == 1
            else { return nil }
            return .dropAfter
        }) { (server, s3, path) async throws in
            let result = try await s3.put(file: path, "music", "a")
            #expect(server.bytes("music", "a") == Self.bytes)
            #expect(result == .stored(etag: try await s3.head("music", "a")?.etag ?? ""))
        }
    }

    @Test func `what lies there stays, and nothing is sent`() async throws {
        try await withUpload { (server, s3, path) async throws in
            server.put([1], "music", "a")
            let result = try await s3.put(file: path, "music", "a", S3PutOptions(ifAbsent: true))
            #expect(result == .exists)
            #expect(server.requests.count == 1)
        }
    }

    @Test func `also when it came meanwhile`() async throws {
        try await withUpload(fault: { request, _ in
            Self.isCompletion(request) ? .change([1]) : nil
        }) { (server, s3, path) async throws in
            let result = try await s3.put(file: path, "music", "a", S3PutOptions(ifAbsent: true))
            #expect(result == .exists)
            #expect(server.bytes("music", "a") == [1])
        }
    }

    @Test func `a cancelled upload is given up`() async throws {
        try await withUpload { (server, s3, path) async throws in
            let task = Task { try await failure { _ = try await s3.put(file: path, "music", "a") } }
            while !server.requests.contains(where: { $0.uri.contains("partNumber=") }) {
                await Task.yield()
            }
            task.cancel()
            let error = try await task.value
            // It may have been quicker.
            #expect(error == nil || error?.kind == .cancelled)
            #expect(server.openUploads == 0)
        }
    }

    @Test func `a file that is none is refused`() async throws {
        try await VerifyingServer.run { server in
            try await withS3(server) { (s3: S3) async throws in
                for path in ["/dev/null", "/tmp", "/does/not/exist"] {
                    let error = try await failure { _ = try await s3.put(file: path, "music", "a") }
                    #expect(error?.kind == .refused)
                }
                #expect(server.requests.isEmpty)
            }
        }
    }

    @Test func `a download is whole or not there`() async throws {
        try await withFolder { folder in
            let path = folder.appendingPathComponent("copy").path
            try await VerifyingServer.run(fault: { _, number in
                number == 0
                    ? .half(2_000_000)
                    : number == 2 ? .half(10) : number > 2 ? .status(403, "AccessDenied") : nil
            }) { server in
                server.put(Self.bytes, "music", "a")
                try await withS3(server) { (s3: S3) async throws in
                    let object = try await s3.download("music", "a", to: path)
                    #expect(object.size == UInt64(Self.bytes.count))
                    #expect(FileManager.default.contents(atPath: path) == Data(Self.bytes))
                    // What is there is not written over.
                    let taken = try await failure {
                        _ = try await s3.download("music", "a", to: path)
                    }
                    #expect(taken?.kind == .refused)
                    let other = path + "2"
                    let error = try await failure {
                        _ = try await s3.download("music", "a", to: other)
                    }
                    #expect(error?.kind == .denied)
                    #expect(!FileManager.default.fileExists(atPath: other))
                }
            }
        }
    }
}
