// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import Godwit
import GodwitIngest
import GodwitMonitor
import GodwitTesting
import Synchronization
import TestAWS
import Testing

@Suite struct NotifierTests {
    private let secrets = ["the secret in use, long", "the secret to come, long"]

    private func pipeline(_ scene: Scene, port: Int) throws -> Pipeline {
        let notifier = Notifier(
            try WebhookURL("http://127.0.0.1:\(port)/hook"),
            secrets: secrets.map { WebhookSecret($0) },
            hosts: try DialGuard(list: "127.0.0.1:\(port)"))
        return scene.pipeline().stage("analyse", Counted())
            .stage("publish") { try await Publication().publish($0, $1) }
            .stage("notify", retry: .constant(.seconds(9))) { try await notifier.notify($0, $1) }
    }

    @Test func `The backend gets one signed call that either secret proves`() async throws {
        let calls = Mutex<[LoopbackServer.Request]>([])
        try await LoopbackServer.run { request in
            calls.withLock { $0.append(request) }
            return .init(204)
        } _: { server in
            try await withScene { scene in
                let pipeline = try pipeline(scene, port: server.port)
                let track = try await scene.upload(pipeline)
                #expect(try await scene.drain(pipeline).last == [.ack])
                let call = try #require(calls.withLock { $0.first })
                #expect(calls.withLock { $0.count } == 1)
                let body = try call.body.object()
                #expect(Set(body.keys) == ["id", "type", "time", "track", "result"])
                #expect(
                    body["result"] as? String == scene.output.key(ending: "/result.json"))
                #expect((body["track"] as? [String: Any])?["key"] as? String == track.key)
                // Made here from the scheme, not by the code that made the header.
                let header = try #require(call.header("Godwit-Signature"))
                let parts = header.split(separator: ",").map(String.init)
                let time = try #require(parts.first { $0.hasPrefix("t=") }?.dropFirst(2))
                for secret in secrets {
                    let code = HMAC<SHA256>.authenticationCode(
                        for: Array("\(time).".utf8) + call.body,
                        using: SymmetricKey(data: Array(secret.utf8)))
                    #expect(parts.contains("v1=" + Hex.string(Array(code))))
                }
            }
        }
    }

    @Test(arguments: [
        (500, "", "policy"), (408, "", "policy"), (429, "30", "later"), (503, "30", "later"),
        (404, "", "reject"), (401, "", "reject"), (302, "", "reject"),
    ])
    func `What the backend answers decides`(_ status: Int, _ after: String, _ end: String)
        async throws
    {
        let headers = after.isEmpty ? [] : [("retry-after", after)]
        try await LoopbackServer.run { _ in
            .init(status, headers, text: "no")
        } _: { server in
            try await withScene { scene in
                let pipeline = try pipeline(scene, port: server.port)
                try await scene.upload(pipeline)
                let verdict = try #require(try await scene.drain(pipeline).last?.first)
                switch (end, verdict) {
                case ("policy", .retry(after: .seconds(9), _)): break
                case ("later", .retry(let wait, _)):
                    #expect((.seconds(30) ... .seconds(38)).contains(wait))
                case ("reject", .reject): break
                default: Issue.record("\(status) ended as \(verdict)")
                }
            }
        }
    }

    @Test func `A dead endpoint holds up its own queue alone, and the id stays`() async throws {
        let bodies = Mutex<[[UInt8]]>([])
        try await LoopbackServer.run { request in
            bodies.withLock { $0.append(request.body) }
            return .drop
        } _: { server in
            try await withScene { scene in
                let pipeline = try pipeline(scene, port: server.port)
                for name in ["a.wav", "b.wav", "c.wav"] {
                    try await scene.upload(pipeline, name, name)
                }
                let verdicts = try await scene.drain(pipeline)
                #expect(verdicts[0].count == 3)
                #expect(verdicts[1].count == 3)
                #expect(scene.output.keys.filter { $0.hasSuffix("/result.json") }.count == 3)
                let counts = try await scene.test.broker.inspector.counts(of: "notify")
                #expect(counts.scheduled == 3)
                scene.test.advance(by: .seconds(10))
                try await scene.drain(pipeline)
                let ids = try bodies.withLock { $0 }.map { try $0.object()["id"] as? String }
                #expect(ids.count == 6)
                #expect(Set(ids).count == 3)
            }
        }
    }
}
