// SPDX-License-Identifier: Apache-2.0
import Godwit
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOCore
import NIOPosix
import SwiftProtobuf
import Synchronization

/// One connection to a door, with a thread of its own, and what goes over it.
///
/// The seam has words for callers that can't wait (`renew`, `settleDetached`), and a broker lives
/// outside of anybody's `run()`: so this is the one place that starts tasks of its own. All of them end with
/// ``shutdown()``.
final class Courier: Sendable {
    typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

    private struct State {
        var lastKey: UInt64 = 0
        /// What runs for callers that don't wait.
        var detached: [UInt64: Task<Void, Never>] = [:]
        var connections: Task<Void, Never>?
    }

    let client: Client
    private let transport: HTTP2ClientTransport.Posix
    let location: String
    private let group: MultiThreadedEventLoopGroup
    let executor: LoopExecutor
    let metadata: Metadata
    private let timeout: Duration?
    /// Calls off what waits for long.
    private let closing = Closing()
    private let state = Mutex(State())

    init(
        _ target: any ResolvableTarget,
        _ security: HTTP2ClientTransport.Posix.TransportSecurity, location: String,
        token: String?, timeout: Duration?
    ) throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        executor = LoopExecutor(group.next())
        self.location = location
        self.timeout = timeout
        var metadata = Metadata()
        if let token { metadata.addString("Bearer \(token)", forKey: "authorization") }
        self.metadata = metadata
        transport = try HTTP2ClientTransport.Posix(
            target: target, transportSecurity: security,
            config: .defaults { config in
                config.backoff.initial = .milliseconds(100)
                config.backoff.max = .seconds(5)
                config.connection.keepalive = .init(
                    time: .seconds(20), timeout: .seconds(10), allowWithoutCalls: false)
            }, eventLoopGroup: group)
        client = GRPCClient(transport: transport)
        let client = client
        let connections = Task(executorPreference: executor) {
            _ = try? await client.runConnections()
        }
        state.withLock { $0.connections = connections }
    }

    var isShutDown: Bool { closing.hasBegun }

    /// Makes one call. `what` is for the reader of an error; a read can't have changed anything,
    /// however it failed.
    func call<Input: Sendable, Output: Sendable>(
        _ what: @autoclosure () -> String, isRead: Bool = false, timeout: Duration? = nil,
        _ message: Input,
        _ body: @Sendable (ClientRequest<Input>, CallOptions) async throws -> Output
    ) async throws(BrokerError) -> Output {
        if isShutDown { throw closed(what()) }
        if Task.isCancelled { throw cancelled(what()) }
        var options = CallOptions.defaults
        options.timeout = timeout ?? self.timeout
        let request = ClientRequest(message: message, metadata: metadata)
        do {
            return try await withTaskExecutorPreference(executor) {
                try await body(request, options)
            }
        } catch {
            throw BrokerError(error, what: what(), location: location, isRead: isRead)
        }
    }

    /// Makes one call of a word, the short way (`unary`).
    ///
    /// It has no deadline of its own: the server answers a word in bounded time or says why not, and a
    /// connection over which nothing comes any more is found by its keepalive within 30 seconds.
    func word<Input: SwiftProtobuf.Message & Sendable, Output: SwiftProtobuf.Message & Sendable>(
        _ what: @autoclosure () -> String, _ method: MethodDescriptor, _ message: Input
    ) async throws(BrokerError) -> Output {
        if isShutDown { throw closed(what()) }
        if Task.isCancelled { throw cancelled(what()) }
        let hasBegun = Atomic(false)
        do {
            return try await withTaskExecutorPreference(executor) {
                try await transport.unary(message, method, metadata, .defaults) {
                    hasBegun.store(true, ordering: .relaxed)
                }
            }
        } catch {
            // Why: what was never sent can't have happened, and may be tried again as it is.
            throw BrokerError(
                error, what: what(), location: location,
                isRead: !hasBegun.load(ordering: .relaxed))
        }
    }

    /// Runs `body` for a caller that does not wait for it; ``shutdown()`` does.
    func detach(_ body: @escaping @Sendable () async -> Void) {
        state.withLock { state in
            state.lastKey += 1
            let key = state.lastKey
            // Proof that it is removed after it was set: it runs on the loop, and takes this lock first.
            state.detached[key] = Task(executorPreference: executor) {
                await body()
                self.state.withLock { _ = $0.detached.removeValue(forKey: key) }
            }
        }
    }

    /// Runs `body` until it ends, its caller is cancelled, or the courier is shut down.
    func waiting(_ body: @escaping @Sendable () async -> Void) async {
        if closing.hasBegun { return }
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await body() }
            tasks.addTask { await self.closing.wait() }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    /// Ends the connection after what was begun has been answered.
    func shutdown() async {
        closing.begin()
        let (detached, connections) = state.withLock { state in
            defer { state.connections = nil }
            return (Array(state.detached.values), state.connections)
        }
        for task in detached { await task.value }
        guard let connections else { return }
        client.beginGracefulShutdown()
        await connections.value
        try? await group.shutdownGracefully()
    }

    private func cancelled(_ what: String) -> BrokerError {
        .unavailable(
            BrokerError.Problem(
                what: what, location: location, cause: "the caller's task was cancelled",
                advice: "Nothing was sent."))
    }

    func closed(_ what: String) -> BrokerError {
        .unavailable(
            BrokerError.Problem(
                what: what, location: location, cause: "the broker was shut down",
                advice: "Open a new one."))
    }
}
