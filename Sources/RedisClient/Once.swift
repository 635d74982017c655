// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A result that one task waits for and that others may race to give; the first one counts.
///
/// A reply, a deadline, a cancellation and a lost connection may all end the same call at the same
/// moment. Whoever comes first resumes the task, once; the rest is told that it came too late.
final class Once<Value: Sendable>: Sendable {
    typealias Outcome = Result<Value, RedisError>

    private enum State {
        case open
        case waiting(UnsafeContinuation<Outcome, Never>)
        case callback(@Sendable (Outcome) -> Void)
        case early(Outcome)
        case done
    }

    private let state = Mutex(State.open)

    /// Ends the wait; false when it had ended before.
    @discardableResult
    func resume(_ outcome: Outcome) -> Bool {
        // Why unsafe continuations: this lock is the proof that each is resumed exactly once.
        let last = state.withLock { state -> State in
            defer {
                switch state {
                case .open: state = .early(outcome)
                case .waiting, .callback: state = .done
                case .early, .done: break
                }
            }
            return state
        }
        switch last {
        case .open: return true
        case .waiting(let continuation): continuation.resume(returning: outcome)
        case .callback(let body): body(outcome)
        case .early, .done: return false
        }
        return true
    }

    /// Calls `body` with the outcome, on the thread that gives it. Called once, in place of `wait`.
    func whenDone(_ body: @escaping @Sendable (Outcome) -> Void) {
        let early = state.withLock { state -> Outcome? in
            if case .early(let outcome) = state {
                state = .done
                return outcome
            }
            state = .callback(body)
            return nil
        }
        if let early { body(early) }
    }

    /// Waits for the outcome; `start` runs when there is someone to resume. Called once.
    nonisolated(nonsending) func wait(
        cancelled: RedisError, start: () -> Void
    ) async throws(RedisError) -> Value {
        let outcome: Outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let early = state.withLock { state -> Outcome? in
                    if case .early(let outcome) = state {
                        state = .done
                        return outcome
                    }
                    state = .waiting(continuation)
                    return nil
                }
                if let early { continuation.resume(returning: early) } else { start() }
            }
        } onCancel: {
            resume(.failure(cancelled))
        }
        return try outcome.get()
    }
}
