// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A latch that one task waits for and anybody may open; firing before the wait is remembered.
package final class Signal: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Void, Never>)
        case fired
    }

    private let state = Mutex(State.idle)

    package init() {}

    package func fire() {
        let continuation = state.withLock { state -> CheckedContinuation<Void, Never>? in
            defer { state = .fired }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        continuation?.resume()
    }

    /// Returns once it has fired or the task is cancelled, and closes the latch again.
    package func wait() async {
        await withTaskCancellationHandler {
            await wait { Task.isCancelled }
        } onCancel: {
            fire()
        }
    }

    /// Returns once it has fired, cancelled or not, and closes the latch again: for a task that is
    /// told by other means to end, and would turn without rest once it is cancelled.
    package func waitUntilFired() async { await wait { false } }

    private func wait(unless isOver: () -> Bool) async {
        await withCheckedContinuation { continuation in
            let passes = state.withLock { state -> Bool in
                if case .idle = state, !isOver() {
                    state = .waiting(continuation)
                    return false
                }
                return true
            }
            if passes { continuation.resume() }
        }
        state.withLock { if case .fired = $0 { $0 = .idle } }
    }
}
