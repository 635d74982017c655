// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Foundation
import NIOCore
import Synchronization
import TestAWS
import Testing

/// A store that fails on the way.
@Suite struct `Faults` {
    private static func head(_ request: LoopbackServer.Request, _ name: String) -> String? {
        request.header(name)
    }

    @Test func `a body that breaks off goes on where it was, pinned`() async throws {
        let bytes = noise(1 << 20)
        try await VerifyingServer.run(fault: { request, number in
            request.method == "GET" && number < 3 ? .half(300_000) : nil
        }) { server in
            let stage = Stage()
            try await withS3(server, stage) { (s3: S3) async throws in
                server.put(bytes, "music", "a")
                #expect(try await s3.read("music", "a") == bytes)
                let requests = server.requests
                #expect(requests.count == 4)
                #expect(requests[0].header("range") == nil)
                let etag = try await s3.head("music", "a")?.etag
                for request in requests[1..<4] {
                    #expect(request.header("if-match") == etag)
                    #expect(request.header("range")?.hasSuffix("-\((1 << 20) - 1)") == true)
                }
                #expect(requests[1].header("range")?.hasPrefix("bytes=300000-") == true)
            }
        }
    }

    @Test func `a range that breaks off ends where it should`() async throws {
        let bytes = noise(100_000)
        try await VerifyingServer.run(fault: { _, number in number == 0 ? .half(1_000) : nil }) {
            server in
            try await withS3(server) { (s3: S3) async throws in
                server.put(bytes, "music", "a")
                #expect(
                    try await s3.read("music", "a", 50_000..<60_000)
                        == Array(bytes[50_000..<60_000]))
            }
        }
    }

    @Test func `nobody gets the halves of two objects`() async throws {
        try await VerifyingServer.run(fault: { _, number in
            number == 0 ? .half(1_000) : number == 1 ? .change(noise(100_000, seed: 2)) : nil
        }) { server in
            try await withS3(server) { (s3: S3) async throws in
                server.put(noise(100_000), "music", "a")
                let error = try await failure { _ = try await s3.read("music", "a") }
                #expect(error?.kind == .precondition)
            }
        }
    }

    @Test func `nor from a store that does not know If-Match`() async throws {
        let other = noise(1_000, seed: 2)
        try await VerifyingServer.run(fault: { _, number in
            number == 0
                ? .half(100)
                : .reply(
                    .init(
                        206, [("ETag", "\"other\""), ("Content-Range", "bytes 100-999/1000")],
                        body: Array(other[100...])))
        }) { server in
            try await withS3(server) { (s3: S3) async throws in
                server.put(noise(1_000), "music", "a")
                let error = try await failure { _ = try await s3.read("music", "a") }
                #expect(error?.kind == .precondition)
            }
        }
    }

    @Test(arguments: [
        (200, [("ETag", "\"x\"")], "a whole answer to a range"),
        (206, [("ETag", "\"x\"")], "no Content-Range"),
        (206, [("ETag", "\"x\""), ("Content-Range", "bytes 5-9/100")], "another range"),
        (206, [("ETag", "\"x\""), ("Content-Range", "bytes 10-9/100")], "a range backwards"),
        (206, [("ETag", "\"x\""), ("Content-Range", "bytes 10-12/100")], "a shorter range"),
        (206, [("Content-Range", "bytes 10-19/100")], "no ETag"),
    ])
    func `an answer that is none is not believed`(
        _ status: Int, _ headers: [(String, String)], _ what: String
    ) async throws {
        try await VerifyingServer.run(fault: { _, _ in
            .reply(.init(status, headers, body: noise(10)))
        }) { server in
            try await withS3(server) { (s3: S3) async throws in
                let error = try await failure { _ = try await s3.read("music", "a", 10..<20) }
                #expect(error?.kind == .badAnswer, "\(what)")
            }
        }
    }

    @Test func `a body that always breaks off ends`() async throws {
        try await VerifyingServer.run(fault: { _, _ in .half(0) }) { server in
            let stage = Stage()
            try await withS3(server, stage) { (s3: S3) async throws in
                server.put(noise(1_000), "music", "a")
                let error = try await failure { _ = try await s3.read("music", "a") }
                #expect(error?.kind == .unavailable)
                #expect(server.requests.count == 5)
                #expect(stage.waits.count == 4)
            }
        }
    }

    @Test(arguments: [
        (500, "InternalError"), (503, "SlowDown"), (502, ""), (409, "ConditionalRequestConflict"),
    ])
    func `what may pass is tried again, with growing waits`(
        _ status: Int, _ code: String
    ) async throws {
        try await VerifyingServer.run(fault: { _, number in
            number < 3 ? .status(status, code) : nil
        }) { server in
            let stage = Stage()
            try await withS3(server, stage) { (s3: S3) async throws in
                server.put([], "music", "there")
                let only = S3PutOptions(ifAbsent: true)
                #expect(try await s3.put([1], "music", "a", only) != .exists)
                #expect(server.requests.count == 4)
                let slow = status == 503 || status == 502 && code.isEmpty && false
                let base: Duration = slow ? .milliseconds(500) : .milliseconds(100)
                #expect(stage.waits == [base / 2, base, base * 2])
            }
        }
    }

    @Test func `and given up in the end`() async throws {
        try await VerifyingServer.run(fault: { _, _ in .status(503, "SlowDown") }) { server in
            try await withS3(server) { (s3: S3) async throws in
                let error = try await failure { _ = try await s3.put([1], "music", "a") }
                #expect(error?.kind == .unavailable)
                #expect(error?.code == "SlowDown")
                #expect(server.requests.count == 5)
            }
        }
    }

    @Test func `a connection that drops is tried again`() async throws {
        try await VerifyingServer.run(fault: { _, number in number < 2 ? .drop : nil }) {
            server in
            try await withS3(server) { (s3: S3) async throws in
                server.put([1], "music", "a")
                #expect(try await s3.read("music", "a") == [1])
                #expect(server.requests.count == 3)
            }
        }
    }

    @Test(arguments: [
        (400, "InvalidArgument"), (403, "AccessDenied"), (404, "NoSuchKey"),
        (412, "PreconditionFailed"), (409, "BucketNotEmpty"),
    ])
    func `what will not pass is asked once`(_ status: Int, _ code: String) async throws {
        try await VerifyingServer.run(fault: { _, _ in .status(status, code) }) { server in
            try await withS3(server) { (s3: S3) async throws in
                let error = try await failure { _ = try await s3.put([1], "music", "a") }
                #expect(error?.status == status)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test func `a redirect to another host is not followed`() async throws {
        let stranger = try await LoopbackServer.start { _ in .init(200) }
        for status in [301, 302, 307, 308] {
            let location = "http://127.0.0.1:\(stranger.port)/music/a"
            try await VerifyingServer.run(fault: { _, _ in
                .reply(
                    .init(
                        status, [("Location", location)],
                        text:
                            "<Error><Code>TemporaryRedirect</Code><Endpoint>127.0.0.1:\(stranger.port)</Endpoint></Error>"
                    ))
            }) { server in
                try await withS3(server) { (s3: S3) async throws in
                    let error = try await failure { _ = try await s3.read("music", "a") }
                    #expect(error?.kind == .badAnswer)
                    #expect(error?.text.contains("redirect") == true)
                }
            }
        }
        #expect(stranger.requests.isEmpty)
        await stranger.stop()
    }

    @Test func `a bucket of another region is asked there, and remembered`() async throws {
        try await VerifyingServer.run(region: "eu-test-2") { server in
            try await withS3(server) { (s3: S3) async throws in
                server.put([1], "music", "a")
                #expect(try await s3.read("music", "a") == [1])
                #expect(server.requests.count == 2)
                #expect(try await s3.read("music", "a") == [1])
                #expect(server.requests.count == 3)
            }
        }
    }

    @Test(arguments: [301, 400, 307])
    func `a region in a header is enough`(_ status: Int) async throws {
        try await VerifyingServer.run(fault: { request, _ in
            request.header("authorization")?.contains("/eu-test-1/") == true
                ? .reply(.init(status, [("x-amz-bucket-region", "eu-test-9")])) : nil
        }) { server in
            try await withS3(server) { (s3: S3) async throws in
                // The server itself stays in the first region: it must have been asked for another.
                _ = try await failure { _ = try await s3.head("music", "a") }
                #expect(
                    server.requests.last?.header("authorization")?.contains("/eu-test-9/") == true)
                #expect(server.requests.count == 2)
            }
        }
    }

    @Test(arguments: [
        "evil.example/", "a.b", "", "UPPER", "x y", String(repeating: "r", count: 99),
    ])
    func `a region that is none does not become a host`(_ region: String) async throws {
        try await VerifyingServer.run(fault: { _, _ in
            .reply(.init(301, [("x-amz-bucket-region", region)]))
        }) { server in
            try await withS3(server) { (s3: S3) async throws in
                let error = try await failure { _ = try await s3.head("music", "a") }
                #expect(error?.kind == .badAnswer)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test func `a clock that is wrong is set by the answer`() async throws {
        try await VerifyingServer.run { server in
            let stage = Stage(Date(timeIntervalSince1970: 1_600_000_000))
            try await withS3(server, stage) { (s3: S3) async throws in
                server.put([1], "music", "a")
                #expect(try await s3.read("music", "a") == [1])
                #expect(server.refusals == ["RequestTimeTooSkewed"])
                #expect(try await s3.read("music", "a") == [1])
                #expect(server.refusals == ["RequestTimeTooSkewed"])
            }
        }
    }

    @Test func `no document type is read`() async throws {
        let bomb =
            "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]><ListBucketResult><Contents><Key>&x;</Key></Contents></ListBucketResult>"
        let utf16 = Array(bomb.utf16).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
        for body in [Array(bomb.utf8), [0xff, 0xfe] + utf16] {
            try await VerifyingServer.run(fault: { _, _ in .reply(.init(200, body: body)) }) {
                server in
                try await withS3(server) { (s3: S3) async throws in
                    let error = try await failure { _ = try await s3.list("music") }
                    #expect(error?.kind == .badAnswer)
                }
            }
        }
    }

    @Test(arguments: [
        "", "<", "<ListBucketResult>", "<Other></Other>", "{}",
        "<ListBucketResult><Contents><Key>%zz</Key><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        String(repeating: "<a>", count: 1_000) + String(repeating: "</a>", count: 1_000),
    ])
    func `a list that is none is not believed`(_ text: String) async throws {
        try await VerifyingServer.run(fault: { _, _ in .reply(.init(200, text: text)) }) {
            server in
            try await withS3(server) { (s3: S3) async throws in
                let error = try await failure { _ = try await s3.list("music") }
                #expect(error?.kind == .badAnswer || text.contains("%zz") && error == nil)
            }
        }
    }

    @Test func `an endless error is cut`() async throws {
        try await VerifyingServer.run(fault: { _, _ in
            .reply(.init(403, body: [UInt8](repeating: 97, count: 4 << 20)))
        }) { server in
            try await withS3(server) { (s3: S3) async throws in
                let error = try await failure { _ = try await s3.list("music") }
                #expect(error?.kind == .denied)
                #expect((error?.text.count ?? 0) < 600)
            }
        }
    }

    @Test func `what is sent waits for who takes it`() async throws {
        let bytes = [UInt8](repeating: 7, count: 64 << 20)
        try await VerifyingServer.run { server in
            server.put(bytes, "music", "long")
            try await withS3(server) { (s3: S3) async throws in
                let count = Mutex(0)
                _ = try await s3.get("music", "long") { part in
                    if count.withLock({ $0 }) == 0 {
                        // Whoever never waits would have sent all by the time it has answered so often.
                        while server.stalls == 0, server.sent < bytes.count {
                            _ = try await s3.head("music", "long")
                        }
                        for _ in 0..<200 { _ = try await s3.head("music", "long") }
                        #expect(server.sent < 32 << 20)
                    }
                    count.withLock { $0 += part.readableBytes }
                }
                #expect(count.withLock { $0 } == bytes.count)
            }
        }
    }

    @Test func `a cancelled read ends as cancelled`() async throws {
        try await VerifyingServer.run { server in
            server.put(noise(10_000_000), "music", "a")
            try await withS3(server) { (s3: S3) async throws in
                let task = Task {
                    try await failure {
                        _ = try await s3.get("music", "a") { _ in
                            withUnsafeCurrentTask { $0?.cancel() }
                        }
                    }
                }
                #expect(try await task.value?.kind == .cancelled)
            }
        }
    }
}
