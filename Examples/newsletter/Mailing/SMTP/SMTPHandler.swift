// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// Says something to a server and waits for the replies that are owed.
final class SMTPWords: Sendable {
    private struct State {
        var owed: [(count: Int, promise: EventLoopPromise<[SMTPReply]>)] = []
        var replies: [SMTPReply] = []
        var failure: SMTPError?
    }

    let server: String
    let patience: TimeAmount
    private let state = Mutex(State())

    init(server: String, patience: TimeAmount) {
        self.server = server
        self.patience = patience
    }

    func say(
        _ text: String, replies count: Int, on channel: any Channel, within time: TimeAmount? = nil
    ) async throws -> [SMTPReply] {
        try await say(ByteBuffer(string: text), replies: count, on: channel, within: time)
    }

    /// Sends bytes; returns the next `count` replies or throws ``SMTPError``.
    func say(
        _ bytes: ByteBuffer, replies count: Int, on channel: any Channel,
        within time: TimeAmount? = nil
    ) async throws -> [SMTPReply] {
        let promise = channel.eventLoop.makePromise(of: [SMTPReply].self)
        let failure = state.withLock { state in
            if state.failure == nil { state.owed.append((count, promise)) }
            return state.failure
        }
        if let failure {
            promise.fail(failure)
        } else {
            channel.writeAndFlush(bytes, promise: nil)
            settle()
        }
        let server = server
        let patience = time ?? patience
        // Why for the whole: a server that drips one byte a second is as silent as a dead one.
        let timer = channel.eventLoop.scheduleTask(in: patience) { [self] in
            fail(.silent("no reply from \(server) within \(patience.nanoseconds / 1_000_000) ms"))
            channel.close(promise: nil)
        }
        defer { timer.cancel() }
        return try await promise.futureResult.get()
    }

    func heard(_ replies: [SMTPReply]) {
        let isTooMuch = state.withLock { state in
            state.replies += replies
            return state.replies.count > 16
        }
        if isTooMuch { fail(.garbled("\(server) speaks without being asked")) }
        settle()
    }

    /// Ends everything that waits and everything that comes; the first cause counts.
    func fail(_ error: SMTPError) {
        let owed = state.withLock { state in
            state.failure = state.failure ?? error
            defer { state.owed = [] }
            return state.owed.map(\.promise)
        }
        for promise in owed { promise.fail(error) }
    }

    private func settle() {
        while true {
            let ready = state.withLock {
                state -> (EventLoopPromise<[SMTPReply]>, [SMTPReply])? in
                guard let first = state.owed.first, state.replies.count >= first.count else {
                    return nil
                }
                state.owed.removeFirst()
                defer { state.replies.removeFirst(first.count) }
                return (first.promise, Array(state.replies.prefix(first.count)))
            }
            guard let (promise, replies) = ready else { return }
            promise.succeed(replies)
        }
    }
}

/// The event loop's half: bytes into replies.
final class SMTPHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let words: SMTPWords
    private var parser = SMTPReplyParser()

    init(_ words: SMTPWords) { self.words = words }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do throws(SMTPError) {
            words.heard(try parser.feed(unwrapInboundIn(data).readableBytesView))
        } catch {
            words.fail(error)
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        words.fail(.cut("\(words.server): \(error)"))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        words.fail(.cut("\(words.server) closed it"))
        context.fireChannelInactive()
    }
}
