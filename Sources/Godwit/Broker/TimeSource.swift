// SPDX-License-Identifier: Apache-2.0

/// A clock with timers that fire off the cooperative pool; virtual in tests.
public protocol TimeSource: Sendable {
    /// True when the store must be told the time by every call instead of asking its own clock.
    var isVirtual: Bool { get }

    func now() -> Timestamp

    /// Runs `action` once, `delay` from now, on a thread that is not of the cooperative pool.
    /// The action must return quickly.
    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void)
        -> ScheduledAction
}

/// A timer that can be called off.
public final class ScheduledAction: Sendable {
    private let onCancel: @Sendable () -> Void

    public init(onCancel: @escaping @Sendable () -> Void) {
        self.onCancel = onCancel
    }

    /// Calls the action off if it has not begun. Repeating it is harmless.
    public func cancel() { onCancel() }
}

extension TimeSource {
    public var isVirtual: Bool { false }

    /// Suspends for `duration`; returns early when the task is cancelled.
    package func sleep(for duration: Duration) async {
        let signal = Signal()
        let timer = schedule(after: duration) { signal.fire() }
        await signal.wait()
        timer.cancel()
    }
}
