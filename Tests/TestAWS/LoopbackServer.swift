// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server of HTTP on loopback that answers as a function says, or breaks off as it says.
public final class LoopbackServer: StoppableServer, Sendable {
    public struct Request: Sendable {
        public var method: String
        /// As it came: path and query, encoded.
        public var uri: String
        public var headers: [(name: String, value: String)]
        public var body: [UInt8]

        public func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
        public var path: Substring { uri.prefix { $0 != "?" } }
        public var rawQuery: Substring { uri.dropFirst(path.count + 1) }
    }

    public struct Reply: Sendable {
        public var status: Int
        public var headers: [(String, String)]
        public var body: [UInt8]
        /// Bytes of the body after which the connection is closed; the head promises all of them.
        public var cut: Int?
        /// Closes the connection without a word.
        public var isDropped = false

        public init(
            _ status: Int, _ headers: [(String, String)] = [], body: [UInt8] = [], cut: Int? = nil
        ) {
            self.status = status
            self.headers = headers
            self.body = body
            self.cut = cut
        }

        public init(_ status: Int, _ headers: [(String, String)] = [], text: String) {
            self.init(status, headers, body: Array(text.utf8))
        }

        public static var drop: Reply {
            var reply = Reply(0)
            reply.isDropped = true
            return reply
        }
    }

    private struct State {
        var answer: @Sendable (Request) -> Reply
        var requests: [Request] = []
        var sent = 0
        var stalls = 0
    }

    private let state: Mutex<State>
    private let channel = Mutex<(any Channel)?>(nil)
    public let port: Int

    private init(_ port: Int, _ answer: @escaping @Sendable (Request) -> Reply) {
        self.port = port
        state = Mutex(State(answer: answer))
    }

    public var url: String { "http://127.0.0.1:\(port)" }
    /// All that came, in order of their end, without their bodies.
    public var requests: [Request] { state.withLock { $0.requests } }
    /// Bytes of bodies that went to the system.
    public var sent: Int { state.withLock { $0.sent } }
    /// How often a body had to wait because nobody read it.
    public var stalls: Int { state.withLock { $0.stalls } }

    public static func start(
        _ answer: @escaping @Sendable (Request) -> Reply
    ) async throws -> LoopbackServer {
        let listening = Mutex<LoopbackServer?>(nil)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let server = listening.withLock({ $0 }) else { return }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = LoopbackServer(channel.localAddress?.port ?? 0, answer)
        server.channel.withLock { $0 = channel }
        listening.withLock { $0 = server }
        return server
    }

    /// Runs a server for the length of `body`.
    public static func run<Result>(
        _ answer: @escaping @Sendable (Request) -> Reply,
        _ body: (LoopbackServer) async throws -> Result
    ) async throws -> Result {
        try await start(answer).serve(body)
    }

    public func stop() async {
        let channel = channel.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try? await channel?.close()
    }

    fileprivate func answer(_ request: Request) -> Reply {
        let answer = state.withLock { state in
            var noted = request
            noted.body = []
            state.requests.append(noted)
            return state.answer
        }
        return answer(request)
    }

    fileprivate func note(sent: Int) { state.withLock { $0.sent += sent } }
    fileprivate func noteStall() { state.withLock { $0.stalls += 1 } }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let server: LoopbackServer
        private var request: Request?
        private var reply = Reply(0)
        private var done = 0

        init(_ server: LoopbackServer) { self.server = server }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                request = Request(
                    method: head.method.rawValue, uri: head.uri,
                    headers: head.headers.map { ($0.name, $0.value) }, body: [])
            case .body(let bytes): request?.body += bytes.readableBytesView
            case .end:
                guard let request else { return }
                reply = server.answer(request)
                begin(context, isHead: request.method == "HEAD")
            }
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            if !context.channel.isWritable { server.noteStall() }
            context.fireChannelWritabilityChanged()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }

        private func begin(_ context: ChannelHandlerContext, isHead: Bool) {
            if reply.isDropped { return context.close(promise: nil) }
            var headers = HTTPHeaders(reply.headers)
            if !headers.contains(name: "content-length"), reply.status != 204 {
                headers.add(name: "content-length", value: "\(reply.body.count)")
            }
            let head = HTTPResponseHead(
                version: .http1_1, status: .init(statusCode: reply.status), headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            if isHead { reply.body = [] }
            done = 0
            pour(context)
        }

        private func pour(_ context: ChannelHandlerContext) {
            let end = min(reply.body.count, reply.cut ?? .max)
            guard done < end else {
                if reply.cut != nil {
                    context.flush()
                    return context.close(promise: nil)
                }
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                if request?.header("connection")?.lowercased() == "close" {
                    context.close(promise: nil)
                }
                return
            }
            let count = min(end - done, 128 << 10)
            let piece = ByteBuffer(bytes: reply.body[done..<done + count])
            done += count
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece)))).whenSuccess {
                let (handler, context) = bound.value
                handler.server.note(sent: count)
                handler.pour(context)
            }
        }
    }
}
