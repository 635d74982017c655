// SPDX-License-Identifier: Apache-2.0
import GodwitRedis
import Logging
import NIOCore
import NIOPosix
import RedisClient
import Synchronization
import TestRedis

/// A door on loopback in front of a real server, which may lose an answer half way or speak for it.
///
/// What goes through it really happens; so a test sees both what a caller was told and what is true.
final class Proxy: Sendable {
    enum Mode: Sendable, Equatable {
        case open
        /// The next answer is cut after so many bytes and the connection is closed; then `open`.
        case cut(after: Int)
        /// Every command gets this line instead of reaching the server.
        case say(String)
    }

    let mode = Mutex(Mode.open)
    private let channel: any Channel

    var url: String { "redis://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    static func start(before server: RedisServer) async throws -> Proxy {
        let path = server.socketPath
        let box = Mutex<Proxy?>(nil)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { front in
                guard let proxy = box.withLock({ $0 }) else {
                    return front.eventLoop.makeFailedFuture(ChannelError.eof)
                }
                // Why one loop for both ends: then what each has passed on stays in its order.
                return ClientBootstrap(group: front.eventLoop)
                    .channelInitializer { back in
                        back.eventLoop.makeCompletedFuture {
                            try back.pipeline.syncOperations.addHandler(Answers(front, proxy))
                        }
                    }
                    .connect(unixDomainSocketPath: path)
                    .flatMapThrowing { back in
                        try front.pipeline.syncOperations.addHandler(Questions(back, proxy))
                    }
                    .flatMap { front.setOption(.autoRead, value: true) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let proxy = Proxy(channel)
        box.withLock { $0 = proxy }
        return proxy
    }

    private init(_ channel: any Channel) { self.channel = channel }

    func set(_ new: Mode) { mode.withLock { $0 = new } }

    func stop() async { try? await channel.close() }

    /// From the client to the server.
    private final class Questions: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let back: any Channel
        private let proxy: Proxy
        private var parser = RESPParser()

        init(_ back: any Channel, _ proxy: Proxy) {
            self.back = back
            self.proxy = proxy
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .say(let line) = proxy.mode.withLock({ $0 }) else {
                return back.writeAndFlush(unwrapInboundIn(data), promise: nil)
            }
            unwrapInboundIn(data).withUnsafeReadableBytes { parser.feed($0) }
            while (try? parser.next()) != nil {
                context.writeAndFlush(NIOAny(ByteBuffer(string: "-\(line)\r\n")), promise: nil)
            }
        }

        func channelInactive(context: ChannelHandlerContext) { back.close(promise: nil) }
    }

    /// From the server to the client.
    private final class Answers: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let front: any Channel
        private let proxy: Proxy

        init(_ front: any Channel, _ proxy: Proxy) {
            self.front = front
            self.proxy = proxy
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let answer = unwrapInboundIn(data)
            let cut = proxy.mode.withLock { mode -> Int? in
                guard case .cut(let bytes) = mode else { return nil }
                mode = .open
                return bytes
            }
            guard let cut else { return front.writeAndFlush(answer, promise: nil) }
            let part = answer.getSlice(
                at: answer.readerIndex, length: min(cut, answer.readableBytes))
            front.writeAndFlush(part ?? ByteBuffer(), promise: nil)
            front.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { front.close(promise: nil) }
    }
}

/// Runs `body` with a broker that reaches its server through a proxy, and a client that goes to the
/// server itself.
func withProxy(_ body: (RedisBroker, Proxy, RedisClient) async throws -> Void) async throws {
    try await withServer { server in
        let proxy = try await Proxy.start(before: server)
        try await withLogger(.quiet) { _ in
            let broker = try await RedisBroker(proxy.url)
            let client = try RedisClient(RedisURL(server.url), logger: .quiet)
            do { try await body(broker, proxy, client) } catch {
                await broker.shutdown()
                await client.shutdown()
                await proxy.stop()
                throw error
            }
            await broker.shutdown()
            await client.shutdown()
            await proxy.stop()
        }
    }
}
