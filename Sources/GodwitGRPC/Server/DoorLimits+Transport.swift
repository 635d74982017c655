// SPDX-License-Identifier: Apache-2.0
import GRPCNIOTransportHTTP2Posix
import NIOCore
import Synchronization

extension DoorLimits {
    /// What the transport holds clients to. Heads of more than 16 KiB, and more than a few CONTINUATION
    /// frames, are refused by it anyway.
    func apply(to config: inout HTTP2ServerTransport.Posix.Config) {
        config.http2.maxConcurrentStreams = streamsPerConnection
        config.rpc.maxRequestPayloadSize = WireLimits.requestBytes
        config.connection.maxIdleTime = idle
        config.connection.maxGraceTime = grace
        // A client that is gone without a word holds its streams for so long.
        config.connection.keepalive.time = .seconds(60)
        config.connection.keepalive.timeout = .seconds(20)
        // Why: clients of other languages ping every 10 to 30 seconds where it is recommended to them.
        config.connection.keepalive.clientBehavior.allowWithoutCalls = true
        config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(10)
        let count = ConnectionCount(most: connections)
        config.channelDebuggingCallbacks.onAcceptTCPConnection = { channel in
            count.accept(channel)
        }
    }
}

/// Closes connections beyond a number at once: those that are there go on.
private final class ConnectionCount: Sendable {
    private let most: Int
    private let open = Atomic(0)

    init(most: Int) { self.most = most }

    func accept(_ channel: any Channel) -> EventLoopFuture<Void> {
        let number = open.add(1, ordering: .relaxed).newValue
        channel.closeFuture.whenComplete { _ in
            self.open.subtract(1, ordering: .relaxed)
        }
        if number > most { channel.close(promise: nil) }
        return channel.eventLoop.makeSucceededVoidFuture()
    }
}
