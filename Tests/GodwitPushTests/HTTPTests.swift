// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import GodwitPush
import GodwitTesting
import NIOHTTP1
import Testing

@Suite struct `HTTP` {
    @Test func `a message arrives whole, described and signed`() async throws {
        try await HTTPService.run { service in
            try await Scene.http(service).running { scene in
                let id = try await scene.enqueue(
                    #"{"n":1}"#,
                    .headers(["Trace-Id": "7f", "x y\r\nevil": "a\r\nb: c%", "naïve": " ü "]))
                #expect(try await scene.drain() == [.ack])
                let request = try #require(service.requests.first)
                #expect(request.method == "POST" && request.path == "/work?key=k")
                #expect(request.body == Array(#"{"n":1}"#.utf8))
                let headers = request.headers
                #expect(headers["content-type"] == ["application/json"])
                #expect(headers["content-length"] == ["7"])
                #expect(headers["godwit-id"] == ["\(id)"])
                #expect(headers["godwit-kind"] == ["job"])
                #expect(headers["godwit-queue"] == ["work"])
                #expect(headers["godwit-attempt"] == ["1"])
                #expect(headers["godwit-count"] == ["1"])
                #expect(headers["godwit-header-trace-id"] == ["7f"])
                #expect(headers["godwit-header-x-y--evil"] == ["a%0D%0Ab: c%25"])
                #expect(headers["godwit-header-na--ve"] == ["%20%C3%BC%20"])
                #expect(headers["evil"].isEmpty && headers["b"].isEmpty)
                try WebhookSignature.check(
                    headers.first(name: WebhookSignature.header), body: request.body,
                    secrets: [Scene.secret], at: SystemTime().now())
                #expect(throws: WebhookSignature.Refusal.wrong) {
                    try WebhookSignature.check(
                        headers.first(name: WebhookSignature.header), body: request.body,
                        secrets: [WebhookSecret("another")], at: SystemTime().now())
                }
            }
        }
    }

    @Test func `a message without a payload is judged like any other`() async throws {
        try await HTTPService.run { service in
            try await Scene.http(service).running { scene in
                try await scene.enqueue("")
                #expect(try await scene.drain() == [.ack])
                #expect(service.requests.first?.body == [])
            }
        }
    }

    @Test func `what the service answers settles the message`() async throws {
        let script: [HTTPService.Manner] = [
            .status(200, body: "thanks"), .status(422, body: "no such user"),
            .status(429, headers: [("Retry-After", "120")]), .status(500),
            .status(302, headers: [("Location", "http://127.0.0.1:1/")]),
        ]
        try await HTTPService.run({ _, number in script[number] }) { service in
            try await Scene.http(service).running { scene in
                for _ in script { try await scene.enqueue() }
                #expect(
                    try await scene.drain() == [
                        .ack, .reject("the service answered 422: no such user"),
                        .retry(after: .seconds(120), reason: "the service answered 429"),
                        .retry(after: .seconds(7), reason: "the service answered 500"),
                        .retry(
                            after: .seconds(7),
                            reason: "the service answered 302, a redirect, which is not followed"),
                    ])
                #expect(service.requests.count == script.count)
            }
        }
    }

    @Test func `the connection is used again`() async throws {
        try await HTTPService.run({ _, number in
            number % 2 == 0 ? .status(204) : .status(500, body: "x")
        }) { service in
            // Why one: an answer may be here before its connection is free, and another is opened.
            try await Scene.http(service) { $0.connections = 1 }.running { scene in
                for _ in 0..<20 { try await scene.enqueue() }
                #expect(try await scene.drain().count == 20)
                #expect(service.connections == 1)
            }
        }
    }

    @Test(arguments: ["p", ""])
    func `a service that says nothing is left at the deadline`(_ payload: String) async throws {
        try await HTTPService.run({ _, _ in .silence }) { service in
            try await Scene.http(service) { $0.lease = .milliseconds(500) }.running { scene in
                try await scene.enqueue(payload)
                guard case .retry(_, let reason) = try await scene.drain()[0] else {
                    Issue.record("it is no retry")
                    return
                }
                #expect(reason.contains("did not answer within 0.3 seconds"))
            }
        }
    }

    @Test(arguments: [200, 500])
    func `a body without an end is not read to it, and its status counts`(
        _ status: Int
    ) async throws {
        try await HTTPService.run({ _, _ in .endless(status) }) { service in
            try await Scene.http(service).running { scene in
                try await scene.enqueue()
                switch try await scene.drain()[0] {
                case .ack: #expect(status == 200)
                case .retry(_, let reason): #expect(status == 500 && reason.utf8.count < 1200)
                case let verdict: Issue.record("\(verdict)")
                }
            }
        }
    }

    @Test func `an answer that breaks off is no ack`() async throws {
        try await HTTPService.run({ _, _ in .broken(200) }) { service in
            try await Scene.http(service).running { scene in
                try await scene.enqueue()
                guard case .retry(_, let reason) = try await scene.drain()[0] else {
                    Issue.record("it is no retry")
                    return
                }
                #expect(reason.contains("broke off"))
            }
        }
    }

    @Test(arguments: ["p", ""])
    func `while the service is down messages wait and use no attempt`(
        _ payload: String
    ) async throws {
        let port = try await HTTPService.freePort()
        let scene = try Scene(
            .http("http://127.0.0.1:\(port)/", secrets: [Scene.secret]))
        try await scene.running { scene in
            let id = try await scene.enqueue(payload)
            let drain = Task { try await scene.drain() }
            // Down through many waits of the breaker.
            for _ in 0..<20 {
                await until { scene.push.waiting == 1 && scene.test.clock.advanceToNextTimer() }
            }
            try await HTTPService.run(on: port) { service in
                await until {
                    // Why only then: a call that is under way has a deadline on this clock.
                    if scene.push.waiting == 1 { scene.test.clock.advanceToNextTimer() }
                    return !service.requests.isEmpty
                }
                let settled = try await drain.value
                #expect(settled == [.ack])
                #expect(service.requests[0].headers["godwit-attempt"] == ["1"])
            }
            let record = try await scene.test.broker.inspector.message(id, in: "work")
            #expect(record?.entry.attempt == 0)
        }
    }

    @Test func `a service that fails is called by one probe at a time`() async throws {
        // The wait must be the breaker's, so no message comes before it.
        try await HTTPService.run({ _, number in number < 3 ? .status(503) : .status(200) }) {
            service in
            let scene = try Scene.http(service) { $0.failuresToOpen = 3 }
            try await scene.running { scene in
                for _ in 0..<5 { try await scene.enqueue() }
                async let verdicts = scene.drain()
                await until { scene.push.waiting == 1 }
                #expect(service.requests.count == 3)
                await until { scene.test.clock.advanceToNextTimer() }
                let all = try await verdicts
                #expect(all.prefix(3).allSatisfy { $0 != .ack } && all.suffix(2) == [.ack, .ack])
                #expect(all.count == 5 && service.requests.count == 5)
            }
        }
    }

    @Test func `as many calls are under way as the worker has slots`() async throws {
        try await HTTPService.run { service in
            try await Scene.http(service) { $0.connections = 3 }.running { scene in
                // Why another store: a worker needs a clock that goes by itself.
                let queue = Queue("work", on: MemoryBroker())
                for _ in 0..<200 {
                    try await queue.enqueue(kind: "job", payload: [1], as: .bytes)
                }
                let worker = Worker(queue, concurrency: 3) { jobs in
                    jobs.handleAll { try await scene.push($0, $1) }
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await worker.run() }
                    await until { service.requests.count == 200 }
                    worker.stop()
                    try await group.waitForAll()
                }
                #expect(service.busiest <= 3 && service.connections <= 3)
            }
        }
    }

    @Test func `a cancelled run that waits gives its message back`() async throws {
        let port = try await HTTPService.freePort()
        let scene = try Scene(.http("http://127.0.0.1:\(port)/", secrets: []))
        let id = try await scene.enqueue()
        // Why one run: a drain takes up what was given back, cancelled or not.
        let drain = Task { try await scene.drain(limit: 1) }
        await until { scene.push.waiting == 1 }
        drain.cancel()
        #expect(try await drain.value == [.release])
        let record = try await scene.test.broker.inspector.message(id, in: "work")
        #expect(record?.state == .ready && record?.entry.attempt == 0)
    }
}

