// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// One connection of the sink: bytes into lines, steps into replies.
final class SinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What a client may send ahead while a mail waits for its answer.
    private static let aheadBytes = 2 << 20

    private let rules: SinkRules
    private let sums: SinkSums
    private var conversation = SinkConversation()
    private var input = ByteBuffer()
    /// The line now coming is over its limit: its bytes are dropped up to its end.
    private var isDropping = false
    private var isWaiting = false
    private var hasEnded = false

    init(_ rules: SinkRules, _ sums: SinkSums) {
        self.rules = rules
        self.sums = sums
    }

    func channelActive(context: ChannelHandlerContext) {
        sums.count { $0.connections += 1 }
        send("220 sink.localhost ESMTP newsletter sink", context)
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
        guard input.readableBytes <= Self.aheadBytes else {
            context.close(promise: nil)
            return
        }
        work(context)
    }

    func channelInactive(context: ChannelHandlerContext) { hasEnded = true }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Silence for the idle time, or the other half is closed.
        context.close(promise: nil)
    }

    private func work(_ context: ChannelHandlerContext) {
        while !isWaiting, !hasEnded, let (line, isWhole) = nextLine() {
            perform(conversation.take(line, isWhole: isWhole), context)
        }
        input.discardReadBytes()
        context.flush()
    }

    /// The next line without its end; nil when it is not complete.
    private func nextLine() -> (ByteBufferView, Bool)? {
        let limit = conversation.lineLimit
        guard let end = input.readableBytesView.firstIndex(of: 0x0A) else {
            if input.readableBytes > limit {
                isDropping = true
                // The last byte stays: it may be half of the line's end.
                input.moveReaderIndex(forwardBy: input.readableBytes - 1)
            }
            return nil
        }
        let view = input.readableBytesView
        var line = view[view.startIndex..<end]
        input.moveReaderIndex(forwardBy: end - view.startIndex + 1)
        let isWhole = !isDropping && line.count < limit
        isDropping = false
        if line.last == 0x0D { line = line.dropLast() }
        return (isWhole ? line : line.prefix(limit), isWhole)
    }

    private func perform(_ step: SinkConversation.Step, _ context: ChannelHandlerContext) {
        switch step {
        case .nothing: break
        case .reply(let text): send(text, context)
        case .recipient(let address):
            if address.hasPrefix(SinkRules.nobody) {
                sums.count { $0.rejected += 1 }
                send("550 5.1.1 no such user", context)
            } else if rules.defers() {
                sums.count { $0.deferred += 1 }
                send("451 4.3.0 try again later", context)
            } else {
                send(conversation.admit(), context)
            }
        case .mail(let mail): take(mail, context)
        case .goodbye(let text):
            send(text, context)
            context.flush()
            hasEnded = true
            context.close(promise: nil)
        }
    }

    private func take(_ mail: SinkConversation.Mail, _ context: ChannelHandlerContext) {
        let reply: String
        if let fault = mail.fault {
            sums.count { $0.rejected += 1 }
            reply = fault
        } else if let id = mail.id {
            if !sums.take(id: id, bytes: mail.bytes) {
                reply = "452 4.3.1 the sink holds its maximum of Message-IDs"
            } else if rules.cuts() {
                sums.count { $0.cut += 1 }
                hasEnded = true
                context.close(promise: nil)
                return
            } else {
                reply = "250 2.0.0 taken"
            }
        } else {
            sums.count { $0.rejected += 1 }
            reply = "550 5.6.0 no Message-ID"
        }
        guard rules.delay > .nanoseconds(0) else { return send(reply, context) }
        isWaiting = true
        context.flush()
        context.eventLoop.assumeIsolated().scheduleTask(in: rules.delay) { [self] in
            isWaiting = false
            guard !hasEnded else { return }
            send(reply, context)
            work(context)
        }
    }

    private func send(_ text: String, _ context: ChannelHandlerContext) {
        var buffer = context.channel.allocator.buffer(capacity: text.utf8.count + 2)
        buffer.writeString(text)
        buffer.writeString("\r\n")
        context.write(wrapOutboundOut(buffer), promise: nil)
    }
}
