// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

extension RedisClient {
    /// Connections kept for the next blocking command.
    private static let idle = 4

    /// Opens a connection of the caller's own, scripts loaded; `close()` it at the end.
    ///
    /// For what must not share: WAIT after a write, blocking commands in a loop. `shutdown()` closes
    /// it, too.
    public nonisolated(nonsending) func dedicated() async throws(RedisError) -> RedisConnection {
        try await own(scripts: true)
    }

    /// Sends a command that makes the server wait, such as BZPOPMIN, on a connection of its own.
    ///
    /// `blocks` is the time that the command itself names; the reply may come the usual timeout
    /// later. Connections are used again.
    ///
    /// - Cancelled or timed out: the connection is closed, so the server stops waiting and takes
    ///   nothing more; what it took at that very moment is lost with the reply: block on markers.
    /// - Throws: `unknown` when the reply did not come, `unblocked` when the server gave up.
    public nonisolated(nonsending) func sendBlocking(
        _ command: RedisCommand, blocks: Duration
    ) async throws(RedisError) -> RESPValue {
        let spare = try state.withLock { state throws(RedisError) -> RedisConnection? in
            if state.closed { throw Self.shutDown }
            while let connection = state.idle.popLast() {
                if connection.isOpen { return connection }
            }
            return nil
        }
        let connection: RedisConnection
        if let spare { connection = spare } else { connection = try await own(scripts: false) }
        do throws(RedisError) {
            let value = try await connection.send(
                command, timeout: blocks + target.configuration.timeout)
            let kept = state.withLock { state in
                guard !state.closed, state.idle.count < Self.idle else { return false }
                state.idle.append(connection)
                return true
            }
            if !kept { connection.close() }
            return value
        } catch {
            connection.close()
            throw error
        }
    }

    private nonisolated(nonsending) func own(scripts: Bool) async throws(RedisError)
        -> RedisConnection
    {
        if state.withLock({ $0.closed }) { throw Self.shutDown }
        let once = Once<RedisConnection>()
        return try await once.wait(
            cancelled: RedisError(
                .cancelled, "cancelled while connecting; nothing was sent", server: server)
        ) {
            open(scripts: scripts).whenComplete { [self] result in
                let outcome = result.mapError(sorted)
                // Whoever was cancelled meanwhile cannot close it.
                if !once.resume(outcome), case .success(let connection) = outcome {
                    connection.close()
                }
            }
        }
    }
}
