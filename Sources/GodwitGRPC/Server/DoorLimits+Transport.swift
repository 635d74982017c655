// SPDX-License-Identifier: Apache-2.0
import GRPCNIOTransportHTTP2Posix
import NIOCore
import Synchronization

extension DoorLimits {
    /// What the transport holds clients to. Heads of more than 16 KiB, and more than a few CONTINUATION
    /// frames, are refused by it anyway.
    func apply(to config: inout HTTP2ServerTransport.Posix.Config) {
        config.http2.maxConcurrentStreams = streamsPerConnection
        // Why more than is taken: beyond this the transport ends the call without a status, and a client
        // would send the same again. `UnaryRoutes` refuses what is less with words.
        config.rpc.maxRequestPayloadSize = 2 * WireLimits.requestBytes
        config.connection.maxIdleTime = idle
        config.connection.maxGraceTime = grace
        config.connection.keepalive.time = silence * 3 / 4
        config.connection.keepalive.timeout = silence / 4
        // Why: clients of other languages ping every 10 to 30 seconds where it is recommended to them.
        config.connection.keepalive.clientBehavior.allowWithoutCalls = true
        config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(10)
        let count = ConnectionCount(most: connections)
        let silence = TimeAmount(silence)
        config.channelDebuggingCallbacks.onAcceptTCPConnection = { channel in
            guard count.accept(channel) else {
                channel.close(promise: nil)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            return channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    SilenceWatch(silence), position: .first)
            }
        }
    }
}

/// Counts connections; one beyond the most is closed at once, and those that are there go on.
private final class ConnectionCount: Sendable {
    private let most: Int
    private let open = Atomic(0)

    init(most: Int) { self.most = most }

    func accept(_ channel: any Channel) -> Bool {
        let number = open.add(1, ordering: .relaxed).newValue
        channel.closeFuture.whenComplete { _ in
            self.open.subtract(1, ordering: .relaxed)
        }
        return number <= most
    }
}

/// Closes a connection on which nothing comes.
///
/// Why: the transport ends a connection that is idle, or does not answer its pings, in good manners: it
/// says so and waits for an answer. Who never answers would keep the connection, and with it its calls.
private final class SilenceWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let most: TimeAmount
    private var hasHeard = false
    private var looks: RepeatedTask?

    init(_ most: TimeAmount) { self.most = most }

    func handlerAdded(context: ChannelHandlerContext) {
        let watch = NIOLoopBound(self, eventLoop: context.eventLoop)
        let channel = context.channel
        looks = context.eventLoop.scheduleRepeatedTask(initialDelay: most, delay: most) { _ in
            guard !watch.value.hasHeard else {
                watch.value.hasHeard = false
                return
            }
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { looks?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        looks?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasHeard = true
        context.fireChannelRead(data)
    }
}
