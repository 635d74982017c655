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
///
/// It holds no state that matters: any number of doors may stand before one store, and what a door did
/// not answer when it ended is as if its connection had broken.
public struct QueueServer: Service {
    private let broker: any Broker
    private let host: String
    private let port: Int
    private let security: HTTP2ServerTransport.Posix.TransportSecurity
    private let limits: DoorLimits
    /// Nil where a test has interceptors of its own.
    private let entrance: AccessGuard?
    private let interceptors: [any ServerInterceptor]
    private let onStart: @Sendable (Int) -> Void

    /// Reads the files of `options.tls`. `onStart` hears the port, once the server listens.
    ///
    /// Throws ``DoorError`` for a door that others could listen in on, or that is open to all of them.
    public init(
        _ broker: any Broker, options: DoorOptions = DoorOptions(),
        onStart: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws(DoorError) {
        self.broker = broker
        host = try options.checkedHost()
        port = options.port
        security = try options.security()
        limits = options.limits
        let entrance = AccessGuard(broker, door: options.letsAnybodyIn ? .open : .tokens)
        self.entrance = entrance
        interceptors = [entrance]
        self.onStart = onStart
    }

    package init(
        _ broker: any Broker, host: String, port: Int, limits: DoorLimits = DoorLimits(),
        interceptors: [any ServerInterceptor], onStart: @escaping @Sendable (Int) -> Void
    ) {
        self.broker = broker
        self.host = host
        self.port = port
        security = .plaintext
        self.limits = limits
        entrance = nil
        self.interceptors = interceptors
        self.onStart = onStart
    }

    /// What stands behind the door. The health service comes last: it knows the others' names.
    static func services(
        for broker: any Broker, queues: QueueService, limits: DoorLimits, closing: Closing
    ) -> [any RegistrableRPCService] {
        var services: [any RegistrableRPCService] = []
        var names: [String] = []
        func add(_ service: any RegistrableRPCService, _ descriptor: ServiceDescriptor) {
            services.append(service)
            names.append(descriptor.fullyQualifiedService)
        }
        add(queues, Godwit_V1_Queue.descriptor)
        add(InspectorService(broker: broker), Godwit_V1_Inspector.descriptor)
        add(OperatorService(broker: broker, limits: limits), Godwit_V1_Operator.descriptor)
        add(StoreService(broker: broker), Godwit_V1_Store.descriptor)
        add(
            StreamsService(broker: broker, limits: limits, closing: closing),
            Godwit_V1_Streams.descriptor)
        services.append(HealthService(broker, services: names, closing: closing))
        return services
    }

    /// All methods of such a door.
    package static func methods(for broker: any Broker) -> [MethodDescriptor] {
        var router = RPCRouter<HTTP2ServerTransport.Posix>()
        let (limits, closing) = (DoorLimits(), Closing())
        let queues = QueueService(broker: broker, limits: limits, closing: closing)
        for service in services(for: broker, queues: queues, limits: limits, closing: closing) {
            service.registerMethods(with: &router)
        }
        return router.methods
    }

    /// Serves until the task is cancelled or a graceful shutdown begins. Then calls may go on for
    /// `limits.grace`, and are cancelled.
    public func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            try await serve(on: group)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try? await group.shutdownGracefully()
    }

    /// Why on its own: the transport needs the loop once more when it goes, and has gone when this returns.
    private func serve(on group: MultiThreadedEventLoopGroup) async throws {
        let executor = LoopExecutor(group.next())
        let transport = HTTP2ServerTransport.Posix(
            address: host.contains(":")
                ? .ipv6(host: host, port: port) : .ipv4(host: host, port: port),
            transportSecurity: security, config: .defaults { limits.apply(to: &$0) },
            eventLoopGroup: group)
        let closing = Closing()
        let queues = QueueService(broker: broker, limits: limits, closing: closing)
        let routes = entrance.map { queues.routes($0.admit) } ?? [:]
        let server = GRPCServer(
            transport: RoutedTransport(inner: transport, routes: routes),
            services: Self.services(
                for: broker, queues: queues, limits: limits, closing: closing),
            interceptors: interceptors)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask(executorPreference: executor) { try await server.serve() }
            tasks.addTask(executorPreference: executor) {
                await queues.floor.run(until: closing)
                // Until cancelled: only the end of all calls, or of the grace, ends the others.
                await Signal().wait()
            }
            let address = try await transport.listeningAddress
            onStart(address.ipv4?.port ?? address.ipv6?.port ?? 0)
            tasks.addTask {
                await closing.wait()
                // Cancelled when all calls have ended before.
                try? await Task.sleep(for: limits.grace)
            }
            try await withGracefulShutdownHandler {
                try await tasks.next()
                tasks.cancelAll()
                try await tasks.waitForAll()
            } onGracefulShutdown: {
                closing.begin()
                server.beginGracefulShutdown()
            }
        }
    }
}
