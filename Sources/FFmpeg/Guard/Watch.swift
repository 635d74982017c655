// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Says when a run has taken too long: pure, with the time told to it.
package struct Patience: Sendable {
    package enum Verdict: Sendable, Hashable {
        /// Ask again after so long.
        case wait(Duration)
        case stop(Stop)
    }

    private let wall: Duration
    private let quiet: Duration
    private var started: ContinuousClock.Instant
    private var advanced: ContinuousClock.Instant
    /// Since when the reader, not the tool, is at work.
    private var reading: ContinuousClock.Instant?

    package init(_ limits: Limits, at now: ContinuousClock.Instant) {
        wall = limits.wall
        quiet = limits.quiet
        started = now
        advanced = now
    }

    /// The tool came further.
    package mutating func advance(at now: ContinuousClock.Instant) { advanced = now }

    /// The reader takes what came; until ``resume(at:)`` the tool waits for it, not the other way.
    package mutating func pause(at now: ContinuousClock.Instant) { reading = now }

    package mutating func resume(at now: ContinuousClock.Instant) {
        guard let since = reading else { return }
        reading = nil
        started += now - since
        advanced += now - since
    }

    package func verdict(at now: ContinuousClock.Instant) -> Verdict {
        if reading != nil { return .wait(min(quiet, wall)) }
        let left = wall - (now - started)
        let calm = quiet - (now - advanced)
        if left <= .zero { return .stop(.wallClock) }
        if calm <= .zero { return .stop(.stalled) }
        return .wait(min(left, calm))
    }
}

/// Why we ended a run.
package enum Stop: String, Sendable, Hashable {
    case wallClock = "it took longer than allowed"
    case stalled = "it stopped making progress"
    /// More came out than there may be.
    case output = "it gave more than allowed"
    /// Who read its output threw, or was cancelled.
    case reader = "its output was not wanted any more"
}

/// ``Patience`` that the reader and the watching task share.
package final class Watch: Sendable {
    private let patience: Mutex<Patience>
    private let stop = Mutex<Stop?>(nil)
    private let clock = ContinuousClock()

    package init(_ limits: Limits) { patience = Mutex(Patience(limits, at: clock.now)) }

    package func advance() {
        let now = clock.now
        patience.withLock { $0.advance(at: now) }
    }

    package func pause() {
        let now = clock.now
        patience.withLock { $0.pause(at: now) }
    }

    package func resume() {
        let now = clock.now
        patience.withLock { $0.resume(at: now) }
    }

    package func verdict() -> Patience.Verdict {
        let now = clock.now
        return patience.withLock { $0.verdict(at: now) }
    }

    /// The first reason counts.
    package func note(_ reason: Stop) { stop.withLock { $0 = $0 ?? reason } }
    package var stopped: Stop? { stop.withLock { $0 } }
}
