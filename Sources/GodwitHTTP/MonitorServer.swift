// SPDX-License-Identifier: Apache-2.0
public import Godwit
public import GodwitMonitor
import Hummingbird
import Logging
import NIOCore
public import ServiceLifecycle

/// A server of its own for ``addMonitorRoutes(to:metrics:gauges:)``: on loopback, or behind a token.
///
/// Only watching: it takes nothing from the queue, and when it ends nothing else does.
public struct MonitorServer: Service {
    public let address: ListenAddress
    private let metrics: OpenMetricsFactory
    private let gauges: StoreGauges
    private let hosts: [String]
    private let token: String?
    private let onListening: @Sendable (ListenAddress) async -> Void

    /// Throws ``MonitorServerError`` for an address that others can reach without a token, unless
    /// `allowsAnybody` says that this is meant. `hosts` are further names to answer for.
    /// `onListening` gets the address with the port that the system chose.
    public init(
        _ broker: any Broker, metrics: OpenMetricsFactory,
        on address: ListenAddress = .loopback, hosts: [String] = [], token: String? = nil,
        allowsAnybody: Bool = false,
        onListening: @escaping @Sendable (ListenAddress) async -> Void = { _ in }
    ) throws(MonitorServerError) {
        if let token {
            guard token.utf8.count >= 16, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else { throw .weakToken }
        } else if !address.isLoopback, !allowsAnybody {
            throw .open(address)
        }
        self.address = address
        self.metrics = metrics
        self.gauges = StoreGauges(broker, metrics: metrics)
        self.hosts = hosts
        self.token = token
        self.onListening = onListening
    }

    public func run() async throws {
        let router = Router()
        router.add(middleware: AccessCheck(listeningOn: address, hosts: hosts, token: token))
        addMonitorRoutes(to: router, metrics: metrics, gauges: gauges)
        let (host, onListening) = (address, onListening)
        let application = Application(
            router: router, server: .http1(configuration: .init(idleTimeout: .seconds(60))),
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port)),
            onServerRunning: { channel in
                await onListening(host.with(port: channel.localAddress?.port ?? host.port))
            },
            logger: Logger.current)
        try await application.run()
    }
}

/// Why a server is not started.
@nonexhaustive
public enum MonitorServerError: Error, Sendable, Hashable, CustomStringConvertible {
    case open(ListenAddress)
    case weakToken

    public var description: String {
        switch self {
        case .open(let address):
            """
            \(address) can be reached by others, and no token is set: everybody could read the names \
            and numbers of all queues. Nothing was started. Listen on 127.0.0.1, or set a token of \
            16 characters or more.
            """
        case .weakToken:
            """
            the token is too short or holds spaces or control bytes. Nothing was started. Use 16 or \
            more characters that nobody guesses, for example of `openssl rand -hex 32`.
            """
        }
    }
}
