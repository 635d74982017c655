// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

@Suite struct `serve` {
    @Test func `hands out what another process enqueued, until it is told to end`() async throws {
        try await withPlace { place in
            _ = try await place.enqueue("mail", "welcome", "{}")
            let pipe = try Spawned.pipe()
            let server = try Tool.godwit.start(
                ["serve", "--http", "127.0.0.1:0", "--broker", place.broker], in: place.folder,
                errors: pipe.writing)
            close(pipe.writing)
            let said = await firstLine(from: pipe.reading)
            let port = said.split(separator: ":").last
                .flatMap { UInt16($0.prefix { $0.isNumber }) }
            let answer = await fetch("/metrics", from: try #require(port, "\(said)"))
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            #expect(answer.contains(#"godwit_jobs{queue="mail",state="ready"} 1.0"#))
            server.terminate()
            #expect(await server.end().status == 0)
            close(pipe.reading)
        }
    }

    @Test(arguments: [
        (["--http", "0.0.0.0:0"], [:], "GODWIT_TOKEN"),
        (["--http", "0.0.0.0:0"], ["GODWIT_TOKEN": "short"], "16 or more"),
        (["--http", "queue.example:80"], [:], "no address to listen on"),
    ])
    func `refuses to be open by mistake`(
        arguments: [String], environment: [String: String], says: String
    ) async throws {
        try await withPlace { place in
            let outcome = try await Tool.godwit.run(
                ["serve"] + arguments + ["--broker", place.broker], environment: environment)
            #expect(outcome.status == 64, "\(outcome)")
            #expect(outcome.err.contains(says), "\(outcome)")
        }
    }

    private func firstLine(from descriptor: Int32) async -> String {
        await offThePool {
            var line: [UInt8] = []
            var byte: UInt8 = 0
            while byte != UInt8(ascii: "\n") {
                let count = read(descriptor, &byte, 1)
                if count < 0, errno == EINTR { continue }
                guard count == 1 else { break }
                line.append(byte)
            }
            return String(decoding: line, as: UTF8.self)
        }
    }

    /// The whole answer, head and body.
    private func fetch(_ path: String, from port: UInt16) async -> String {
        await offThePool {
            #if os(Linux)
            let stream = Int32(SOCK_STREAM.rawValue)
            #else
            let stream = SOCK_STREAM
            #endif
            let descriptor = socket(AF_INET, stream, 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let isConnected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            guard isConnected else { return "no connection" }
            let request = Array(
                "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".utf8)
            guard write(descriptor, request, request.count) == request.count else { return "" }
            var answer: [UInt8] = []
            var bytes = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = read(descriptor, &bytes, bytes.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                answer += bytes[..<count]
            }
            return String(decoding: answer, as: UTF8.self)
        }
    }

    /// Why a thread: reading blocks, and the tasks' threads are few.
    private func offThePool(_ body: @escaping @Sendable () -> String) async -> String {
        await withCheckedContinuation { done in
            Thread.detachNewThread { done.resume(returning: body()) }
        }
    }
}
