// SPDX-License-Identifier: Apache-2.0
public import Logging
public import NIOCore
import NIOPosix
import Synchronization

/// A server by its URL: connects when first needed, reconnects when it must, from any task.
///
/// Ordinary commands share one pipelined connection; a command that blocks gets one of its own.
/// While the server is away each caller is told `unavailable` after one attempt to connect, and the
/// next attempt is held back with full jitter, so a loop that just tries again is paced by it.
public final class RedisClient: Sendable {
    /// What may be tuned; the defaults suit a server in the same data centre.
    public struct Configuration: Sendable {
        /// How long a reply may take before its caller is told `unknown`.
        public var timeout: Duration = .seconds(10)
        /// How long connecting, TLS and greeting may take together, each.
        public var connectTimeout: Duration = .seconds(5)
        /// The wait before another attempt to connect.
        public var backoff = Backoff()
        /// What a server may make us hold.
        public var limits = RESPParser.Limits()
        /// Bytes of commands that have no reply yet, before callers are turned away.
        public var outstanding = 256 << 20
        /// The name in CLIENT LIST.
        public var name = "godwit"

        /// The defaults.
        public init() {}
    }

    let target: Target
    let loop: any EventLoop
    let state = Mutex(State())

    /// Prepares a client; connects to nothing yet.
    ///
    /// Scripts are loaded on every new connection before it is used. All input and output happens
    /// on one event loop, by default one of the process-wide ones: no thread is started here.
    ///
    /// - Throws: `invalid` for a password that would cross a network in plain text, a password file
    ///   or authority file that cannot be read.
    public init(
        _ url: RedisURL, scripts: [RedisScript] = [], configuration: Configuration = .init(),
        eventLoop: (any EventLoop)? = nil,
        logger: Logger = Logger(label: "godwit.redis")
    ) throws(RedisError) {
        target = try Target(
            url: url.resolved(), scripts: scripts, configuration: configuration, logger: logger)
        loop = eventLoop ?? MultiThreadedEventLoopGroup.singleton.any()
    }

    /// Host and port, or path: how errors name the server.
    public var server: String { target.url.server }

    /// Sends a command on the shared connection and waits for its reply.
    ///
    /// - Repeated here: only where nothing was sent, once, on a new connection.
    /// - Throws: `RedisError`; `unknown` when the reply did not come, `unavailable` when nothing left.
    public nonisolated(nonsending) func send(
        _ command: RedisCommand, timeout: Duration? = nil
    ) async throws(RedisError) -> RESPValue {
        let connection = try await shared(timeout)
        do throws(RedisError) {
            return try await connection.send(command, timeout: timeout)
        } catch {
            guard error.kind == .unavailable, !connection.isOpen else { throw error }
        }
        return try await shared(timeout).send(command, timeout: timeout)
    }

    /// Sends commands in one write on the shared connection; replies in order, errors in place.
    ///
    /// - Repeated here: only where nothing was sent, once, on a new connection.
    /// - Throws: `unknown` when not all replies came, `unavailable` when nothing left.
    public nonisolated(nonsending) func send(
        pipeline commands: [RedisCommand], timeout: Duration? = nil
    ) async throws(RedisError) -> [RESPValue] {
        // Cancelled while it connects: nothing was sent.
        _ = try await shared(timeout)
        if Task.isCancelled {
            throw RedisError(.cancelled, "cancelled before anything was sent", server: server)
        }
        let once = Once<[RESPValue]>()
        return try await once.wait(
            cancelled: RedisError(
                .unknown, "cancelled while waiting; the commands may or may not have run",
                server: server)
        ) {
            submit(commands, timeout: timeout) { once.resume($0) }
        }
    }

    /// Runs a script: EVALSHA, or EVAL where the server has forgotten it.
    public nonisolated(nonsending) func evalsha(
        _ script: RedisScript, keys: [String], arguments: [[UInt8]] = [], timeout: Duration? = nil
    ) async throws(RedisError) -> RESPValue {
        var command = RedisCommand(script, keys: keys.count)
        command.append(contentsOf: keys)
        command.append(contentsOf: arguments)
        return try await send(command, timeout: timeout)
    }

    /// Closes every connection, tells whoever waits, and returns when all is closed.
    ///
    /// Repeated: returns when all is closed. After it every call throws `closed`.
    public func shutdown() async {
        let (waiters, connections, opening) = state.withLock { $0.shutDown() }
        for waiter in waiters { waiter.resume(.failure(Self.shutDown)) }
        for connection in connections { connection.close() }
        for future in opening { try? await future.get().close() }
        for connection in connections { try? await connection.closed.get() }
    }

    static let shutDown = RedisError(.closed, "the client was shut down; nothing was sent")
}
