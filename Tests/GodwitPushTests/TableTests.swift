// SPDX-License-Identifier: Apache-2.0
import GRPCCore
import Godwit
import GodwitProtos
import GodwitPush
import Testing

@Suite struct `Tables` {
    /// 2026-01-01 00:00 UTC, a Thursday.
    static let now = Timestamp(milliseconds: 1_767_225_600_000)

    private func http(_ status: Int, _ after: String? = nil, _ body: String = "") -> PushVerdict {
        PushVerdict(status: status, retryAfter: after, body: Array(body.utf8), at: Self.now)
    }

    @Test(arguments: [200, 201, 202, 204, 206, 299])
    func `2xx acks`(_ status: Int) { #expect(http(status) == PushVerdict(.ack, .answering)) }

    @Test(arguments: [
        400, 402, 406, 410, 411, 412, 413, 414, 415, 416, 417, 418, 422, 424, 426, 428, 431, 451,
        499,
    ])
    func `a status against the message rejects`(_ status: Int) {
        let verdict = http(status, nil, "no such field")
        #expect(verdict.move == .reject("the service answered \(status): no such field"))
        #expect(verdict.finding == .answering)
    }

    @Test(arguments: [409, 423, 425, 500])
    func `a status about this run retries`(_ status: Int) {
        #expect(http(status).move == .retry(after: nil, reason: "the service answered \(status)"))
        #expect(http(status).finding == .answering)
    }

    @Test(arguments: [
        301, 302, 303, 307, 308, 401, 403, 404, 405, 407, 408, 421, 429, 501, 502, 503, 504, 505,
        507,
        511, 599, 600, 999,
    ])
    func `a status against the service retries and counts for the breaker`(_ status: Int) {
        guard case .retry(nil, let reason) = http(status).move else {
            Issue.record("\(status) does not retry")
            return
        }
        #expect(reason.contains("\(status)"))
        #expect(http(status).finding == .failing)
    }

    @Test(arguments: [
        ("0", 1), ("120", 120), ("999999999999", 3600), ("Thu, 01 Jan 2026 00:02:00 GMT", 120),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 1), ("Fri, 01 Jan 2027 00:00:00 GMT", 3600),
    ])
    func `Retry-After in seconds and as a date is honoured within bounds`(
        _ text: String, _ seconds: Int
    ) {
        #expect(http(503, text).pause == .seconds(seconds))
        #expect(http(429, text).pause == .seconds(seconds))
        #expect(http(500, text).pause == .seconds(seconds))
    }

    @Test(arguments: ["", "-1", "soon", "1.5", "Thu, 99 Jan 2026 00:02:00 GMT", "\u{202E}9"])
    func `a Retry-After that is none leaves it to the policy`(_ text: String) {
        #expect(http(503, text).pause == nil)
    }

    @Test func `a hostile body is cut and escaped`() {
        let reason = http(400, nil, "\u{1B}[2J\r\n" + String(repeating: "\0", count: 5000)).reason
        #expect(reason.utf8.count < 1200)
        #expect(reason.utf8.allSatisfy { $0 >= 0x20 })
    }

    // MARK: gRPC

    private func grpc(_ code: RPCError.Code, _ trailers: Metadata = [:]) -> PushVerdict {
        PushVerdict(code: code, message: "why", trailers: trailers, at: Self.now)
    }

    @Test(arguments: [
        (RPCError.Code.invalidArgument, "INVALID_ARGUMENT"), (.notFound, "NOT_FOUND"),
        (.alreadyExists, "ALREADY_EXISTS"), (.failedPrecondition, "FAILED_PRECONDITION"),
        (.outOfRange, "OUT_OF_RANGE"), (.dataLoss, "DATA_LOSS"),
    ])
    func `a code against the message rejects`(_ code: RPCError.Code, _ name: String) {
        #expect(grpc(code) == PushVerdict(.reject("the service answered \(name): why")))
    }

    @Test(arguments: [RPCError.Code.cancelled, .unknown, .aborted, .internalError])
    func `a code about this run retries`(_ code: RPCError.Code) {
        guard case .retry(nil, _) = grpc(code).move else {
            Issue.record("\(code) does not retry")
            return
        }
        #expect(grpc(code).finding == .answering)
    }

    @Test(arguments: [
        RPCError.Code.deadlineExceeded, .unavailable, .resourceExhausted, .unauthenticated,
        .permissionDenied, .unimplemented,
    ])
    func `a code against the service retries and counts for the breaker`(_ code: RPCError.Code) {
        guard case .retry(nil, _) = grpc(code).move else {
            Issue.record("\(code) does not retry")
            return
        }
        #expect(grpc(code).finding == .failing)
    }

    @Test func `trailers say when to come again, within bounds`() {
        #expect(grpc(.unavailable, ["grpc-retry-pushback-ms": "250"]).pause == .milliseconds(250))
        #expect(grpc(.unavailable, ["grpc-retry-pushback-ms": "999999999"]).pause == .seconds(3600))
        #expect(grpc(.unavailable, ["grpc-retry-pushback-ms": "-1"]).pause == nil)
        #expect(grpc(.unavailable, ["retry-after": "30"]).pause == .seconds(30))
        #expect(
            grpc(.aborted, ["retry-after": "Thu, 01 Jan 2026 00:02:00 GMT"]).pause == .seconds(120))
        #expect(grpc(.unavailable, ["retry-after": "x"]).pause == nil)
    }

    private func answer(_ fill: (inout Godwit_V1_HandleResponse) -> Void) -> PushVerdict {
        var response = Godwit_V1_HandleResponse()
        fill(&response)
        return PushVerdict(response, of: "work")
    }

    @Test func `an OK does what its verdict says, and acks without one`() {
        #expect(answer { _ in }.move == .ack)
        #expect(answer { $0.verdict.ack = .init() }.move == .ack)
        #expect(answer { $0.verdict.release = .init() }.move == .release)
        #expect(answer { $0.verdict.forward.queue = "other" }.move == .forward(to: "other"))
        #expect(answer { $0.verdict.reject.reason = "bad" }.move == .reject("bad"))
        #expect(
            answer {
                $0.verdict.retry.afterMs = 1500
                $0.verdict.retry.reason = "later"
            }.move == .retry(after: .milliseconds(1500), reason: "later"))
    }

    @Test func `a verdict that makes no sense is a retry with the reason`() {
        let bad = [
            answer { $0.verdict = .init() },
            answer { $0.verdict.retry.afterMs = -1 },
            answer { $0.verdict.retry.afterMs = .max },
            answer { $0.verdict.forward.queue = "work" },
            answer { $0.verdict.forward.queue = "" },
            answer {
                $0.verdict.forward.queue = "a b\u{1B}[2J" + String(repeating: "x", count: 9999)
            },
        ]
        for verdict in bad {
            guard case .retry(nil, let reason) = verdict.move else {
                Issue.record("\(verdict)")
                continue
            }
            #expect(reason.hasPrefix("the service answered "))
            #expect(reason.utf8.count < 400 && reason.utf8.allSatisfy { $0 >= 0x20 })
        }
        let long = answer { $0.verdict.reject.reason = String(repeating: "\u{7}", count: 100_000) }
        #expect(long.reason.utf8.count <= 1024)
    }
}
