// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import Synchronization
import TestRedis
import Testing

/// A service on loopback that answers each request with what a closure says; one thread a connection.
private final class Service: Sendable {
    let port: Int
    private let listener: Int32
    private let seen = Mutex<[String]>([])
    private let answer: @Sendable (String) -> String

    var requests: [String] { seen.withLock { $0 } }
    var url: String { "http://127.0.0.1:\(port)/work" }

    init(_ answer: @escaping @Sendable (String) -> String) throws {
        self.answer = answer
        #if os(Linux)
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        listener = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (listener, size) = (listener, length)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        try #require(isBound)
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread { [self] in serve(connection) }
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// Requests of small payloads, one after the other.
    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var text = ""
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(connection, &bytes, bytes.count)
            guard count > 0 else { return }
            text += String(decoding: bytes[..<count], as: UTF8.self)
            guard text.hasSuffix("\r\n\r\nx") else { continue }
            let request = text
            text = ""
            seen.withLock { $0.append(request) }
            let status = answer(request)
            let reply = Array("HTTP/1.1 \(status)\r\ncontent-length: 0\r\n\r\n".utf8)
            guard write(connection, reply, reply.count) == reply.count else { return }
        }
    }
}

@Suite struct `Push` {
    @Test func `each message is posted and settled by the status`() async throws {
        let service = try Service { request in
            request.contains("bad") ? "422 Unprocessable" : "200 OK"
        }
        defer { service.stop() }
        try await withPlace { place in
            let good = try await place.enqueue("mail", "welcome", "x")
            let bad = try await place.enqueue("mail", "welcome", "x", "--header", "note=bad")
            let outcome = try await place.godwit(
                "work", "mail", "--drain", "--http", service.url, "-o", "json",
                environment: ["GODWIT_PUSH_SECRET": "a secret"])
            #expect(outcome.status == 0, "\(outcome)")
            #expect(try outcome.object()["acked"] as? Int == 1)
            #expect(try outcome.object()["rejected"] as? Int == 1)
            #expect(try await place.state(of: good, in: "mail") == "completed")
            #expect(try await place.state(of: bad, in: "mail") == "dead")
            let request = try #require(service.requests.first { $0.contains(good) })
            let signature = try #require(
                request.split(separator: "\r\n").first { $0.hasPrefix("Godwit-Signature: ") })
            try WebhookSignature.check(
                String(signature.dropFirst(18)), body: Array("x".utf8),
                secrets: [WebhookSecret("a secret")], at: SystemTime().now())
        }
    }

    @Test(arguments: ["--http", "--grpc"])
    func `a signal gives back what waits for a service that is down, with no attempt used`(
        _ option: String
    ) async throws {
        // A port that nobody listens on any more.
        let service = try Service { _ in "200 OK" }
        service.stop()
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x", "--max-attempts", "1")
            let talk = try Spawned.pipe()
            defer {
                close(talk.reading)
                close(talk.writing)
            }
            let address = option == "--http" ? service.url : "127.0.0.1:\(service.port)"
            let worker = try Tool.godwit.start(
                ["work", "mail", option, address, "--broker", place.broker, "--grace", "10m"],
                in: place.folder, errors: talk.writing)
            // It says so when the service is left alone.
            await firstWords(from: talk.reading)
            worker.terminate()
            #expect(await worker.end() == .exit(0))
            let shown = try await place.godwit("job", "show", "mail", id, "-o", "json").object()
            #expect(shown["state"] as? String == "ready")
            #expect(shown["attempt"] as? Int == 0)
        }
    }

    @Test(arguments: [
        ["--http", "http://user:word@127.0.0.1/"], ["--http", "https://mail.example/"],
        ["--http", "http://mail.example/"], ["--grpc", "mail.example:50051"],
        ["--grpc", "127.0.0.1"], ["--grpc", "127.0.0.1:1", "--exec", "true"],
        ["--http", "http://127.0.0.1/", "--tls"], ["--exec", "true", "--plaintext"], [],
    ])
    func `what can't be a target is refused before anything is done, and no password shown`(
        _ arguments: [String]
    ) async throws {
        try await withPlace { place in
            let outcome = try await Tool.godwit.run(
                ["work", "mail", "--drain", "--broker", place.broker] + arguments,
                in: place.folder)
            #expect(outcome.status == 64, "\(outcome)")
            #expect(!outcome.err.contains("word@"))
            #expect(!FileManager.default.fileExists(atPath: place.file("jobs.db").path))
        }
    }
}
