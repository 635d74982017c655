// SPDX-License-Identifier: Apache-2.0
import Foundation
import RedisClient
import TestRedis
import Testing

@Suite struct `Credentials` {
    @Test func `a password opens the server, a wrong or missing one is told apart`() async throws {
        try await withServer(["--requirepass", "s3cret"]) { server in
            try await withClient("redis+unix://:s3cret@\(server.socketPath)") { client in
                let pong = try await client.send(RedisCommand("PING"))
                #expect(pong.string == "PONG")
            }
            try await withClient("redis+unix://:wr0ng@\(server.socketPath)") { client in
                let error = await failure { _ = try await client.send(RedisCommand("PING")) }
                #expect(error?.kind == .wrongPassword)
                #expect(error.map { "\($0)".contains("wr0ng") } == false)
            }
            try await withClient(server.url) { client in
                let error = await failure { _ = try await client.send(RedisCommand("PING")) }
                #expect(error?.kind == .noAuth)
            }
        }
    }

    @Test func `an ACL user has its own rights, and scripts work without SCRIPT LOAD`() async throws
    {
        let script = RedisScript(name: "s", source: "return redis.call('GET', KEYS[1])")
        try await withServer([
            "--user", "worker", "on", ">pw", "~k:*", "+get", "+set", "+eval", "+evalsha", "+ping",
        ]) { server in
            let url = "redis+unix://worker:pw@\(server.socketPath)"
            try await withClient(url, scripts: [script]) { client in
                _ = try await client.send(RedisCommand(["SET", "k:1", "v"]))
                let other = await failure {
                    _ = try await client.send(RedisCommand(["SET", "x", "v"]))
                }
                #expect(other?.kind == .noPermission)
                let forbidden = await failure {
                    _ = try await client.send(RedisCommand(["FLUSHALL"]))
                }
                #expect(forbidden?.kind == .noPermission)
                #expect(try await client.evalsha(script, keys: ["k:1"]).string == "v")
            }
        }
    }

    @Test func `a password off this machine is refused before anything is sent`() {
        let error = #expect(throws: RedisError.self) {
            try RedisClient(RedisURL("redis://:hunter2@192.0.2.1"))
        }
        #expect(error?.kind == .invalid)
        #expect(error.map { "\($0)".contains("hunter2") } == false)
    }
}

@Suite struct `TLS` {
    @Test func `the right name is accepted, a wrong name or stranger refused`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (good, wrong) = (
            folder.appendingPathComponent("good").path, folder.appendingPathComponent("wrong").path
        )
        try await certificate(good, "DNS:localhost,IP:127.0.0.1")
        try await certificate(wrong, "DNS:other.example")
        for (name, trusted, isGood) in [
            (good, good, true), (wrong, wrong, false), (good, wrong, false),
        ] {
            let port = try RedisServer.freePort()
            let arguments = [
                "--tls-port", "\(port)", "--tls-cert-file", "\(name).crt", "--tls-key-file",
                "\(name).key",
                "--tls-ca-cert-file", "\(name).crt", "--tls-auth-clients", "no", "--requirepass",
                "pw",
            ]
            try await withServer(arguments) { server in
                for host in ["localhost", "127.0.0.1"] {
                    try await withClient("rediss://:pw@\(host):\(port)?ca-file=\(trusted).crt") {
                        client in
                        let error = await failure {
                            let pong = try await client.send(RedisCommand("PING"))
                            #expect(pong.string == "PONG")
                        }
                        if isGood {
                            #expect(error == nil)
                        } else {
                            #expect(error?.kind == .unavailable, "\(host)")
                        }
                    }
                }
            }
        }
    }

    @Test func `a missing authority file is told at once`() {
        let error = #expect(throws: RedisError.self) {
            try RedisClient(RedisURL("rediss://localhost?ca-file=/nowhere.pem"))
        }
        #expect(error?.kind == .invalid && error?.text.contains("/nowhere.pem") == true)
    }

    private func certificate(_ path: String, _ names: String) async throws {
        // It talks a lot, and only to the terminal: its words are of no use.
        let nowhere = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(nowhere) }
        let end = try await ChildProcess(
            "/usr/bin/env",
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test",
                "-addext", "subjectAltName=\(names)", "-keyout", "\(path).key", "-out",
                "\(path).crt",
            ], input: nowhere, output: nowhere, errors: nowhere
        ).end()
        #expect(end == .exit(0))
    }
}
