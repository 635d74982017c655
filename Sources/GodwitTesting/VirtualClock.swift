// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Synchronization

/// A clock that stands still until it is told to move; a broker made with it moves along.
///
/// Timers fire on the task that advances the clock, in the order in which they are due, each with
/// the clock at its own moment. Nothing ever waits for real time.
public final class VirtualClock: TimeSource {
    private struct Timer {
        var due: Timestamp
        var action: @Sendable () -> Void
    }

    private struct State {
        var now: Timestamp
        var timers: [UInt64: Timer] = [:]
        var nextTimer: UInt64 = 0
    }

    private let state: Mutex<State>

    /// Starts at a fixed moment, 2026-01-01 00:00 UTC, unless told otherwise.
    public init(at start: Timestamp = Timestamp(milliseconds: 1_767_225_600_000)) {
        state = Mutex(State(now: start))
    }

    public var isVirtual: Bool { true }

    public func now() -> Timestamp { state.withLock { $0.now } }

    public func schedule(
        after delay: Duration, _ action: @escaping @Sendable () -> Void
    ) -> ScheduledAction {
        let key = state.withLock { state in
            state.nextTimer += 1
            state.timers[state.nextTimer] = Timer(
                due: state.now + max(delay, .zero), action: action)
            return state.nextTimer
        }
        return ScheduledAction { [weak self] in
            _ = self?.state.withLock { $0.timers.removeValue(forKey: key) }
        }
    }

    /// Moves the clock forward and fires every timer that comes due on the way.
    public func advance(by duration: Duration) {
        let target = now() + duration
        while let action = nextAction(upTo: target) { action() }
    }

    /// Moves the clock to the next timer and fires it; false when there is none.
    @discardableResult
    public func advanceToNextTimer() -> Bool {
        guard let due = state.withLock({ $0.timers.values.map(\.due).min() }) else { return false }
        advance(by: due - now())
        return true
    }

    /// How many timers wait.
    public var pendingTimers: Int { state.withLock { $0.timers.count } }

    private func nextAction(upTo target: Timestamp) -> (@Sendable () -> Void)? {
        state.withLock { state in
            let next = state.timers.min { ($0.value.due, $0.key) < ($1.value.due, $1.key) }
            guard let next, next.value.due <= target else {
                state.now = max(state.now, target)
                return nil
            }
            state.timers[next.key] = nil
            state.now = max(state.now, next.value.due)
            return next.value.action
        }
    }
}
