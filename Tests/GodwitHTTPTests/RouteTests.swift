// SPDX-License-Identifier: Apache-2.0
import CoreMetrics
import Foundation
import Godwit
import GodwitHTTP
import GodwitMonitor
import GodwitTesting
import Testing

private struct Ping: Job {}

@Suite struct `The routes` {
    let test = QueueTest()
    let metrics = OpenMetricsFactory()

    @Test func `of metrics answer in the format that was asked for`() async throws {
        let queue = withMetricsFactory(metrics) { test.queue("mail") }
        try await queue.enqueue(contentsOf: [Ping(), Ping()])
        try await withServer(test.broker, metrics: metrics) { server in
            let open = try await server.get("/metrics")
            #expect(open.status == 200)
            #expect(
                open.headers["content-type"]
                    == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(open.headers["cache-control"] == "no-store")
            #expect(open.text.hasSuffix("# EOF\n"))
            #expect(open.text.contains("godwit_enqueued_total{queue=\"mail\",kind=\"Ping\"} 2\n"))
            #expect(open.text.contains("godwit_jobs{queue=\"mail\",state=\"ready\"} 2.0\n"))
            let plain = try await server.get("/metrics", [("Accept", "text/plain")])
            #expect(plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(!plain.text.contains("# EOF"))
        }
    }

    @Test func `of scale answer for one queue`() async throws {
        let queue = test.queue("mail")
        try await queue.enqueue(contentsOf: (0..<6).map { _ in Ping() })
        test.advance(by: .seconds(12))
        try await withServer(test.broker, metrics: metrics) { server in
            let scale = try await server.get("/scale?queue=mail")
            #expect(scale.status == 200)
            #expect(scale.headers["content-type"] == "application/json")
            struct Scale: Decodable, Equatable {
                var oldestSeconds: Double
                var ready: Int
                var leased: Int
                var slots: Int
                var suggestedSlots: Int
            }
            #expect(
                try JSONDecoder().decode(Scale.self, from: Data(scale.body))
                    == Scale(
                        oldestSeconds: 12, ready: 6, leased: 0, slots: 0, suggestedSlots: 1))
            #expect(try await server.get("/scale").status == 400)
            #expect(try await server.get("/scale?queue=none").status == 404)
        }
    }

    @Test func `of health follow the store, and metrics are there without it`() async throws {
        let queue = withMetricsFactory(metrics) { test.queue("mail") }
        try await queue.enqueue(Ping())
        try await withServer(test.broker, metrics: metrics) { server in
            let health = try await server.get("/health")
            #expect(health.status == 200)
        }
        await test.broker.shutdown()
        try await withServer(test.broker, metrics: metrics) { server in
            let health = try await server.get("/health")
            #expect(health.status == 503)
            #expect(health.text.contains(#""store":"down""#))
            let metrics = try await server.get("/metrics")
            #expect(metrics.status == 200)
            #expect(metrics.text.contains("godwit_store_up 0.0\n"))
            #expect(metrics.text.contains("godwit_enqueued_total{"))
            #expect(try await server.get("/scale?queue=mail").status == 503)
        }
    }
}

@Suite struct `Access` {
    let test = QueueTest()

    @Test func `is for those who name a host of ours`() async throws {
        try await withServer(test.broker, hosts: ["queue.example"]) { server in
            let port = server.address.port
            for host in [
                "127.0.0.1:\(port)", "localhost:\(port)", "LOCALHOST", "[::1]:\(port)",
                "queue.example", "Queue.Example:80",
            ] {
                let answer = try await server.get("/metrics", [("Host", host)])
                #expect(answer.status == 200, "\(host)")
            }
            for host in [
                "evil.example", "evil.example:\(port)", "127.0.0.1.evil.example", "10.0.0.7",
                "localhost.evil.example", "127.0.0.1@evil.example", "[::1].evil.example",
            ] {
                let answer = try await server.get("/metrics", [("Host", host)])
                #expect(answer.status == 421, "\(host)")
            }
        }
    }

    @Test func `is for those who have the token, where there is one`() async throws {
        let token = "0123456789abcdef-token"
        try await withServer(test.broker, on: "0.0.0.0:0", token: token) { server in
            #expect(try await server.get("/metrics").status == 401)
            for wrong in ["Bearer", "Bearer ", "Bearer \(token)x", "Bearer x", "Basic \(token)"] {
                let answer = try await server.get("/metrics", [("Authorization", wrong)])
                #expect(answer.status == 401, "\(wrong)")
                #expect(answer.headers["www-authenticate"] == "Bearer")
            }
            let answer = try await server.get("/metrics", [("Authorization", "Bearer \(token)")])
            #expect(answer.status == 200)
        }
    }

    @Test func `from outside needs a token or a word that it does not`() throws {
        let open = try #require(ListenAddress("0.0.0.0:0"))
        let metrics = OpenMetricsFactory()
        #expect(throws: MonitorServerError.open(open)) {
            try MonitorServer(test.broker, metrics: metrics, on: open)
        }
        #expect(throws: MonitorServerError.weakToken) {
            try MonitorServer(test.broker, metrics: metrics, on: open, token: "short")
        }
        _ = try MonitorServer(test.broker, metrics: metrics, on: open, allowsAnybody: true)
        _ = try MonitorServer(test.broker, metrics: metrics)
    }

    @Test(arguments: [
        ("127.0.0.1:9464", true), ("[::1]:0", true), (":9464", true), ("localhost:1", true),
        ("127.8.8.8:1", true), ("0.0.0.0:9464", false), ("[::]:9464", false),
        ("10.1.2.3:80", false),
    ])
    func `knows what is loopback`(text: String, isLoopback: Bool) throws {
        #expect(try #require(ListenAddress(text)).isLoopback == isLoopback)
    }

    @Test(arguments: [
        "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
        "example.com:80", "127.0.0:1", "1270.0.0.1:1", "::1:80", "[127.0.0.1]:1", "[::1:1",
    ])
    func `takes no address that is none`(text: String) {
        #expect(ListenAddress(text) == nil)
    }
}
