// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import Synchronization
import Testing

/// Answers for every name, and counts how often it was asked.
final class StandInResolver: HostResolver {
    private let answers: @Sendable (Int) -> [NetworkAddress]
    private let log = Asked()

    init(_ answers: @escaping @Sendable (Int) -> [NetworkAddress]) { self.answers = answers }

    convenience init(_ address: String) {
        let found = NetworkAddress(address).map { [$0] } ?? []
        self.init { _ in found }
    }

    var asked: Int { log.count }

    func addresses(of host: String) async throws -> [NetworkAddress] { answers(log.next()) }

    private final class Asked: Sendable {
        private let number = Mutex(0)
        var count: Int { number.withLock { $0 } }
        func next() -> Int {
            number.withLock { number in
                number += 1
                return number - 1
            }
        }
    }
}

@Suite struct `Webhooks` {
    private let name = "hooks.example.test"

    /// Posts to a listed host whose name exists nowhere but in the resolver of the test.
    private func post(
        to server: HookServer, path: String = "/hook?a=b", deadline: Duration = .seconds(60),
        headers: [(String, String)] = []
    ) async throws -> Webhook.Outcome {
        let webhook = Webhook(
            DialGuard(listed: [.init(host: name, port: server.port)]),
            resolver: StandInResolver("127.0.0.1"), deadline: deadline)
        return await webhook.post(
            Array("{}".utf8), to: try WebhookURL("http://\(name):\(server.port)\(path)"),
            headers: headers)
    }

    private func timed<Result>(
        _ body: () async throws -> Result
    ) async rethrows -> (Result, Duration) {
        let start = ContinuousClock.now
        let result = try await body()
        return (result, ContinuousClock.now - start)
    }

    @Test
    func `the checked address is dialled, with the name as Host`() async throws {
        try await HookServer.run { server in
            let outcome = try await post(to: server, headers: [("Godwit-Signature", "t=1,v1=00")])
            #expect(outcome == .delivered(status: 200))
            let request = try #require(server.requests.first)
            #expect(request.lines.first == "POST /hook?a=b HTTP/1.1")
            #expect(request.header("host") == "\(name):\(server.port)")
            #expect(request.header("content-type") == "application/json")
            #expect(request.header("godwit-signature") == "t=1,v1=00")
            #expect(request.text == "{}")
        }
    }

    @Test
    func `with TLS the name is the SNI, and a certificate that is none gets no byte of the body`()
        async throws
    {
        try await HookServer.run { server in
            let webhook = Webhook(
                DialGuard(listed: [.init(host: name, port: server.port)]),
                resolver: StandInResolver("127.0.0.1"), deadline: .seconds(60))
            let outcome = await webhook.post(
                Array("SECRET-BODY".utf8), to: try WebhookURL("https://\(name):\(server.port)/x"),
                headers: [])
            guard case .later = outcome else {
                Issue.record("it said \(outcome)")
                return
            }
            let hello = String(decoding: server.firstBytes, as: UTF8.self)
            #expect(server.firstBytes.first == 0x16, "a TLS handshake")
            #expect(hello.contains(name))
            #expect(!hello.contains("SECRET-BODY"))
            #expect(server.requests.isEmpty)
        }
    }

    @Test
    func `a name is resolved once, so a second answer can't lead elsewhere`() async throws {
        try await HookServer.run { inner in
            // First a public address (of the documentation's kind is refused, so a real one that
            // nobody dials in the test), then loopback, as in DNS rebinding.
            let resolver = StandInResolver { number in
                [NetworkAddress(bytes: number == 0 ? [10, 0, 0, 1] : [127, 0, 0, 1])].compactMap {
                    $0
                }
            }
            let webhook = Webhook(DialGuard(ports: [443, inner.port]), resolver: resolver)
            let outcome = await webhook.post(
                [], to: try WebhookURL("https://\(name):\(inner.port)/x"), headers: [])
            guard case .refused(let reason) = outcome else {
                Issue.record("it said \(outcome)")
                return
            }
            #expect(reason.contains("10.0.0.1"))
            #expect(resolver.asked == 1)
            #expect(inner.connections == 0)
        }
    }

