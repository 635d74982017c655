// SPDX-License-Identifier: Apache-2.0
import GRPCCore
import Godwit
import GodwitProtos
import GodwitPush
import GodwitTesting
import Logging
import Testing

@Suite struct `GRPC` {
    @Test func `a message arrives whole`() async throws {
        try await GRPCService.run({ _, _ in .init() }) { service, address in
            try await Scene(.grpc(address, .plaintext)).running { scene in
                let id = try await scene.enqueue(
                    "payload", .headers(["trace-id": "7f\n"]), .maxAttempts(9), .priority(5))
                #expect(try await scene.drain() == [.ack])
                let request = try #require(service.requests.first)
                #expect(request.queue == "work")
                #expect(Array(request.message.id) == id.bytes)
                #expect(request.message.kind == "job")
                #expect(request.message.content.contentType == "application/json")
                #expect(request.message.content.headers == ["trace-id": "7f\n"])
                #expect(Array(request.message.content.payload) == Array("payload".utf8))
                #expect(request.message.attempt == 0 && request.message.count == 1)
                #expect(request.message.maxAttempts == 9 && request.message.priority == 5)
                #expect(
                    request.message.insertedAtMs == scene.test.clock.now().milliseconds)
                #expect(!request.hasCheckpoint)
            }
        }
    }

    @Test func `what the service answers settles the message`() async throws {
        try await GRPCService.run({ _, number in
            var response = Godwit_V1_HandleResponse()
            switch number {
            case 0: throw RPCError(code: .invalidArgument, message: "no\u{1B} user")
            case 1: throw RPCError(code: .unavailable, message: "", metadata: ["retry-after": "30"])
            case 2: throw RPCError(code: .unimplemented, message: "x")
            case 3: response.verdict.retry.afterMs = -5
            case 4: response.verdict.forward.queue = "other"
            case 5: response.verdict.reject.reason = "hopeless"
            default: break
            }
            return response
        }) { _, address in
            try await Scene(.grpc(address, .plaintext)).running { scene in
                for _ in 0..<7 { try await scene.enqueue() }
                let verdicts = try await scene.drain()
                #expect(
                    verdicts == [
                        .reject("the service answered INVALID_ARGUMENT: no\\u{1b} user"),
                        .retry(after: .seconds(30), reason: "the service answered UNAVAILABLE"),
                        .retry(
                            after: .seconds(7),
                            reason:
                                "the service answered UNIMPLEMENTED: no godwit.v1.Handler answers there: x"
                        ),
                        .retry(
                            after: .seconds(7),
                            reason:
                                "the service answered a retry after -5 ms, which is in the past"),
                        .forward(to: "other"), .reject("hopeless"), .ack,
                    ])
            }
        }
    }

    @Test func `a service that says nothing is left at the deadline`() async throws {
        try await GRPCService.run({ _, _ in
            try await Task.sleep(for: .seconds(3600))
            return .init()
        }) { _, address in
            let scene = try Scene(.grpc(address, .plaintext)) { $0.runTimeout = .milliseconds(300) }
            try await scene.running { scene in
                try await scene.enqueue()
                guard case .retry(_, let reason) = try await scene.drain()[0] else {
                    Issue.record("it is no retry")
                    return
                }
                #expect(reason.contains("DEADLINE_EXCEEDED"))
            }
        }
    }

    @Test func `an answer over 64 KiB is no ack`() async throws {
        try await GRPCService.run({ _, _ in
            var response = Godwit_V1_HandleResponse()
            response.verdict.reject.reason = String(repeating: "x", count: 100_000)
            return response
        }) { service, address in
            try await Scene(.grpc(address, .plaintext)).running { scene in
                // A message may be longer than the answer.
                try await scene.enqueue(String(repeating: "p", count: 100_000))
                guard case .retry(_, let reason) = try await scene.drain()[0] else {
                    Issue.record("it is no retry")
                    return
                }
                #expect(reason.utf8.count < 1200)
                #expect(service.requests.first?.message.content.payload.count == 100_000)
            }
        }
    }

    @Test func `while the service is down messages wait and use no attempt`() async throws {
        let port = try await HTTPService.freePort()
        // Why so short: the library dials by the machine's clock, and meanwhile the waits of very many
        // probes must not use up the lease.
        let scene = try Scene(.grpc("127.0.0.1:\(port)", .plaintext)) {
            $0.firstPause = .milliseconds(1)
            $0.longestPause = .milliseconds(1)
        }
        try await scene.running { scene in
            let id = try await scene.enqueue()
            let drain = Task { try await withLogger(.quiet) { _ in try await scene.drain() } }
            for _ in 0..<8 {
                await until { scene.push.waiting == 1 && scene.test.clock.advanceToNextTimer() }
            }
            try await GRPCService.run(on: port, { _, _ in .init() }) { service, _ in
                await until {
                    // Why only then: a call that is under way has a deadline on this clock.
                    if scene.push.waiting == 1 { scene.test.clock.advanceToNextTimer() }
                    return !service.requests.isEmpty
                }
                let settled = try await drain.value
                #expect(settled == [.ack])
                #expect(service.requests[0].message.attempt == 0)
            }
            let record = try await scene.test.broker.inspector.message(id, in: "work")
            #expect(record?.entry.attempt == 0)
        }
    }
}
