// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A receiver of webhooks on loopback that behaves as badly as a test wants it to.
///
/// It reads requests by itself instead of through a server library, so that it can answer what no
/// library would.
final class HookServer: Sendable {
    /// What becomes of a request.
    enum Manner: Sendable {
        case status(Int, headers: [String] = [], body: String = "ok")
        /// A body without an end, as fast as it is read.
        case endless(Int)
        /// A byte of a header now and then, for ever.
        case trickle
        /// Takes the request and says nothing.
        case silence
        /// Half a status line, then the connection is cut.
        case cut
    }

    struct Request: Sendable {
        /// The header lines, the request line first.
        var lines: [String]
        var body: [UInt8]

        func header(_ name: String) -> String? {
            lines.dropFirst().first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
                .map { String($0.drop { $0 != ":" }.dropFirst(2)) }
        }

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private struct State {
        var manner: @Sendable (Request, Int) -> Manner
        var requests: [Request] = []
        var connections = 0
        var sent = 0
        var first: [UInt8] = []
    }

    private let state: Mutex<State>
    private let channel: Mutex<(any Channel)?> = Mutex(nil)

    private init(_ manner: @escaping @Sendable (Request, Int) -> Manner) {
        state = Mutex(State(manner: manner))
    }

    var requests: [Request] { state.withLock { $0.requests } }
    var connections: Int { state.withLock { $0.connections } }
    /// Bytes of endless bodies that went into the socket.
    var sent: Int { state.withLock { $0.sent } }
    /// What came first on the last connection, whatever it was.
    var firstBytes: [UInt8] { state.withLock { $0.first } }
    var port: Int { channel.withLock { $0?.localAddress?.port ?? 0 } }

    /// Runs a server for the length of `body`. `manner` is told the request and how many came before.
    static func run<Result>(
        _ manner: @escaping @Sendable (Request, Int) -> Manner = { _, _ in .status(200) },
        _ body: (HookServer) async throws -> Result
    ) async throws -> Result {
        let server = HookServer(manner)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    server.state.withLock { $0.connections += 1 }
                    try channel.pipeline.syncOperations.addHandler(HookHandler(server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        server.channel.withLock { $0 = channel }
        do {
            let result = try await body(server)
            try await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    fileprivate func began(_ bytes: [UInt8]) { state.withLock { $0.first = bytes } }

    fileprivate func manner(of request: Request) -> Manner {
        let (manner, number) = state.withLock { state in
            state.requests.append(request)
            return (state.manner, state.requests.count - 1)
        }
        return manner(request, number)
    }

    fileprivate func didSend(_ count: Int) { state.withLock { $0.sent += count } }
}

private final class HookHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: HookServer
    private var bytes: [UInt8] = []
    private var isAnswered = false

    init(_ server: HookServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let wasEmpty = bytes.isEmpty
        bytes += unwrapInboundIn(data).readableBytesView
        if wasEmpty { server.began(bytes) }
        // A handshake of TLS, which this server does not speak.
        if bytes.first == 0x16 {
            context.close(promise: nil)
            return
        }
        guard !isAnswered, let request = parsed() else { return }
        isAnswered = true
        answer(server.manner(of: request), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func parsed() -> HookServer.Request? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].split(separator: "\r\n").map(String.init)
        var request = HookServer.Request(lines: lines, body: [])
        let length = request.header("content-length").flatMap { Int($0) } ?? 0
        let head = text[..<end.upperBound].utf8.count
        guard bytes.count >= head + length else { return nil }
        request.body = Array(bytes[head..<head + length])
        return request
    }

    private func answer(_ manner: HookServer.Manner, _ context: ChannelHandlerContext) {
        switch manner {
        case .status(let status, let headers, let body):
            let lines = ["HTTP/1.1 \(status) X", "content-length: \(body.utf8.count)"] + headers
            write(lines.joined(separator: "\r\n") + "\r\n\r\n" + body, context)
        case .endless(let status):
            write("HTTP/1.1 \(status) X\r\ntransfer-encoding: chunked\r\n\r\n", context)
            pour(context)
        case .trickle:
            write("HTTP/1.1 200 OK\r\nx: ", context)
            drip(context)
        case .silence: break
        case .cut:
            write("HTTP/1.1 20", context)
            context.close(promise: nil)
        }
    }

    private func write(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }

    private func pour(_ context: ChannelHandlerContext) {
        let chunk = "4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n"
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: chunk))).whenSuccess {
            let (handler, context) = bound.value
            handler.server.didSend(chunk.utf8.count)
            handler.pour(context)
        }
    }

    private func drip(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .milliseconds(20)) {
            let (handler, context) = bound.value
            guard context.channel.isActive else { return }
            handler.write("a", context)
            handler.drip(context)
        }
    }
}
