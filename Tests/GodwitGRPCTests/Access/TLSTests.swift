// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitGRPC
import Testing

/// Doors with certificates, and clients with and without.
@Suite("TLS", .timeLimit(.minutes(1))) struct TLSTests {
    @Test func `a client trusts whom it was told to, by name and by address`() async throws {
        try await withCertificates { server, client in
            let broker = MemoryBroker()
            let text = try await token("t", "*:produce", on: broker)
            try await withDoor(broker) {
                $0.tls = .init(certificate: "\(server).crt", key: "\(server).key")
            } _: { port in
                for host in ["127.0.0.1", "localhost"] {
                    try await withRemote(
                        port, token: text, query: "?ca=\(server).crt", scheme: "grpcs", host: host
                    ) { remote in
                        let outcomes = try await remote.enqueue([.sample], to: "mail")
                        #expect(outcomes.count == 1)
                    }
                }
                // Of an authority that did not sign it; of the system's; for another name.
                for (host, query) in [
                    ("localhost", "?ca=\(client).crt"), ("localhost", ""),
                    ("127.0.0.2", "?ca=\(server).crt"),
                ] {
                    try await knock("grpcs://\(host):\(port)\(query)", text)
                }
            }
            #expect(try await broker.inspector.counts(of: "mail").ready == 2)
        }
    }

    @Test func `a door that wants certificates of clients lets nobody in without`() async throws {
        try await withCertificates { server, client in
            let broker = MemoryBroker()
            let text = try await token("t", "*:produce", on: broker)
            try await withDoor(broker) {
                $0.tls = .init(
                    certificate: "\(server).crt", key: "\(server).key",
                    clientAuthorities: "\(client).crt")
            } _: { port in
                let ca = "?ca=\(server).crt"
                try await withRemote(
                    port, token: text, query: "\(ca)&cert=\(client).crt&key=\(client).key",
                    scheme: "grpcs", host: "localhost"
                ) { remote in
                    let outcomes = try await remote.enqueue([.sample], to: "mail")
                    #expect(outcomes.count == 1)
                }
                for query in [ca, "\(ca)&cert=\(server).crt&key=\(server).key"] {
                    try await knock("grpcs://localhost:\(port)\(query)", text)
                }
            }
            #expect(try await broker.inspector.counts(of: "mail").ready == 1)
        }
    }

    /// Tries to enqueue for a second. Why for a time: a client that is not let in goes on trying; what
    /// counts is that nothing was enqueued.
    private func knock(_ url: String, _ token: String) async throws {
        let remote = try await RemoteBroker(try RemoteURL(url), token: token)
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { _ = try? await remote.enqueue([.sample], to: "mail") }
            tasks.addTask { try? await Task.sleep(for: .seconds(1)) }
            await tasks.next()
            tasks.cancelAll()
        }
        await remote.shutdown()
    }

    private func withCertificates(
        _ body: (_ server: String, _ client: String) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "godwit-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, names) in [
            ("server", "DNS:localhost,IP:127.0.0.1"), ("client", "DNS:client"),
        ] {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=\(name)",
                "-addext", "subjectAltName=\(names)", "-keyout",
                folder.appendingPathComponent("\(name).key").path, "-out",
                folder.appendingPathComponent("\(name).crt").path,
            ]
            process.standardError = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }
        try await body(
            folder.appendingPathComponent("server").path,
            folder.appendingPathComponent("client").path)
    }
}
