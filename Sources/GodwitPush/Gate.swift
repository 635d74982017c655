// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import ServiceLifecycle
import Synchronization

/// Lets runs through to a service while its ``Breaker`` allows it, and makes the others wait.
///
/// Who waits holds its message: the worker renews the lease, and as many wait as it has slots.
final class Gate: Sendable {
    private struct State {
        var breaker: Breaker
        var random: Xoshiro
        var waiting: [UInt64: Signal] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let name: String
    private let time: any TimeSource
    private let state: Mutex<State>

    init(_ name: String, _ breaker: Breaker, time: any TimeSource, random: Xoshiro = Xoshiro()) {
        self.name = name
        self.time = time
        state = Mutex(State(breaker: breaker, random: random))
    }

    /// How many wait.
    var waiters: Int { state.withLock { $0.waiting.count } }

    /// Waits until a call may be made; nil when the task is cancelled or the process shuts down first.
    func enter() async -> Breaker.Permit? {
        while true {
            let signal = Signal()
            let now = time.now()
            let (permit, waiter) = state.withLock { state -> (Breaker.Permit, UInt64?) in
                let permit = state.breaker.admit(at: now)
                guard case .wait = permit else { return (permit, nil) }
                state.nextWaiter += 1
                state.waiting[state.nextWaiter] = signal
                return (permit, state.nextWaiter)
            }
            guard let waiter, case .wait(let until) = permit else { return permit }
            let timer = until.map { time.schedule(after: $0 - now) { signal.fire() } }
            await withGracefulShutdownHandler {
                await signal.wait()
            } onGracefulShutdown: {
                signal.fire()
            }
            timer?.cancel()
            state.withLock { _ = $0.waiting.removeValue(forKey: waiter) }
            if Task.isCancelled || Task.isShuttingDownGracefully { return nil }
        }
    }

    /// Takes in what a call found. `reason` is for the log.
    func leave(_ permit: Breaker.Permit, _ finding: Breaker.Finding, _ reason: String) {
        let now = time.now()
        let change = state.withLock { state -> (Breaker.State, Int, [Signal])? in
            guard state.breaker.ended(permit, finding, at: now, using: &state.random) else {
                return nil
            }
            return (state.breaker.state, state.breaker.openings, Array(state.waiting.values))
        }
        guard let (after, openings, signals) = change else { return }
        signals.forEach { $0.fire() }
        switch after {
        case .closed: Logger.current.notice("\(name) answers again")
        case .open(let until) where finding != .abandoned:
            Logger.current.log(
                level: openings == 1 ? .warning : .info,
                """
                \(name) fails: messages wait in hand, no attempt used, and one tries again in \
                \(until - now). The last answer: \(reason)
                """)
        default: break
        }
    }
}
