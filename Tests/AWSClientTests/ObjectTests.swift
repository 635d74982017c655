// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestAWS
import Testing

/// Against a server that recomputes every signature from the bytes it got.
@Suite struct `Objects` {
    static let keys = [
        "plain.wav", "with space.wav", "a+b.wav", "naïve/日本語/😀.flac", "a//b", "a/./b", "a/../b",
        "../up", "percent%20sign", "%", "question?mark&and=equals", "#hash", "quote'\"<>&;",
        "~tilde",
        "trailing/", "/leading", String(repeating: "k", count: 1_024), "line\nbreak", "tab\t",
        "é\u{301}", "back\\slash", ":colon@at,comma!*()$[]{}|^`",
    ]

    @Test func `every key goes there and back`() async throws {
        try await VerifyingServer.run { server in
            try await withS3(server) { (s3: S3) async throws in
                try await s3.createBucket("music")
                for (index, key) in Self.keys.enumerated() {
                    let bytes = noise(index + 1)
                    let stored = try await s3.put(bytes, "music", key)
                    #expect(server.bytes("music", key) == bytes, "\(key)")
                    #expect(try await s3.read("music", key) == bytes, "\(key)")
                    let head = try await s3.head("music", key)
                    #expect(head?.size == UInt64(bytes.count))
                    #expect(stored == .stored(etag: head?.etag ?? ""))
                }
                let listed = try await s3.list("music").objects.map(\.key)
                #expect(
                    listed
                        == Self.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
                try await s3.delete("music", Self.keys.filter { !$0.contains("\n") })
                #expect(try await s3.list("music").objects.map(\.key) == ["line\nbreak"])
                try await s3.delete("music", "line\nbreak")
                try await s3.delete("music", "line\nbreak")
                #expect(try await s3.list("music").objects.isEmpty)
                #expect(server.refusals == [])
            }
        }
    }

    @Test func `a key that is none is not sent`() async throws {
        try await VerifyingServer.run { server in
            try await withS3(server) { (s3: S3) async throws in
                for key in [String(repeating: "k", count: 1_025), "null\u{0}"] {
                    #expect(await kind { _ = try await s3.head("music", key) } == .refused)
                }
                for bucket in ["", "a", "UPPER", "a/b", "a..b", "-a-", "bücket", "a?b"] {
                    #expect(await kind { _ = try await s3.head(bucket, "k") } == .refused)
                }
                #expect(server.requests.isEmpty)
            }
        }
    }

    @Test func `what is not there is nil, or missing`() async throws {
        try await VerifyingServer.run { server in
            try await withS3(server) { (s3: S3) async throws in
                try await s3.createBucket("music")
                #expect(try await s3.head("music", "no") == nil)
                let error = try await failure { _ = try await s3.read("music", "no") }
                #expect(error?.kind == .missing)
                #expect(error?.code == "NoSuchKey")
                #expect(error?.status == 404)
            }
        }
    }

    @Test func `ranges are cut at the end, and beyond it refused`() async throws {
        try await VerifyingServer.run { server in
            try await withS3(server) { (s3: S3) async throws in
                let bytes = noise(1_000)
                server.put(bytes, "music", "a")
                server.put([], "music", "empty")
                #expect(try await s3.read("music", "a", 0..<1) == [bytes[0]])
                #expect(try await s3.read("music", "a", 10..<20) == Array(bytes[10..<20]))
                #expect(try await s3.read("music", "a", 990..<5_000) == Array(bytes[990...]))
                #expect(try await s3.read("music", "empty") == [])
                for range: Range<UInt64> in [1_000..<1_001, 5..<5] {
                    let error = try await failure { _ = try await s3.read("music", "a", range) }
                    #expect(error?.kind == .refused)
                }
            }
        }
    }

    @Test func `a put only where nothing lies leaves what lies there`() async throws {
        try await VerifyingServer.run { server in
            try await withS3(server) { (s3: S3) async throws in
                try await s3.createBucket("music")
                let only = S3PutOptions(contentType: "audio/flac", ifAbsent: true)
                let first = try await s3.put([1], "music", "a", only)
                #expect(first != .exists)
                let count = server.requests.count
                #expect(try await s3.put([2], "music", "a", only) == .exists)
                // A 412 is an answer, not an accident: it is not asked twice.
                #expect(server.requests.count == count + 1)
                #expect(server.bytes("music", "a") == [1])
                #expect(try await s3.head("music", "a")?.contentType == "audio/flac")
            }
        }
    }

