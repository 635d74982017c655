// SPDX-License-Identifier: Apache-2.0
package import Godwit
import Synchronization

/// Ends a run that makes no progress: the run is cancelled and counts as a failed one.
///
/// The worker renews the lease as long as the run lasts, so a run that stands still must end. What
/// counts as progress is that bytes came, that a position moved on, or that a result was stored; that
/// it is still there does not count. A run that does not heed its cancellation keeps its slot, and the
/// stage's longest time ends the renewal.
package final class ProgressWatch: Sendable {
    private struct State {
        var movedAt: Timestamp
        var positions: [String: Double] = [:]
        var timer: ScheduledAction?
        var isOver = false
    }

    private let time: any TimeSource
    private let quiet: Duration
    private let state: Mutex<State>
    private let stalled = Signal()

    package init(_ time: any TimeSource, quiet: Duration) {
        self.time = time
        self.quiet = quiet
        state = Mutex(State(movedAt: time.now()))
    }

    /// Something was done.
    package func moved() {
        let now = time.now()
        state.withLock { $0.movedAt = now }
    }

    /// So many bytes are read or sent now, silently: they get a second per MiB beyond the quiet time.
    package func expects(_ bytes: UInt64) {
        let until = time.now() + .seconds(Int(bytes >> 20))
        state.withLock { $0.movedAt = until }
    }

    /// A position of something, which counts only when it is further than it was.
    @discardableResult
    package func reached(_ position: Double, of what: String) -> Bool {
        let now = time.now()
        return state.withLock { state in
            guard position > state.positions[what] ?? -1 else { return false }
            state.positions[what] = position
            state.movedAt = now
            return true
        }
    }

    /// Runs `body`, and cancels it when nothing moved for the quiet time; then it throws
    /// ``TaskFailure/retry(_:)``.
    package func guarding<R: Sendable>(
        _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        schedule(after: quiet)
        defer { end() }
        return try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask { try await body() }
            group.addTask { [stalled] in
                await stalled.wait()
                return nil
            }
            defer { group.cancelAll() }
            if let result = try await group.next(), let result { return result }
            let wasCancelled = Task.isCancelled
            group.cancelAll()
            // Why waited for: its files go, and its child processes end, before another run begins.
            while let result = await group.nextResult() {
                if case .success(let result?) = result { return result }
            }
            if wasCancelled { throw CancellationError() }
            throw TaskFailure.retry(
                "it made no progress for \(quiet) and was stopped: a tool or a store hangs, or the machine is overloaded"
            )
        }
    }

    private func schedule(after delay: Duration) {
        let timer = time.schedule(after: delay) { [weak self] in self?.look() }
        let old = state.withLock { state -> ScheduledAction? in
            if state.isOver { return timer }
            defer { state.timer = timer }
            return state.timer
        }
        old?.cancel()
    }

    private func look() {
        let now = time.now()
        let left = state.withLock { state in
            state.isOver ? nil : state.movedAt + quiet - now
        }
        guard let left else { return }
        if left > .zero { schedule(after: left) } else { stalled.fire() }
    }

    private func end() {
        let timer = state.withLock { state -> ScheduledAction? in
            state.isOver = true
            return state.timer
        }
        timer?.cancel()
    }
}
