// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// Who gets the replies to what was sent.
enum Sink: Sendable {
    case one(Once<RESPValue>)
    /// On the event loop.
    case loop(@Sendable (Result<[RESPValue], RedisError>) -> Void)

    func fail(_ error: RedisError) {
        switch self {
        case .one(let once): once.resume(.failure(error))
        case .loop(let body): body(.failure(error))
        }
    }
}

/// Commands sent together and the replies they are owed.
struct Call: Sendable {
    let sink: Sink
    let replies: Int
    /// Of the commands; they may be resident until the replies have come.
    let bytes: Int
    let timeout: TimeAmount
    var deadline = NIODeadline.distantFuture
    var expired = false
}

/// What callers have handed in since the event loop last came by: one write, one flush.
struct Burst: Sendable {
    /// Longer commands travel as they are; shorter ones are copied into one buffer.
    private static let copied = 16 << 10

    private(set) var whole: [ByteBuffer] = []
    private(set) var tail = ByteBuffer()
    private(set) var calls: [Call] = []

    mutating func add(_ commands: some Collection<RedisCommand>, _ call: Call) {
        for command in commands {
            command.writeHeader(into: &tail)
            let body = command.body
            if body.readableBytes <= Self.copied {
                tail.writeImmutableBuffer(body)
            } else {
                whole.append(tail)
                whole.append(body)
                tail = ByteBuffer()
            }
        }
        calls.append(call)
    }
}

/// Where any task leaves its commands; one hand-over to the event loop per burst.
final class Outbox: Sendable {
    private struct State {
        var burst = Burst()
        var scheduled = false
        var owed = 0
        var bytes = 0
        var closed: RedisError?
        var retired = false
    }

    /// Replies that may be owed, and bytes of their commands, before callers are turned away.
    private let limit: (replies: Int, bytes: Int)
    private let state = Mutex(State())

    init(replies: Int = 1 << 17, bytes: Int = 256 << 20) { limit = (replies, bytes) }

    /// Takes commands in; true when the caller must wake the event loop.
    func put(_ commands: some Collection<RedisCommand>, _ call: Call) throws(RedisError) -> Bool {
        try state.withLock { state throws(RedisError) in
            if let closed = state.closed { throw closed }
            guard state.owed < limit.replies, state.bytes < limit.bytes else {
                throw RedisError(
                    .unavailable,
                    "\(state.owed) replies to \(state.bytes) bytes are outstanding on one "
                        + "connection; nothing was sent, slow down and try again")
            }
            state.owed += call.replies
            state.bytes += call.bytes
            state.burst.add(commands, call)
            defer { state.scheduled = true }
            return !state.scheduled
        }
    }

    /// Takes everything out.
    func take() -> Burst {
        state.withLock { state in
            let burst = state.burst
            state.burst = Burst()
            state.scheduled = false
            return burst
        }
    }

    /// Replies have come, and with them all that were owed to so many bytes.
    func settle(_ replies: Int, _ bytes: Int) {
        state.withLock { state in
            state.owed -= replies
            state.bytes -= bytes
        }
    }

    /// Nothing more goes in; the first reason stays.
    func close(_ error: RedisError, retired: Bool = false) {
        state.withLock { state in
            guard state.closed == nil else { return }
            state.closed = error
            state.retired = retired
        }
    }

    /// True when it was closed because the server is not the one to write to.
    var isRetired: Bool { state.withLock { $0.retired } }

    /// True while commands are taken in.
    var isOpen: Bool { state.withLock { $0.closed == nil } }
}
