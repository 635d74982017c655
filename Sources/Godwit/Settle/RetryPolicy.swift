// SPDX-License-Identifier: Apache-2.0

/// Decides what a failed run becomes: a retry after a while, or a dead letter.
///
/// A pure value: the same failure, attempt and random number give the same verdict.
public struct RetryPolicy: Sendable, Hashable {
    /// Reported failures until the message is dead; nil is without end.
    public var maxAttempts: Int?
    /// The upper bound of the first delay; each further bound is twice as long.
    public var base: Duration
    /// The longest upper bound.
    public var cap: Duration
    /// Full jitter draws the delay between zero and its bound, so that what failed together does
    /// not come back together.
    public var hasJitter: Bool

    /// Doubling delays with full jitter: 1 s, 2 s, 4 s … up to an hour, 20 attempts.
    public static func exponential(
        maxAttempts: Int? = 20, base: Duration = .seconds(1), cap: Duration = .seconds(3600)
    ) -> RetryPolicy {
        RetryPolicy(maxAttempts: maxAttempts, base: base, cap: cap, hasJitter: true)
    }

    /// The same delay each time.
    public static func constant(_ delay: Duration, maxAttempts: Int? = 20) -> RetryPolicy {
        RetryPolicy(maxAttempts: maxAttempts, base: delay, cap: delay, hasJitter: false)
    }

    /// The first failure ends in the dead letters.
    public static let never = RetryPolicy(
        maxAttempts: 1, base: .zero, cap: .zero, hasJitter: false)

    public init(maxAttempts: Int?, base: Duration, cap: Duration, hasJitter: Bool) {
        self.maxAttempts = maxAttempts.map { max(1, $0) }
        self.base = base
        self.cap = cap
        self.hasJitter = hasJitter
    }

    /// As it travels with a message: 255 is without end.
    package var storedMaxAttempts: UInt8 { maxAttempts.map { UInt8(min($0, 254)) } ?? 255 }

    /// The verdict on a run that failed for `reason` after `attempt` earlier failures.
    ///
    /// `maxAttempts` is the message's own, as its producer set it; the smaller maximum counts.
    public func verdict(
        attempt: Int, maxAttempts: UInt8, reason: String,
        using random: inout some RandomNumberGenerator
    ) -> Verdict {
        let delay = delay(afterFailures: attempt + 1, using: &random)
        return Verdict.retry(after: delay, reason: reason)
            .bounded(attempt: attempt, maxAttempts: min(maxAttempts, storedMaxAttempts))
    }

    /// Whether the run after `attempt` failures is the last one; 255 is without end.
    static func isLast(_ attempt: Int, of maxAttempts: UInt8) -> Bool {
        maxAttempts != 255 && attempt + 1 >= Int(maxAttempts)
    }

    /// The same delays without a maximum of its own: the message's counts alone.
    var unbounded: RetryPolicy {
        RetryPolicy(maxAttempts: nil, base: base, cap: cap, hasJitter: hasJitter)
    }

    /// How long to wait after so many failures.
    public func delay(
        afterFailures failures: Int, using random: inout some RandomNumberGenerator
    ) -> Duration {
        let bound = min(cap, base * (1 << min(30, max(0, failures - 1))))
        guard hasJitter, bound > .zero else { return bound }
        return .milliseconds(Int64.random(in: 0...bound.milliseconds, using: &random))
    }
}
