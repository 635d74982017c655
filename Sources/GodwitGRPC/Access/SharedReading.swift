// SPDX-License-Identifier: Apache-2.0
import Godwit
import Synchronization

/// Something that is read for many at once: one reads, the others wait for it and share what it
/// finds, an error too.
final class SharedReading<Value: Sendable>: Sendable {
    private struct State {
        var last: (value: Value, at: Timestamp)?
        var failure: (error: BrokerError, at: Timestamp)?
        /// Who waits for the one that reads; nil when nobody reads.
        var waiting: [Signal]?
    }

    private enum Step {
        case have(Value)
        case fail(BrokerError)
        case wait, read
    }

    private let time: any TimeSource
    private let failuresLast: Duration
    private let read: @Sendable () async throws(BrokerError) -> Value
    private let state = Mutex(State())

    init(
        time: any TimeSource, failuresLast: Duration,
        read: @escaping @Sendable () async throws(BrokerError) -> Value
    ) {
        self.time = time
        self.failuresLast = failuresLast
        self.read = read
    }

    /// The value as it was at most `age` ago.
    func value(within age: Duration) async throws(BrokerError) -> Value {
        while true {
            let signal = Signal()
            let step = state.withLock { state -> Step in
                let now = time.now()
                if let last = state.last, now >= last.at, now - last.at < age {
                    return .have(last.value)
                }
                if let failure = state.failure, now >= failure.at,
                    now - failure.at < failuresLast
                {
                    return .fail(failure.error)
                }
                guard state.waiting == nil else {
                    state.waiting?.append(signal)
                    return .wait
                }
                state.waiting = []
                return .read
            }
            switch step {
            case .have(let value): return value
            case .fail(let error): throw error
            case .read: return try await readForAll()
            case .wait:
                await signal.wait()
                guard Task.isCancelled else { continue }
                throw .unavailable(
                    BrokerError.Problem(
                        what: "read from the board", location: "the gRPC door",
                        cause: "the call was cancelled", advice: "Nothing was done."))
            }
        }
    }

    private func readForAll() async throws(BrokerError) -> Value {
        // Why before: what changes while it is read counts as not seen.
        let began = time.now()
        do throws(BrokerError) {
            let value = try await read()
            finish { state in
                state.last = (value, began)
                state.failure = nil
            }
            return value
        } catch {
            // A reader that was cancelled says nothing about the store: the next one reads.
            let isCancelled = Task.isCancelled
            finish { state in
                if !isCancelled { state.failure = (error, time.now()) }
            }
            throw error
        }
    }

    private func finish(_ change: (inout State) -> Void) {
        let waiting = state.withLock { state in
            change(&state)
            defer { state.waiting = nil }
            return state.waiting ?? []
        }
        for signal in waiting { signal.fire() }
    }
}
