// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

extension RedisClient {
    /// Sends commands in one write on the shared connection; `then` gets the replies, errors in
    /// their places.
    ///
    /// For work that belongs to no single task: batches of many callers, leases, what must reach the
    /// server although its caller was cancelled.
    ///
    /// - Threads: `then` runs once, on the event loop, or on the caller's thread where nothing could
    ///   be sent. It must return quickly.
    /// - Repeated here: only where nothing was sent, once, on a new connection; scripts that the
    ///   server has forgotten, with their source.
    /// - Fails: `unknown` when not all replies came, `unavailable` when nothing left.
    public func submit(
        _ commands: [RedisCommand], timeout: Duration? = nil,
        then: @escaping @Sendable (Result<[RESPValue], RedisError>) -> Void
    ) {
        guard !commands.isEmpty else { return then(.success([])) }
        let main = state.withLock { $0.closed ? nil : $0.main }
        guard let main, main.isOpen else { return connectAndSubmit(commands, timeout, then) }
        main.deliver(commands, timeout: timeout) { [self] result in
            if case .failure(let error) = result, error.kind == .unavailable, !main.isOpen {
                return connectAndSubmit(commands, timeout, then)
            }
            then(result)
        }
    }

    /// How many connections the shared one has been: what was cached of the server's data by an
    /// earlier one may be gone.
    public var generation: Int { state.withLock { $0.connected } }

    private func connectAndSubmit(
        _ commands: [RedisCommand], _ timeout: Duration?,
        _ then: @escaping @Sendable (Result<[RESPValue], RedisError>) -> Void
    ) {
        let once = Once<RedisConnection>()
        let late = giveUp(once, after: timeout)
        once.whenDone { result in
            late.cancel()
            switch result {
            case .failure(let error): then(.failure(error))
            case .success(let connection):
                connection.deliver(commands, timeout: timeout, then)
            }
        }
        join(once)
    }
}
