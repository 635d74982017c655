// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A service on loopback that messages are pushed to, as good or bad as a test wants it.
final class HTTPService: Sendable {
    enum Manner: Sendable {
        case status(Int, headers: [(String, String)] = [], body: String = "")
        /// A body without an end, as fast as it is read.
        case endless(Int)
        /// Takes the request and says nothing.
        case silence
        /// A head that promises more than comes.
        case broken(Int)
    }

    struct Request: Sendable {
        var method: String
        var path: String
        var headers: HTTPHeaders
        var body: [UInt8] = []
    }

    private struct State {
        var manner: @Sendable (Request, Int) -> Manner
        var requests: [Request] = []
        var connections = 0
        var busy = 0
        var busiest = 0
    }

    private let state: Mutex<State>
    let port: Int

    private init(_ port: Int, _ manner: @escaping @Sendable (Request, Int) -> Manner) {
        self.port = port
        state = Mutex(State(manner: manner))
    }

    var requests: [Request] { state.withLock { $0.requests } }
    var connections: Int { state.withLock { $0.connections } }
    var busiest: Int { state.withLock { $0.busiest } }
    var url: String { "http://127.0.0.1:\(port)/work?key=k" }

    /// Runs a service for the length of `body`. `manner` gets the request and how many came before.
    static func run<Result>(
        on port: Int = 0,
        _ manner: @escaping @Sendable (Request, Int) -> Manner = { _, _ in .status(204) },
        _ body: (HTTPService) async throws -> Result
    ) async throws -> Result {
        let listening = Mutex<HTTPService?>(nil)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let service = listening.withLock({ $0 }) else { return }
                    service.state.withLock { $0.connections += 1 }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(ServiceHandler(service))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        let service = HTTPService(channel.localAddress?.port ?? 0, manner)
        listening.withLock { $0 = service }
        do {
            let result = try await body(service)
            try await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    /// A port that nobody listens on.
    static func freePort() async throws -> Int {
        while true {
            // Below those that systems give to whoever asks for any: no other test's service comes to
            // listen there, and no call gets an answer that nobody meant.
            let port = Int.random(in: 20_000..<30_000)
            let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            guard let channel = try? await bootstrap.bind(host: "127.0.0.1", port: port).get()
            else { continue }
            try await channel.close()
            return port
        }
    }

    fileprivate func manner(of request: Request) -> Manner {
        let (manner, number) = state.withLock { state in
            state.requests.append(request)
            state.busy += 1
            state.busiest = max(state.busiest, state.busy)
            return (state.manner, state.requests.count - 1)
        }
        return manner(request, number)
    }

    fileprivate func answered() { state.withLock { $0.busy -= 1 } }
}

private final class ServiceHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let service: HTTPService
    private var request: HTTPService.Request?

    init(_ service: HTTPService) { self.service = service }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            request = HTTPService.Request(
                method: head.method.rawValue, path: head.uri, headers: head.headers)
        case .body(let bytes): request?.body += bytes.readableBytesView
        case .end:
            guard let request else { return }
            answer(service.manner(of: request), context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ manner: HTTPService.Manner, _ context: ChannelHandlerContext) {
        switch manner {
        case .status(let status, let headers, let body):
            var all = HTTPHeaders(headers)
            if status != 204 { all.add(name: "content-length", value: "\(body.utf8.count)") }
            head(status, all, context)
            if !body.isEmpty {
                context.write(
                    wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
            }
            service.answered()
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .endless(let status):
            head(status, [:], context)
            pour(context)
        case .silence: break
        case .broken(let status):
            head(status, ["content-length": "100"], context)
            context.writeAndFlush(
                wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "half")))), promise: nil)
            context.close(promise: nil)
        }
    }

    private func head(_ status: Int, _ headers: HTTPHeaders, _ context: ChannelHandlerContext) {
        context.write(
            wrapOutboundOut(
                .head(
                    HTTPResponseHead(
                        version: .http1_1, status: .init(statusCode: status), headers: headers))),
            promise: nil)
    }

    private func pour(_ context: ChannelHandlerContext) {
        let chunk = ByteBuffer(repeating: 0x78, count: 1 << 14)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(chunk)))).whenSuccess {
            let (handler, context) = bound.value
            handler.pour(context)
        }
    }
}
