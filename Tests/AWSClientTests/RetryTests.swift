// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Testing

@Suite struct `Retry decision` {
    private let policy = RetryPolicy(
        attempts: 4, base: .milliseconds(100), slowBase: .milliseconds(500), cap: .seconds(1))

    private func decide(
        _ status: Int, _ code: String = "", region: String? = nil, failures: Int = 1,
        random: Double = 0.5, _ change: (inout RetryDecision.Tries) -> Void = { _ in }
    ) -> RetryDecision {
        var tries = RetryDecision.Tries()
        tries.failures = failures
        change(&tries)
        return .decide(
            .answered(status: status, code: code, region: region), tries, policy, random: random)
    }

    @Test(arguments: [200, 204, 206]) func `success is accepted`(_ status: Int) {
        #expect(decide(status) == .accept)
    }

    @Test(
        arguments: [
            (400, "InvalidArgument", .refused), (401, "", .denied), (403, "AccessDenied", .denied),
            (404, "NoSuchKey", .missing), (409, "BucketNotEmpty", .conflict),
            (412, "PreconditionFailed", .precondition), (304, "", .precondition),
            (416, "InvalidRange", .refused), (301, "PermanentRedirect", .badAnswer),
            (307, "", .badAnswer), (200, "AccessDenied", .badAnswer), (100, "", .refused),
        ] as [(Int, String, AWSError.Kind)])
    func `what will not pass is refused`(_ status: Int, _ code: String, _ kind: AWSError.Kind) {
        for failures in 1...4 {
            #expect(decide(status, code, failures: failures) == .refuse(kind))
        }
    }

    @Test(arguments: [
        (500, "InternalError", 50), (502, "", 50), (504, "", 50), (408, "", 50),
        (400, "RequestTimeout", 50), (200, "InternalError", 50), (503, "SlowDown", 250),
        (503, "", 250), (429, "", 250), (400, "ThrottlingException", 250),
        (200, "SlowDown", 250), (409, "ConditionalRequestConflict", 50),
        (409, "OperationAborted", 50), (400, "RequestThrottled", 250),
    ])
    func `what may pass comes again after a wait`(_ status: Int, _ code: String, _ wait: Int) {
        #expect(decide(status, code) == .again(after: .milliseconds(wait)))
        if case .again = decide(status, code, failures: 4) { Issue.record("never ends") }
    }

    @Test func `waits double up to a bound, with full jitter`() {
        let waits = (1...5).map { policy.wait(after: $0, isSlow: false, random: 0.9999) }
        #expect(
            waits.map { $0 / .milliseconds(1) }.map { $0.rounded() } == [100, 200, 400, 800, 1000])
        #expect(policy.wait(after: 3, isSlow: true, random: 0) == .zero)
        #expect(policy.wait(after: .max, isSlow: true, random: 1) == .seconds(1))
    }

    @Test(arguments: ["ExpiredToken", "ExpiredTokenException"])
    func `an expired token is renewed once`(_ code: String) {
        #expect(decide(400, code) == .refresh)
        #expect(decide(400, code) { $0.hasRefreshed = true } == .refuse(.denied))
    }

    @Test(arguments: ["RequestTimeTooSkewed", "RequestExpired"])
    func `a wrong clock is set once`(_ code: String) {
        #expect(decide(403, code) == .setClock)
        #expect(decide(403, code) { $0.hasSetClock = true } == .refuse(.denied))
    }

    @Test func `another region is gone to once, and only if it is one`() {
        #expect(
            decide(301, "PermanentRedirect", region: "eu-west-3") == .redirect(region: "eu-west-3"))
        #expect(
            decide(400, "AuthorizationHeaderMalformed", region: "eu-west-3")
                == .redirect(region: "eu-west-3"))
        #expect(
            decide(301, "", region: "eu-west-3") { $0.hasRedirected = true } == .refuse(.badAnswer))
        for region in ["evil.example", "a/b", "a@b", "", "-a", "A"] {
            #expect(decide(301, "", region: region) == .refuse(.badAnswer))
        }
    }

    @Test func `no answer comes again, to the end`() {
        var tries = RetryDecision.Tries()
        tries.failures = 1
        #expect(
            RetryDecision.decide(.broken, tries, policy, random: 1)
                == .again(after: .milliseconds(100)))
        tries.failures = 4
        #expect(RetryDecision.decide(.broken, tries, policy, random: 1) == .refuse(.unavailable))
    }
}
