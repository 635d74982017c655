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
                // Of an authority that did not sign it; of the system's.
                for query in ["?ca=\(client).crt", ""] {
                    await expectRefusal("grpcs://localhost:\(port)\(query)", text)
                }
            }
            // For another name.
            try await withDoor(broker) {
                $0.tls = .init(certificate: "\(client).crt", key: "\(client).key")
            } _: { port in
                for host in ["127.0.0.1", "localhost"] {
                    await expectRefusal("grpcs://\(host):\(port)?ca=\(client).crt", text)
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
                    await expectRefusal("grpcs://localhost:\(port)\(query)", text)
                }
            }
            #expect(try await broker.inspector.counts(of: "mail").ready == 1)
        }
    }

    /// Opening makes a call: who is not let in, or does not trust the door, gets no broker.
    private func expectRefusal(_ url: String, _ token: String) async {
        do {
            let remote = try await RemoteBroker(try RemoteURL(url), token: token)
            await remote.shutdown()
            Issue.record("\(url) was opened")
        } catch BrokerError.unavailable(let problem) {
            #expect(problem.advice.contains("certificate"))
        } catch {
            Issue.record("\(url): \(error)")
        }
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
