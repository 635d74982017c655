// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// The event loop's half of a connection: pairs replies with calls, in order, and keeps deadlines.
///
/// A call that timed out or was cancelled stays in its place in the queue until its replies have
/// come and were thrown away; so nobody ever gets the reply to another's command.
final class RedisHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let outbox: Outbox
    private let server: String
    private let patience: TimeAmount  // silence after which a peer that owes a reply is gone
    private var parser: RESPParser
    private var context: ChannelHandlerContext?
    private var calls = CircularBuffer<Call>(initialCapacity: 64)
    private var partial: [RESPValue] = []  // replies of the first call, when it is owed several
    private var timer: Scheduled<Void>?
    private var timerAt = NIODeadline.distantFuture
    private var lastRead = NIODeadline.now()
    private var answered = 0  // bytes of calls that have all their replies
    private var retired = false
    private var ended = false
    private var cause = "the server closed it"

    init(outbox: Outbox, server: String, patience: TimeAmount, limits: RESPParser.Limits) {
        self.outbox = outbox
        self.server = server
        self.patience = patience
        parser = RESPParser(limits: limits)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Writes everything that waits in the outbox with one flush.
    func flush() {
        let burst = outbox.take()
        guard !burst.calls.isEmpty else { return }
        guard !ended, let context else {
            let error = lost(.unavailable)
            for call in burst.calls { call.sink.fail(error) }
            return
        }
        let now = NIODeadline.now()
        var earliest = timerAt
        for var call in burst.calls {
            call.deadline = now + call.timeout
            earliest = min(earliest, call.deadline)
            calls.append(call)
        }
        for buffer in burst.whole { context.write(wrapOutboundOut(buffer), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(burst.tail), promise: nil)
        if earliest < timerAt { arm(earliest) }
    }

    /// Takes no more commands and closes once every reply has come.
    func retire(_ reason: String) {
        guard !retired else { return }
        retired = true
        cause = reason
        outbox.close(lost(.unavailable), retired: true)
        flush()
        if calls.isEmpty { context?.close(promise: nil) }
    }

    /// Closes at once; what is in flight becomes unknown.
    func close(_ reason: String) {
        cause = reason
        outbox.close(lost(.unavailable))
        context?.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        buffer.withUnsafeReadableBytes { parser.feed($0) }
        lastRead = .now()
        var settled = 0
        let before = answered
        do throws(RESPError) {
            while let value = try parser.next() {
                if case .push = value { continue }  // out of band: answers nobody
                guard pair(value) else { break }
                settled += 1
            }
        } catch {
            close("the server sent what is not RESP: \(error)")
        }
        if settled > 0 { outbox.settle(settled, answered - before) }
        if retired, calls.isEmpty { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !ended { close("\(error)") }
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended = true
        timer?.cancel()
        outbox.close(lost(.unavailable))
        let error = lost(.unknown)
        while let call = calls.popFirst() {
            if !call.expired { call.sink.fail(error) }
        }
        partial = []
        flush()
        context.fireChannelInactive()
    }

    /// Gives a reply to the call it belongs to; false when it belongs to none.
    private func pair(_ value: RESPValue) -> Bool {
        guard let first = calls.first else {
            let text = value.string.map { ": \($0.prefix(200))" } ?? ""
            close("the server spoke without being asked\(text)")
            return false
        }
        if case .error(let text) = value, text.starts(with: "READONLY".utf8) {
            // Why: after a failover the address may lead to the new primary, so connect again.
            retire("the server became a replica")
        }
        switch first.sink {
        case .one(let once):
            calls.removeFirst()
            answered += first.bytes
            once.resume(.success(value))
        case .loop(let body):
            partial.append(value)
            guard partial.count == first.replies else { return true }
            let replies = partial
            partial = []
            calls.removeFirst()
            answered += first.bytes
            // Why: one that timed out was told so; its callback runs once.
            if !first.expired { body(.success(replies)) }
        }
        return true
    }

    /// One timer for all calls, set for the earliest deadline and checked when it fires.
    private func arm(_ deadline: NIODeadline) {
        guard let context else { return }
        timer?.cancel()
        timerAt = deadline
        // Why loop-bound: the timer runs on the very loop that this handler lives on.
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: deadline) { handler.value.expire() }
    }

    private func expire() {
        timer = nil
        timerAt = .distantFuture
        guard !ended else { return }
        let now = NIODeadline.now()
        var earliest = NIODeadline.distantFuture
        for index in calls.indices {
            if calls[index].deadline <= now {
                let call = calls[index]
                if call.expired {
                    // Why not the call's own timeout: one impatient caller must not cost the others
                    // their connection.
                    guard lastRead + patience > now else {
                        return close(
                            "it owes replies and was silent for "
                                + "\(patience.nanoseconds / 1_000_000) ms")
                    }
                    calls[index].deadline = lastRead + patience
                } else {
                    call.sink.fail(
                        RedisError(
                            .unknown,
                            "no reply within \(call.timeout.nanoseconds / 1_000_000) ms; the command "
                                + "may or may not have run, ask before repeating it",
                            server: server))
                    calls[index].expired = true
                    calls[index].deadline = now + patience
                }
            }
            earliest = min(earliest, calls[index].deadline)
        }
        // Why a floor: a crowd of short deadlines must not turn into a scan per microsecond.
        if earliest < .distantFuture { arm(max(earliest, now + .milliseconds(2))) }
    }

    private func lost(_ kind: RedisError.Kind) -> RedisError {
        let fate =
            kind == .unknown
            ? "the command may or may not have run, ask before repeating it"
            : "nothing was sent, try again"
        return RedisError(kind, "the connection was lost, \(cause); \(fate)", server: server)
    }
}
