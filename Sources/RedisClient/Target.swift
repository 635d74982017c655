// SPDX-License-Identifier: Apache-2.0
import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// All that is needed to open one more connection.
struct Target: Sendable {
    let url: RedisURL
    let scripts: [RedisScript]
    let configuration: RedisClient.Configuration
    let logger: Logger
    private let tls: NIOSSLContext?

    init(
        url: RedisURL, scripts: [RedisScript], configuration: RedisClient.Configuration,
        logger: Logger
    ) throws(RedisError) {
        self.url = url
        self.scripts = scripts
        self.configuration = configuration
        self.logger = logger
        guard case .tls = url.address else {
            tls = nil
            return
        }
        do {
            var settings = TLSConfiguration.makeClientConfiguration()
            settings.minimumTLSVersion = .tlsv12
            if let file = url.authorityFile { settings.trustRoots = .file(file) }
            tls = try NIOSSLContext(configuration: settings)
        } catch {
            throw RedisError(
                .invalid,
                "TLS cannot be set up, is '\(url.authorityFile ?? "")' a PEM file? \(error)",
                server: url.server)
        }
    }

    /// Connects, greets, and loads the scripts; fails with `RedisError` only.
    func open(on loop: any EventLoop, scripts: Bool) -> EventLoopFuture<RedisConnection> {
        let outbox = Outbox(bytes: configuration.outstanding)
        let limit = TimeAmount(configuration.connectTimeout)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(limit)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 4 << 10, initial: 16 << 10, maximum: 256 << 10)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(secure(tls)) }
                    try channel.pipeline.syncOperations.addHandler(
                        RedisHandler(
                            outbox: outbox, server: url.server,
                            patience: TimeAmount(configuration.timeout),
                            limits: configuration.limits))
                }
            }
        let connected =
            switch url.address {
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            case .tcp(let host, let port), .tls(let host, let port):
                Self.alive(bootstrap).connect(host: host, port: port)
            }
        let promise = loop.makePromise(of: RedisConnection.self)
        connected.whenComplete { result in
            do {
                let channel = try result.get()
                let handler = try channel.pipeline.syncOperations.handler(type: RedisHandler.self)
                let connection = RedisConnection(
                    channel: channel, outbox: outbox,
                    handler: NIOLoopBound(handler, eventLoop: loop), server: url.server,
                    timeout: TimeAmount(configuration.timeout))
                Handshake(
                    target: self, connection: connection, scripts: scripts ? self.scripts : []
                )
                .run(within: limit, promise)
            } catch {
                promise.fail(unavailable("\(error)"))
            }
        }
        return promise.futureResult
    }

    func unavailable(_ cause: String) -> RedisError {
        RedisError(
            .unavailable,
            "cannot connect: \(cause); is the server running and the address right? Nothing was "
                + "sent, try again", server: url.server)
    }

    private func secure(_ context: NIOSSLContext) throws -> NIOSSLClientHandler {
        guard case .tls(let host, _) = url.address else {
            return try NIOSSLClientHandler(context: context, serverHostname: nil)
        }
        // An address cannot be sent as a name; it is then checked against the certificate's own.
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }

    /// Small writes leave at once, and a peer that vanished is noticed within two minutes.
    private static func alive(_ bootstrap: ClientBootstrap) -> ClientBootstrap {
        let bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
        #if os(Linux)
        let tcp = NIOBSDSocket.OptionLevel.tcp
        // TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT of tcp(7).
        return [(4, 60), (5, 15), (6, 4)].reduce(bootstrap) { bootstrap, option in
            bootstrap.channelOption(
                ChannelOptions.Types.SocketOption(
                    level: tcp, name: NIOBSDSocket.Option(rawValue: CInt(option.0))),
                value: option.1)
        }
        #else
        return bootstrap
        #endif
    }
}
