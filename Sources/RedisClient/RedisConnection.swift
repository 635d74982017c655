// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// One connection to one server: commands of many tasks in, each reply back to who asked for it.
///
/// - Order: the commands of one call reach the server next to each other and in their order; calls
///   of one task in the order in which it makes them; between tasks there is none.
/// - Pipelining: nobody waits for another's reply; what arrives together leaves in one flush.
/// - Cancelled or timed out: that caller gets `unknown`; its late reply is thrown away and the
///   others notice nothing.
/// - Lost: what was written becomes `unknown`, what was not becomes `unavailable`.
public final class RedisConnection: Sendable {
    /// Host and port, or path, for errors and logs.
    public let server: String

    private let channel: any Channel
    private let outbox: Outbox
    private let handler: NIOLoopBound<RedisHandler>
    private let timeout: TimeAmount

    init(
        channel: any Channel, outbox: Outbox, handler: NIOLoopBound<RedisHandler>, server: String,
        timeout: TimeAmount
    ) {
        self.channel = channel
        self.outbox = outbox
        self.handler = handler
        self.server = server
        self.timeout = timeout
    }

    /// Sends a command and waits for its reply.
    ///
    /// An error of the server is thrown by its kind. A script that the server has forgotten is sent
    /// again with its source: NOSCRIPT means that nothing ran.
    public nonisolated(nonsending) func send(
        _ command: RedisCommand, timeout: Duration? = nil
    ) async throws(RedisError) -> RESPValue {
        let value = try await once(command, timeout)
        guard case .error(let text) = value else { return value }
        if Self.isNoScript(text), let eval = command.asEval {
            return try await once(eval, timeout).get(server: server)
        }
        throw RedisError(reply: text, server: server)
    }

    /// Sends commands in one write and waits for all replies, in order.
    ///
    /// A command that fails is an `.error` in its place and does not touch the others. Scripts that
    /// the server has forgotten go out again with their source, in their order, in a second write.
    public nonisolated(nonsending) func send(
        pipeline commands: [RedisCommand], timeout: Duration? = nil
    ) async throws(RedisError) -> [RESPValue] {
        guard !commands.isEmpty else { return [] }
        try refuseIfCancelled()
        let once = Once<[RESPValue]>()
        return try await once.wait(cancelled: cancelled) {
            deliver(commands, timeout: timeout) { once.resume($0) }
        }
    }

    /// False once it takes no more commands.
    public var isOpen: Bool { outbox.isOpen }

    /// True when it ended because the server is not the one to write to.
    var isRetired: Bool { outbox.isRetired }

    /// Closes at once; what is in flight becomes `unknown`. Repeated: nothing happens.
    public func close() {
        channel.eventLoop.execute { [handler] in handler.value.close("this side closed it") }
    }

    /// Completes when the connection has ended.
    var closed: EventLoopFuture<Void> { channel.closeFuture }

    /// Sends for somebody who does not wait; `body` runs once, on the event loop, or at once where
    /// nothing was sent.
    func submit(
        _ commands: [RedisCommand], timeout: Duration? = nil,
        _ body: @escaping @Sendable (Result<[RESPValue], RedisError>) -> Void
    ) {
        do throws(RedisError) {
            try put(commands, .loop(body), commands.count, timeout)
        } catch {
            body(.failure(error))
        }
    }

    /// ``submit(_:timeout:_:)``, and scripts that the server has forgotten again with their source.
    ///
    /// Fails: `unknown` as soon as anything may have run, `unavailable` where nothing has.
    func deliver(
        _ commands: [RedisCommand], timeout: Duration?,
        _ then: @escaping @Sendable (Result<[RESPValue], RedisError>) -> Void
    ) {
        submit(commands, timeout: timeout) { [self] result in
            guard case .success(let replies) = result else { return then(result) }
            let again = Self.forgotten(commands, replies)
            if again.isEmpty { return then(result) }
            submit(again.map(\.command), timeout: timeout) { second in
                switch second {
                case .success(let answers):
                    var replies = replies
                    for (slot, answer) in zip(again, answers) { replies[slot.index] = answer }
                    then(.success(replies))
                case .failure(let error):
                    // Nothing of the second write left, but the rest of the first one was done.
                    let isPartial = again.count < commands.count && error.kind == .unavailable
                    then(
                        .failure(
                            isPartial
                                ? RedisError(.unknown, error.text, server: error.server) : error))
                }
            }
        }
    }

    private nonisolated(nonsending) func once(
        _ command: RedisCommand, _ timeout: Duration?
    ) async throws(RedisError) -> RESPValue {
        try refuseIfCancelled()
        let once = Once<RESPValue>()
        return try await once.wait(cancelled: cancelled) {
            do throws(RedisError) {
                try put(CollectionOfOne(command), .one(once), 1, timeout)
            } catch {
                once.resume(.failure(error))
            }
        }
    }

    private func put(
        _ commands: some Collection<RedisCommand>, _ sink: Sink, _ replies: Int,
        _ timeout: Duration?
    ) throws(RedisError) {
        let call = Call(
            sink: sink, replies: replies, bytes: commands.reduce(0) { $0 + $1.body.readableBytes },
            timeout: timeout.map { TimeAmount($0) } ?? self.timeout)
        if try outbox.put(commands, call) {
            channel.eventLoop.execute { [handler] in handler.value.flush() }
        }
    }

    private func refuseIfCancelled() throws(RedisError) {
        guard Task.isCancelled else { return }
        throw RedisError(.cancelled, "cancelled before anything was sent", server: server)
    }

    private var cancelled: RedisError {
        RedisError(
            .unknown, "cancelled while waiting; the command may or may not have run", server: server
        )
    }

    /// The scripts that the server did not know, as EVAL, and their places.
    private static func forgotten(
        _ commands: [RedisCommand], _ replies: [RESPValue]
    ) -> [(index: Int, command: RedisCommand)] {
        var again: [(index: Int, command: RedisCommand)] = []
        for (index, reply) in replies.enumerated() {
            guard case .error(let text) = reply, isNoScript(text) else { continue }
            if let eval = commands[index].asEval { again.append((index, eval)) }
        }
        return again
    }

    private static func isNoScript(_ text: ArraySlice<UInt8>) -> Bool {
        text.starts(with: "NOSCRIPT".utf8)
    }
}
