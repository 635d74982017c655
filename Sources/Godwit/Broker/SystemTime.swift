// SPDX-License-Identifier: Apache-2.0
import Dispatch

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The machine's clock, with timers on a thread of their own.
public struct SystemTime: TimeSource {
    // Why: a serial queue gets a thread from the system even while handlers fill the cooperative
    // pool, so a busy worker can't starve its own leases.
    private static let timers = DispatchQueue(label: "godwit.timers", qos: .userInitiated)

    public init() {}

    public func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    public func schedule(
        after delay: Duration, _ action: @escaping @Sendable () -> Void
    ) -> ScheduledAction {
        // Proof: libdispatch's own documentation calls sources thread-safe; only its Swift overlay on
        // Linux lacks the annotation. After `activate` nothing but `cancel` is called on it.
        nonisolated(unsafe) let timer = DispatchSource.makeTimerSource(queue: Self.timers)
        let nanoseconds = Int(clamping: max(0, min(delay.milliseconds, 1 << 40))) * 1_000_000
        timer.setEventHandler {
            timer.cancel()
            action()
        }
        timer.schedule(deadline: .now() + .nanoseconds(nanoseconds), leeway: .milliseconds(1))
        timer.activate()
        return ScheduledAction { timer.cancel() }
    }
}
