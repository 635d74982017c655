// SPDX-License-Identifier: Apache-2.0

/// How often and how patiently a request is sent again.
public struct RetryPolicy: Sendable, Hashable {
    /// Attempts in all, the first included.
    public var attempts: Int
    /// The longest wait after the first failure; it doubles with each one, up to `cap`.
    public var base: Duration
    /// The same where a service said that it has too much to do.
    public var slowBase: Duration
    public var cap: Duration

    public init(
        attempts: Int = 5, base: Duration = .milliseconds(100),
        slowBase: Duration = .milliseconds(500), cap: Duration = .seconds(20)
    ) {
        self.attempts = attempts
        self.base = base
        self.slowBase = slowBase
        self.cap = cap
    }

    /// Full jitter: anything from nothing to the bound, which doubles with each failure (Brooker,
    /// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). `random` is from 0 up to 1.
    package func wait(after failures: Int, isSlow: Bool, random: Double) -> Duration {
        let first = isSlow ? slowBase : base
        let bound = min(cap, first * (1 << min(max(0, failures - 1), 20)))
        return bound * random
    }
}

/// What came back, as far as it decides what to do next.
public enum Outcome: Sendable, Hashable {
    /// A status, the service's code for the error if there is one, the region that it names.
    case answered(status: Int, code: String, region: String? = nil)
    /// No whole answer: connection, deadline, half a body.
    case broken
}

/// What to do about it: a pure choice, so that every row can be tested.
public enum RetryDecision: Sendable, Hashable {
    case accept
    /// Send again after so long.
    case again(after: Duration)
    /// Get other credentials, send again at once.
    case refresh
    /// Set the clock by the answer's date, send again at once.
    case setClock
    /// Sign for this region, send again at once to where that region's requests go.
    case redirect(region: String)
    case refuse(AWSError.Kind)

    /// What has been tried so far for one request.
    public struct Tries: Sendable, Hashable {
        /// Answers and failures so far, this one included.
        public var failures = 0
        public var hasRefreshed = false
        public var hasSetClock = false
        public var hasRedirected = false

        public init() {}
    }

    /// Decides. What 412 says is no accident and never repeated; a 409 is only where it says that two
    /// met. Each of refresh, clock and redirect is done once for a request.
    public static func decide(
        _ outcome: Outcome, _ tries: Tries, _ policy: RetryPolicy, random: Double
    ) -> RetryDecision {
        func again(_ kind: AWSError.Kind, slow: Bool = false) -> RetryDecision {
            tries.failures >= policy.attempts
                ? .refuse(kind)
                : .again(after: policy.wait(after: tries.failures, isSlow: slow, random: random))
        }
        guard case .answered(let status, let code, let region) = outcome else {
            return again(.unavailable)
        }
        if (200..<300).contains(status) && code.isEmpty { return .accept }
        switch code {
        case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
            return tries.hasRefreshed ? .refuse(.denied) : .refresh
        case "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture":
            return tries.hasSetClock ? .refuse(.denied) : .setClock
        case "SlowDown", "Throttling", "ThrottlingException", "ThrottledException",
            "RequestThrottled", "RequestThrottledException", "TooManyRequestsException",
            "RequestLimitExceeded", "BandwidthLimitExceeded", "KmsThrottled",
            "PriorRequestNotComplete", "OverLimit":
            return again(.unavailable, slow: true)
        case "InternalError", "InternalFailure", "ServiceUnavailable", "RequestTimeout",
            "RequestTimeoutException":
            return again(.unavailable)
        case "ConditionalRequestConflict", "OperationAborted": return again(.conflict)
        default: break
        }
        if let region, [301, 307, 400, 403].contains(status), isRegion(region) {
            return tries.hasRedirected ? .refuse(.badAnswer) : .redirect(region: region)
        }
        switch status {
        case 404, 410: return .refuse(.missing)
        case 412, 304: return .refuse(.precondition)
        case 409: return .refuse(.conflict)
        case 401, 403: return .refuse(.denied)
        case 429, 503: return again(.unavailable, slow: true)
        case 408, 500...599: return again(.unavailable)
        case 300...399: return .refuse(.badAnswer)
        case 200..<300: return .refuse(.badAnswer)
        default: return .refuse(.refused)
        }
    }
}
