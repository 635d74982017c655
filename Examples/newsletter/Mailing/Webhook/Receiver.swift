// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Godwit
package import GodwitMonitor
package import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A call that the receiver got.
package struct ReceivedCall: Sendable, Hashable {
    package let at: Date
    package let body: [UInt8]
    /// Nil: the signature is right.
    package let refusal: WebhookSignature.Refusal?
}

/// A small HTTP server that takes webhooks: POST with a body of up to 64 KiB, whose signature it checks.
///
/// 204 for a call it believes, 401 for one it does not; keeps the last 1,000 of both.
package final class Receiver: Sendable {
    static let bodyBytes = 64 << 10
    static let kept = 1000

    package let port: Int
    private let channel: any Channel
    private let log: CallLog

    private init(port: Int, channel: any Channel, log: CallLog) {
        self.port = port
        self.channel = channel
        self.log = log
    }

    /// Listens; port 0 takes a free one. `heard` is told of each call as it comes.
    package static func start(
        host: String = "127.0.0.1", port: Int = 0, secret: String,
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        heard: @escaping @Sendable (ReceivedCall) -> Void = { _ in }
    ) async throws -> Receiver {
        let log = CallLog(heard: heard)
        let secret = WebhookSecret(secret)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline(withErrorHandling: true)
                    try pipeline.addHandlers([
                        IdleStateHandler(readTimeout: .seconds(30)),
                        ReceiverHandler(secret, log),
                    ])
                }
            }
            .bind(host: host, port: port).get()
        return Receiver(port: channel.localAddress?.port ?? port, channel: channel, log: log)
    }

    /// The calls so far, oldest first.
    package var calls: [ReceivedCall] { log.calls }

    package func stop() async {
        channel.close(promise: nil)
        try? await channel.closeFuture.get()
    }
}

final class CallLog: Sendable {
    private let list = Mutex<[ReceivedCall]>([])
    private let heard: @Sendable (ReceivedCall) -> Void

    init(heard: @escaping @Sendable (ReceivedCall) -> Void) { self.heard = heard }

    var calls: [ReceivedCall] { list.withLock { $0 } }

    func add(_ call: ReceivedCall) {
        list.withLock { list in
            if list.count >= Receiver.kept { list.removeFirst() }
            list.append(call)
        }
        heard(call)
    }
}

final class ReceiverHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let secret: WebhookSecret
    private let log: CallLog
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var isTooLong = false

    init(_ secret: WebhookSecret, _ log: CallLog) {
        self.secret = secret
        self.log = log
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
            isTooLong = false
        case .body(let bytes):
            if body.count + bytes.readableBytes > Receiver.bodyBytes {
                isTooLong = true
                body = []
            } else if !isTooLong {
                body += bytes.readableBytesView
            }
        case .end: answer(context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ context: ChannelHandlerContext) {
        guard let head else { return }
        let status: HTTPResponseStatus
        if head.method != .POST {
            status = .methodNotAllowed
        } else if isTooLong {
            status = .payloadTooLarge
        } else {
            var refusal: WebhookSignature.Refusal?
            do throws(WebhookSignature.Refusal) {
                try WebhookSignature.check(
                    head.headers[WebhookSignature.header].first, body: body, secrets: [secret],
                    at: Timestamp(Date()))
            } catch {
                refusal = error
            }
            log.add(ReceivedCall(at: Date(), body: body, refusal: refusal))
            status = refusal == nil ? .noContent : .unauthorized
        }
        var response = HTTPResponseHead(version: head.version, status: status)
        if status != .noContent { response.headers.add(name: "content-length", value: "0") }
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        body = []
    }
}
