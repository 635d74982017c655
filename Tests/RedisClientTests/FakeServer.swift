// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import RedisClient
import Synchronization

/// A server on loopback that answers whatever the test says: late, wrong, in pieces, or not at all.
final class FakeServer: Sendable {
    /// What to do with one command: bytes to send, and whether to close after them.
    struct Answer: Sendable {
        var bytes: [UInt8] = []
        var closes = false
        var after = TimeAmount.zero

        static func say(_ text: String) -> Answer { Answer(bytes: Array(text.utf8)) }
        static let silence = Answer()
        static let close = Answer(closes: true)
    }

    /// Every command seen, over all connections.
    let heard = Mutex<[[String]]>([])
    let port: Int
    private let channel: any Channel

    /// Commands of the handshake are answered as an old server would, unless `raw`.
    static func start(
        raw: Bool = false, _ answer: @escaping @Sendable (_ command: [String]) -> Answer
    ) async throws -> FakeServer {
        let box = Mutex<FakeServer?>(nil)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Session { command in
                            box.withLock { $0 }?.heard.withLock { $0.append(command) }
                            if !raw, command.first == "HELLO" {
                                return .say("-ERR unknown command 'HELLO'\r\n")
                            }
                            if !raw, command.first == "CLIENT" { return .say("+OK\r\n") }
                            return answer(command)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = FakeServer(channel)
        box.withLock { $0 = server }
        return server
    }

    private init(_ channel: any Channel) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
    }

    var url: String { "redis://127.0.0.1:\(port)" }

    func stop() async { try? await channel.close() }

    /// Reads commands with the parser under test: they are arrays of bulk strings.
    private final class Session: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private var parser = RESPParser()
        private let answer: (([String]) -> Answer)

        init(_ answer: @escaping ([String]) -> Answer) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            buffer.withUnsafeReadableBytes { parser.feed($0) }
            while let command = try? parser.next() {
                let answer = answer(command.elements?.map { $0.string ?? "" } ?? [])
                let context = NIOLoopBound(context, eventLoop: context.eventLoop)
                let act: @Sendable () -> Void = {
                    if !answer.bytes.isEmpty {
                        let bytes = ByteBuffer(bytes: answer.bytes)
                        context.value.writeAndFlush(NIOAny(bytes), promise: nil)
                    }
                    if answer.closes { context.value.close(promise: nil) }
                }
                if answer.after == .zero {
                    act()
                } else {
                    context.eventLoop.scheduleTask(in: answer.after, act)
                }
            }
        }
    }
}

/// Runs `body` with a fake server and a client to it.
func withFake(
    raw: Bool = false, timeout: Duration = .seconds(10), outstanding: Int = 256 << 20,
    _ answer: @escaping @Sendable ([String]) -> FakeServer.Answer,
    _ body: (RedisClient, FakeServer) async throws -> Void
) async throws {
    let server = try await FakeServer.start(raw: raw, answer)
    try await withClient(server.url) {
        $0.timeout = timeout
        $0.outstanding = outstanding
        $0.connectTimeout = .seconds(5)
        $0.backoff = Backoff(base: .milliseconds(1), cap: .milliseconds(5))
    } _: { client in
        try await body(client, server)
    }
    await server.stop()
}
