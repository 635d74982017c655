// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// Decides whether a service is called at all: a circuit breaker, as a pure value.
///
///     closed ── `threshold` failures in a row ──▶ open ── its wait is over ──▶ half open
///        ▲                                         ▲                             │ one probe
///        │                                         └──── the probe failed ───────┤
///        └──────────────────────────── the probe was answered ───────────────────┘
///
/// Each opening in a row waits twice as long as the one before, between half of a bound and the bound,
/// so that many workers do not come back together. What was under way when it opened says nothing any
/// more, whenever it ends.
package struct Breaker: Sendable {
    package enum Permit: Sendable, Hashable {
        /// Make the call, and hand this back with what it found.
        case call(turn: UInt64)
        /// Do not; ask again at this moment, or when something has changed.
        case wait(until: Timestamp?)
    }

    /// What a call found; `abandoned` when it was broken off from our side.
    package enum Finding: Sendable, Hashable {
        case answering
        /// `pause` is how long the service asked not to be called.
        case failing(pause: Duration?)
        case abandoned
    }

    package enum State: Sendable, Hashable {
        case closed(failures: Int)
        case open(until: Timestamp)
        case halfOpen
    }

    /// Failures in a row that open it.
    package let threshold: Int
    /// The bound of the first wait, and of the longest.
    package let base: Duration
    package let cap: Duration
    package private(set) var state = State.closed(failures: 0)
    /// How often it opened in a row.
    package private(set) var openings = 0
    /// Raised by every change of state, so that late news can be told from fresh.
    private var turn: UInt64 = 0

    package init(
        threshold: Int = 5, base: Duration = .milliseconds(500), cap: Duration = .seconds(30)
    ) {
        self.threshold = max(1, threshold)
        self.base = max(.milliseconds(1), base)
        self.cap = max(base, cap)
    }

    /// Whether to call now. A `call` must be followed by ``ended(_:_:at:using:)``.
    package mutating func admit(at now: Timestamp) -> Permit {
        switch state {
        case .closed: return .call(turn: turn)
        case .halfOpen: return .wait(until: nil)
        case .open(let until):
            if now < until { return .wait(until: until) }
            enter(.halfOpen)
            return .call(turn: turn)
        }
    }

    /// Takes in what a call found; true when the state changed, so that those who wait ask again.
    package mutating func ended(
        _ permit: Permit, _ finding: Finding, at now: Timestamp,
        using random: inout some RandomNumberGenerator
    ) -> Bool {
        guard permit == .call(turn: turn) else { return false }
        switch (state, finding) {
        case (.open, _), (.closed, .abandoned): return false
        case (.closed(let failures), .answering):
            if failures > 0 { state = .closed(failures: 0) }
            return false
        case (.closed(let failures), .failing(let pause)):
            guard failures + 1 >= threshold else {
                state = .closed(failures: failures + 1)
                return false
            }
            open(pause, at: now, using: &random)
        case (.halfOpen, .answering):
            openings = 0
            enter(.closed(failures: 0))
        case (.halfOpen, .failing(let pause)): open(pause, at: now, using: &random)
        // Why at once: nothing was learnt, so another may be the probe.
        case (.halfOpen, .abandoned): enter(.open(until: now))
        }
        return true
    }

    private mutating func open(
        _ pause: Duration?, at now: Timestamp, using random: inout some RandomNumberGenerator
    ) {
        let bound = min(cap, base * (1 << min(20, openings))).milliseconds
        let wait = Duration.milliseconds(Int64.random(in: (bound + 1) / 2...bound, using: &random))
        openings += 1
        enter(.open(until: now + max(wait, min(pause ?? .zero, cap))))
    }

    private mutating func enter(_ next: State) {
        state = next
        turn += 1
    }
}
