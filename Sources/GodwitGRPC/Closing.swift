// SPDX-License-Identifier: Apache-2.0
import Godwit
import Synchronization

/// Says to all that wait for long, streams and polls of a server and waits of a client, that it ends.
package final class Closing: Sendable {
    private struct State {
        var hasBegun = false
        var lastKey: UInt64 = 0
        var signals: [UInt64: Signal] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package var hasBegun: Bool { state.withLock { $0.hasBegun } }

    /// Tells everybody, once; repeating it is harmless.
    package func begin() {
        let signals = state.withLock { state in
            state.hasBegun = true
            defer { state.signals = [:] }
            return Array(state.signals.values)
        }
        for signal in signals { signal.fire() }
    }

    /// Returns when it has begun, or the task is cancelled.
    package func wait() async {
        let signal = Signal()
        let key = state.withLock { state -> UInt64? in
            if state.hasBegun { return nil }
            state.lastKey += 1
            state.signals[state.lastKey] = signal
            return state.lastKey
        }
        guard let key else { return }
        await signal.wait()
        state.withLock { _ = $0.signals.removeValue(forKey: key) }
    }
}
