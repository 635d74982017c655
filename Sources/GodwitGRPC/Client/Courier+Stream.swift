// SPDX-License-Identifier: Apache-2.0
import Godwit
import GRPCCore
import Synchronization

extension Courier {
    /// Runs one call with a stream each way, until it ends, the task is cancelled or ``shutdown()``. What it
    /// throws says nothing about what was sent: that has answers of its own.
    func stream<Input: Sendable>(
        _ what: String, _ say: @escaping @Sendable (RPCWriter<Input>) async throws -> Void,
        _ body:
            @escaping @Sendable (StreamingClientRequest<Input>, CallOptions) async throws -> Void
    ) async throws(BrokerError) {
        if isShutDown { throw closed(what) }
        let request = StreamingClientRequest(metadata: metadata, producer: say)
        let executor = executor
        let failure = Mutex<(any Error)?>(nil)
        await waiting {
            do {
                try await withTaskExecutorPreference(executor) {
                    try await body(request, .defaults)
                }
            } catch {
                failure.withLock { $0 = error }
            }
        }
        if let error = failure.withLock({ $0 }) {
            throw BrokerError(error, what: what, location: location, isRead: true)
        }
    }
}

extension TimeSource {
    /// Does something again and again, until it is called off.
    func repeating(
        every period: Duration, _ action: @escaping @Sendable () -> Void
    ) -> ScheduledAction {
        let beat = Beat(self, period, action)
        beat.next()
        return ScheduledAction { beat.stop() }
    }
}

private final class Beat: Sendable {
    private let time: any TimeSource
    private let period: Duration
    private let action: @Sendable () -> Void
    /// Nil once it is called off.
    private let timer = Mutex<ScheduledAction?>(ScheduledAction {})

    init(_ time: any TimeSource, _ period: Duration, _ action: @escaping @Sendable () -> Void) {
        self.time = time
        self.period = period
        self.action = action
    }

    func next() {
        timer.withLock { timer in
            guard timer != nil else { return }
            timer = time.schedule(after: period) { [weak self] in
                self?.action()
                self?.next()
            }
        }
    }

    func stop() {
        timer.withLock { timer in
            timer?.cancel()
            timer = nil
        }
    }
}
