// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// Who gets the replies to what was sent.
enum Sink: Sendable {
    case one(Once<RESPValue>)
    case many(Once<[RESPValue]>)
    /// On the event loop, for the handshake.
    case loop(@Sendable (Result<[RESPValue], RedisError>) -> Void)

    func fail(_ error: RedisError) {
        switch self {
        case .one(let once): once.resume(.failure(error))
        case .many(let once): once.resume(.failure(error))
        case .loop(let body): body(.failure(error))
        }
    }
}

/// Commands sent together and the replies they are owed.
struct Call: Sendable {
    let sink: Sink
    let replies: Int
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
    private(set) var bytes = 0

    mutating func add(_ commands: some Collection<RedisCommand>, _ call: Call) {
        for command in commands {
            command.writeHeader(into: &tail)
            let body = command.body
            bytes += body.readableBytes
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
        var closed: RedisError?
    }

    /// Replies that may be owed, and bytes that may wait, before callers are turned away.
    static let limit = (replies: 1 << 17, bytes: 256 << 20)

    private let state = Mutex(State())

    /// Takes commands in; true when the caller must wake the event loop.
    func put(_ commands: some Collection<RedisCommand>, _ call: Call) throws(RedisError) -> Bool {
        try state.withLock { state throws(RedisError) in
            if let closed = state.closed { throw closed }
            guard state.owed < Self.limit.replies, state.burst.bytes < Self.limit.bytes else {
                throw RedisError(
                    .unavailable,
                    "\(state.owed) replies are outstanding on one connection; nothing was sent, "
                        + "slow down and try again")
            }
            state.owed += call.replies
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

    /// Replies have come.
    func settle(_ replies: Int) { state.withLock { $0.owed -= replies } }

    /// Nothing more goes in; the first reason stays.
    func close(_ error: RedisError) {
        state.withLock { state in if state.closed == nil { state.closed = error } }
    }

    /// True while commands are taken in.
    var isOpen: Bool { state.withLock { $0.closed == nil } }
}
