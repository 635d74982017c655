// SPDX-License-Identifier: Apache-2.0

/// How long to hold back before connecting again: full jitter, so that clients which lost a server
/// together do not come back together.
///
/// [Exponential Backoff and Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)
public struct Backoff: Sendable, Hashable {
    /// The upper bound after the first failure; it doubles with each further one.
    public var base: Duration
    /// No bound is larger.
    public var cap: Duration

    /// Makes a back-off.
    public init(base: Duration = .milliseconds(50), cap: Duration = .seconds(2)) {
        self.base = base
        self.cap = cap
    }

    /// A uniformly random wait below `min(cap, base × 2^(failures − 1))`; none before a failure.
    public func delay(
        failures: Int, using random: inout some RandomNumberGenerator
    ) -> Duration {
        guard failures > 0 else { return .zero }
        let bound = min(cap, base * (1 << min(failures - 1, 20)))
        return bound * Double.random(in: 0..<1, using: &random)
    }
}