    @Test
    func `what resolves to an inner address is not dialled`() async throws {
        try await HookServer.run { inner in
            for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"] {
                let webhook = Webhook(
                    DialGuard(ports: [inner.port]), resolver: StandInResolver(address))
                let outcome = await webhook.post(
                    [], to: try WebhookURL("https://\(name):\(inner.port)/x"), headers: [])
                guard case .refused = outcome else {
                    Issue.record("\(address) gave \(outcome)")
                    continue
                }
            }
            #expect(inner.connections == 0)
        }
    }

    @Test
    func `localhost of the real resolver is refused`() async throws {
        let outcome = await Webhook(DialGuard()).post(
            [], to: try WebhookURL("https://localhost/x"), headers: [])
        guard case .refused(let reason) = outcome else {
            Issue.record("it said \(outcome)")
            return
        }
        #expect(reason.contains("loopback"))
    }

    @Test(arguments: [301, 302, 303, 307, 308])
    func `a redirect is not followed`(_ status: Int) async throws {
        try await HookServer.run { inner in
            let port = inner.port
            for place in ["http://127.0.0.1:\(port)/", "http://169.254.169.254/latest/meta-data"] {
                try await HookServer.run { _, _ in
                    .status(status, headers: ["location: \(place)"])
                } _: { server in
                    guard case .refused(let reason) = try await post(to: server) else {
                        Issue.record("a redirect was taken for an answer")
                        return
                    }
                    #expect(reason.contains("redirect"))
                    #expect(server.requests.count == 1)
                }
            }
            #expect(inner.connections == 0)
        }
    }

    @Test
    func `an endless answer is read to 64 KiB and no further`() async throws {
        for status in [200, 500] {
            try await HookServer.run { _, _ in
                .endless(status)
            } _: { server in
                let (outcome, time) = try await timed { try await post(to: server) }
                if status == 200 {
                    #expect(outcome == .delivered(status: 200))
                } else if case .later(let reason, _) = outcome {
                    #expect(reason.utf8.count < 400)
                } else {
                    Issue.record("it said \(outcome)")
                }
                #expect(time < .seconds(300))
                // What lies in the sockets of both sides comes on top of what was read.
                #expect(server.sent < 16 << 20)
            }
        }
    }

    @Test
    func `headers that trickle and answers that never come end at the deadline`() async throws {
        for manner in [HookServer.Manner.trickle, .silence] {
            try await HookServer.run { _, _ in
                manner
            } _: { server in
                let (outcome, time) = try await timed {
                    try await post(to: server, deadline: .milliseconds(300))
                }
                guard case .later = outcome else {
                    Issue.record("it said \(outcome)")
                    return
                }
                #expect(time >= .milliseconds(290))
                #expect(time < .seconds(300))
            }
        }
    }

    @Test
    func `a resolver that never answers ends at the deadline too`() async throws {
        struct Silent: HostResolver {
            func addresses(of host: String) async throws -> [NetworkAddress] {
                try await Task.sleep(for: .seconds(3600))
                return []
            }
        }
        let webhook = Webhook(DialGuard(), resolver: Silent(), deadline: .milliseconds(200))
        let (outcome, time) = try await timed {
            await webhook.post([], to: try WebhookURL("https://\(name)/x"), headers: [])
        }
        guard case .later = outcome else {
            Issue.record("it said \(outcome)")
            return
        }
        #expect(time < .seconds(300))
    }

    @Test
    func `nobody there, and a connection that is cut, are for later`() async throws {
        let port = try await HookServer.run { $0.port }
        let webhook = Webhook(
            DialGuard(listed: [.init(host: name, port: port)]),
            resolver: StandInResolver("127.0.0.1"))
        let outcome = await webhook.post(
            [], to: try WebhookURL("http://\(name):\(port)/SECRETpath"), headers: [])
        guard case .later(let reason, _) = outcome else {
            Issue.record("it said \(outcome)")
            return
        }
        #expect(reason.contains(name))
        #expect(!reason.contains("SECRETpath"))
        try await HookServer.run { _, _ in
            .cut
        } _: { server in
            guard case .later = try await post(to: server) else {
                Issue.record("a cut answer was taken for one")
                return
            }
        }
    }

    @Test
    func `each status says whether to come again`() async throws {
        for (status, isLater) in [
            (400, false), (401, false), (403, false), (404, false), (410, false), (408, true),
            (425, true), (429, true), (500, true), (502, true), (503, true), (200, nil),
            (204, nil),
        ] as [(Int, Bool?)] {
            try await HookServer.run { _, _ in
                .status(status, body: "\u{1B}[31mno")
            } _: { server in
                switch try await post(to: server) {
                case .delivered: #expect(isLater == nil, "\(status)")
                case .later(let reason, _):
                    #expect(isLater == true, "\(status)")
                    #expect(!reason.contains("\u{1B}"))
                case .refused: #expect(isLater == false, "\(status)")
                }
            }
        }
    }

    @Test
    func `Retry-After is read as seconds and as a date, and bounded`() async throws {
        let now = Timestamp(milliseconds: 1_767_225_600_000)
        #expect(Webhook.delay("7", at: now) == .seconds(7))
        #expect(Webhook.delay("0", at: now) == .seconds(1))
        #expect(Webhook.delay("999999999999999999999999", at: now) == .seconds(3600))
        #expect(Webhook.delay("Sun, 06 Nov 1994 08:49:37 GMT", at: now) == .seconds(1))
        let leap = Timestamp(milliseconds: 1_709_164_800_000)  // 29 February 2024
        #expect(Webhook.delay("Thu, 29 Feb 2024 00:10:00 GMT", at: leap) == .seconds(600))
        #expect(
            Webhook.delay("Fri, 01 Mar 2024 00:00:30 GMT", at: leap + .seconds(86_400))
                == .seconds(30))
        #expect(Webhook.delay("Thu, 01 Jan 2026 00:02:00 GMT", at: now) == .seconds(120))
        #expect(Webhook.delay("Thu, 01 Jan 2020 00:00:00 GMT", at: now) == .seconds(1))
        for wrong in [
            "", "-1", "nan", "1e9", "soon", "Thu, 99 Jan 2026 00:02:00 GMT",
            String(repeating: "9", count: 100),
        ] {
            #expect(Webhook.delay(wrong, at: now) == nil)
        }
        try await HookServer.run { _, _ in
            .status(429, headers: ["retry-after: 9"])
        } _: { server in
            guard case .later(_, let after) = try await post(to: server) else {
                Issue.record("a 429 was taken for an answer")
                return
            }
            #expect(after == .seconds(9))
        }
    }

    @Test
    func `a header with a line end is never sent`() async throws {
        try await HookServer.run { server in
            for (name, value) in [
                ("X", "a\r\nB: c"), ("X", "a\nb"), ("X\r\nY", "a"), ("X", "\u{0}"), ("", "a"),
                ("X Y", "a"),
            ] {
                guard case .refused = try await post(to: server, headers: [(name, value)]) else {
                    Issue.record("\(name) was sent")
                    return
                }
            }
            #expect(server.connections == 0)
        }
    }

    @Test
    func `a cancelled delivery ends at once`() async throws {
        try await HookServer.run { _, _ in
            .silence
        } _: { server in
            let (_, time) = try await timed {
                let task = Task { try await post(to: server, deadline: .seconds(3600)) }
                while server.requests.isEmpty { await Task.yield() }
                task.cancel()
                _ = try await task.value
            }
            #expect(time < .seconds(300))
        }
    }
}