@Suite struct `Targets` {
    private static let secret = WebhookSecret("s")

    @Test(arguments: [
        "https://user:word@mail.example/", "http://user@127.0.0.1/", "ftp://127.0.0.1/", "mail",
        "http://127.1/", "http://[::1/", "https://mail.example/\r\nx", "https://mail.example/#a",
        "http://mail.example/work",
    ])
    func `a URL that is none, holds a user, or goes out unencrypted is refused`(_ url: String) {
        #expect(throws: PushRefusal.self) { try PushTarget.http(url, secrets: [Self.secret]) }
    }

    @Test func `a service elsewhere needs a secret, one on this machine does not`() throws {
        #expect(throws: PushRefusal.self) {
            try PushTarget.http("https://mail.example/", secrets: [])
        }
        for host in ["127.0.0.1", "localhost", "[::1]", "127.9.9.9"] {
            _ = try PushTarget.http("http://\(host):8080/x", secrets: [])
        }
        _ = try PushTarget.http("https://mail.example/", secrets: [Self.secret])
        _ = try PushTarget.http(
            "http://10.0.0.7/", secrets: [Self.secret], allowsPlaintext: true)
        #expect(throws: PushRefusal.self) {
            try PushTarget.http("http://127.evil.example/", secrets: [])
        }
    }

    @Test func `a gRPC service elsewhere needs TLS unless it is allowed without`() throws {
        #expect(throws: PushRefusal.self) { try PushTarget.grpc("mail.example:50051", .plaintext) }
        for address in ["127.0.0.1", "127.0.0.1:1/x", "a@127.0.0.1:1", "127.0.0.1:0", "[::1]"] {
            #expect(throws: PushRefusal.self) { try PushTarget.grpc(address, .plaintext) }
        }
        #expect(
            try PushTarget.grpc("[::1]:50051", .plaintext).description == "[0:0:0:0:0:0:0:1]:50051")
        #expect(throws: PushRefusal.self) { try PushTarget.grpc("[::2]:50051", .plaintext) }
        _ = try PushTarget.grpc("mail.example:50051", .tls())
        _ = try PushTarget.grpc("mail.example:50051", .plaintext, allowsPlaintext: true)
    }

    @Test func `what may be secret in a URL is never shown`() throws {
        let target = try PushTarget.http(
            "https://mail.example/hook/t0ken?key=s3cret", secrets: [Self.secret])
        #expect(target.description == "https://mail.example:443")
    }

    @Test func `a call ends before its lease does`() {
        var options = PushOptions()
        #expect(options.callTime == .seconds(18))
        options.runTimeout = .seconds(60)
        #expect(options.callTime == .seconds(18))
        options.runTimeout = .seconds(2)
        #expect(options.callTime == .seconds(2))
    }
}
