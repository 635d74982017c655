// SPDX-License-Identifier: Apache-2.0
public import Godwit
package import GodwitProtos
package import GRPCCore
import GRPCNIOTransportHTTP2Posix
package import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// The gRPC door to one broker: other processes, in any language, push and work through it.
public struct QueueServer: Service {
    private let broker: any Broker
    private let host: String
    private let port: Int
    private let limits: DoorLimits
    private let interceptors: [any ServerInterceptor]
    private let onStart: @Sendable (Int) -> Void

    /// `onStart` hears the port, once the server listens.
    package init(
        _ broker: any Broker, host: String, port: Int, limits: DoorLimits = DoorLimits(),
        interceptors: [any ServerInterceptor], onStart: @escaping @Sendable (Int) -> Void
    ) {
        self.broker = broker
        self.host = host
        self.port = port
        self.limits = limits
        self.interceptors = interceptors
        self.onStart = onStart
    }

    /// Serves until the task is cancelled or a graceful shutdown begins.
    public func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let executor = LoopExecutor(group.next())
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: host, port: port), transportSecurity: .plaintext,
            config: .defaults { config in
                config.http2.maxConcurrentStreams = limits.streamsPerConnection
            }, eventLoopGroup: group)
        let closing = Closing()
        let queues = QueueService(broker: broker, limits: limits, closing: closing)
        let server = GRPCServer(
            transport: transport,
            services: [queues],
            interceptors: interceptors)
        do {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask(executorPreference: executor) { try await server.serve() }
                tasks.addTask(executorPreference: executor) {
                    await queues.floor.run(until: closing)
                }
                let port = try await transport.listeningAddress.ipv4?.port ?? 0
                onStart(port)
                try await withGracefulShutdownHandler {
                    try await tasks.waitForAll()
                } onGracefulShutdown: {
                    closing.begin()
                    server.beginGracefulShutdown()
                }
            }
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try? await group.shutdownGracefully()
    }
}

/// Lets every call pass, as one who may do everything.
package struct LetIn: ServerInterceptor {
    package init() {}

    package func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next:
            @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        try await Caller.$current.withValue(.anybody) { try await next(request, context) }
    }
}