    @Test func `pinned reads do not read another object`() async throws {
        try await VerifyingServer.run { server in
            try await withS3(server) { (s3: S3) async throws in
                server.put([1], "music", "a")
                let etag = try await s3.head("music", "a")?.etag
                #expect(try await s3.read("music", "a", ifMatch: etag) == [1])
                server.put([2], "music", "a")
                let error = try await failure {
                    _ = try await s3.read("music", "a", ifMatch: etag)
                }
                #expect(error?.kind == .precondition)
            }
        }
    }

    @Test func `a long list comes in pages`() async throws {
        try await VerifyingServer.run { server in
            try await withS3(server) { (s3: S3) async throws in
                let keys = (0..<25).map { String(format: "p/%02d &+", $0) }
                for key in keys { server.put([1], "music", key) }
                server.put([1], "music", "q")
                var found: [String] = []
                var next: String?
                repeat {
                    let page = try await s3.list("music", prefix: "p/", limit: 10, next: next)
                    #expect(page.objects.count <= 10)
                    found += page.objects.map(\.key)
                    next = page.next
                } while next != nil
                #expect(found == keys)
                let rest = try await s3.list("music", after: "p/20 &+").objects.map(\.key)
                #expect(rest == keys[21...] + ["q"])
            }
        }
    }

    @Test func `a copy is the same object`() async throws {
        try await VerifyingServer.run { server in
            try await withS3(server) { (s3: S3) async throws in
                server.put(noise(10), "music", "a b+c")
                _ = try await s3.copy("music", "a b+c", to: "music", "d")
                #expect(server.bytes("music", "d") == noise(10))
            }
        }
    }

    @Test func `who has a presigned URL may read until it runs out`() async throws {
        try await VerifyingServer.run { server in
            server.allow("AKIDTEMPORARY", "s3cr3t", token: "to/ken+=")
            let stage = Stage()
            for credentials in [
                Credentials(
                    accessKeyID: VerifyingServer.accessKey,
                    secretAccessKey: VerifyingServer.secret),
                Credentials(
                    accessKeyID: "AKIDTEMPORARY", secretAccessKey: "s3cr3t",
                    sessionToken: "to/ken+="),
            ] {
                try await withS3(server, stage, credentials: credentials) { (s3: S3) async throws in
                    server.setClock { stage.now }
                    server.put([1, 2, 3], "music", "a b+é")
                    let url = try await s3.presign("GET", "music", "a b+é", seconds: 60)
                    #expect(!url.contains("s3cr3t"))
                    let address = try #require(URL(string: url))
                    #expect(try await fetch(address) == (200, [1, 2, 3]))
                    let other = try #require(
                        URL(string: url.replacingOccurrences(of: "a%20b", with: "a%20c")))
                    #expect(try await fetch(other).0 == 403)
                    stage.advance(61)
                    #expect(try await fetch(address).0 == 403)
                }
            }
        }
    }

    /// Without the client: a plain request.
    private func fetch(_ url: URL) async throws -> (Int, [UInt8]) {
        let components = try #require(URLComponents(url: url, resolvingAgainstBaseURL: false))
        let port = try #require(components.port)
        let received = Sink()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.pipeline.addHandler(Collector(received))
            }.connect(host: "127.0.0.1", port: port).get()
        let text =
            "GET \(components.percentEncodedPath)?\(components.percentEncodedQuery ?? "") HTTP/1.1\r\n"
            + "Host: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n"
        try await channel.writeAndFlush(ByteBuffer(string: text))
        try await channel.closeFuture.get()
        let bytes = received.bytes
        let status = Int(String(decoding: bytes.dropFirst(9).prefix(3), as: UTF8.self)) ?? 0
        let mark = Array("\r\n\r\n".utf8)
        let start = (0..<bytes.count).first { bytes[$0...].starts(with: mark) } ?? 0
        return (status, Array(bytes[(start + 4)...]))
    }

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let sink: Sink
        init(_ sink: Sink) { self.sink = sink }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            sink.take(unwrapInboundIn(data).readableBytesView)
        }
    }

    @Test func `a wrong secret is refused and says what to look at`() async throws {
        try await VerifyingServer.run { server in
            let wrong = Credentials(
                accessKeyID: VerifyingServer.accessKey, secretAccessKey: "not the secret")
            try await withS3(server, credentials: wrong) { (s3: S3) async throws in
                let error = try #require(
                    try await failure { _ = try await s3.list("music") })
                #expect(error.kind == .denied)
                #expect(error.code == "SignatureDoesNotMatch")
                #expect(error.text.contains("Check the credentials"))
                #expect(!"\(error)".contains("not the secret"))
                #expect(server.requests.count == 1)
            }
        }
    }
}
