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
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state -> Bool in
                    if case .idle = state, !Task.isCancelled {
                        state = .waiting(continuation)
                        return false
                    }
                    return true
                }
                if ready { continuation.resume() }
            }
            state.withLock { if case .fired = $0 { $0 = .idle } }
        } onCancel: {
            fire()
        }
    }
}
