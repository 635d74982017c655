// SPDX-License-Identifier: Apache-2.0
import Logging
import NIOCore
import Synchronization

extension RedisClient {
    /// Which connections there are, and who waits for one.
    struct State: Sendable {
        var main: RedisConnection?
        var waiters: [Once<RedisConnection>] = []
        var connecting = false
        var connected = 0
        var failures = 0
        /// Connections in a row that led to a replica, and since when the last one is there.
        var retirements = 0
        var mainSince = NIODeadline.uptimeNanoseconds(0)
        var heldUntil = NIODeadline.uptimeNanoseconds(0)
        var idle: [RedisConnection] = []
        var all: [ObjectIdentifier: RedisConnection] = [:]
        var opening: [Int: EventLoopFuture<RedisConnection>] = [:]
        var serial = 0
        var closed = false

        /// Forgets the shared connection, which has ended. One that was good for nothing, because its
        /// server is a replica, counts like a failure to connect: the next one is held back.
        mutating func drop(_ connection: RedisConnection, _ backoff: Backoff) {
            guard main === connection else { return }
            main = nil
            guard connection.isRetired else { return }
            if .now() - mainSince > TimeAmount(backoff.cap) * 4 { retirements = 0 }
            retirements += 1
            var random = SystemRandomNumberGenerator()
            heldUntil = .now() + TimeAmount(backoff.delay(failures: retirements, using: &random))
        }

        mutating func shutDown() -> (
            [Once<RedisConnection>], [RedisConnection], [EventLoopFuture<RedisConnection>]
        ) {
            closed = true
            defer { waiters = [] }
            return (waiters, Array(all.values), Array(opening.values))
        }
    }

    /// The shared connection; opens it when there is none, for all who ask at that time at once.
    nonisolated(nonsending) func shared(_ timeout: Duration?) async throws(RedisError)
        -> RedisConnection
    {
        let ready = try state.withLock { state throws(RedisError) -> RedisConnection? in
            if state.closed { throw Self.shutDown }
            return state.main
        }
        if let ready, ready.isOpen { return ready }
        let once = Once<RedisConnection>()
        let late = giveUp(once, after: timeout)
        defer { late.cancel() }
        return try await once.wait(
            cancelled: RedisError(
                .cancelled, "cancelled while connecting; nothing was sent", server: server)
        ) { join(once) }
    }

    /// Ends the wait for a connection in due time.
    func giveUp(_ once: Once<RedisConnection>, after timeout: Duration?) -> Scheduled<Void> {
        let limit = TimeAmount(timeout ?? target.configuration.timeout)
        return loop.scheduleTask(in: limit) { [target] in
            let cause = "no connection within \(limit.nanoseconds / 1_000_000) ms"
            once.resume(.failure(target.unavailable(cause)))
        }
    }

    func join(_ once: Once<RedisConnection>) {
        enum Next { case begin(NIODeadline), wait, use(RedisConnection), refuse }
        let next = state.withLock { state -> Next in
            if state.closed { return .refuse }
            if let main = state.main {
                if main.isOpen { return .use(main) }
                state.drop(main, target.configuration.backoff)
            }
            state.waiters.append(once)
            if state.connecting { return .wait }
            state.connecting = true
            return .begin(state.heldUntil)
        }
        switch next {
        case .refuse: once.resume(.failure(Self.shutDown))
        case .use(let connection): once.resume(.success(connection))
        case .wait: break
        case .begin(let when):
            if when <= .now() { connect() } else { loop.scheduleTask(deadline: when, connect) }
        }
    }

    @Sendable private func connect() {
        open(scripts: true).whenComplete { [self] result in
            let outcome = result.mapError(sorted)
            let waiters = state.withLock { state -> [Once<RedisConnection>] in
                state.connecting = false
                switch outcome {
                case .success(let connection):
                    state.main = connection
                    state.mainSince = .now()
                    state.connected += 1
                    state.failures = 0
                case .failure:
                    state.failures += 1
                    var random = SystemRandomNumberGenerator()
                    let delay = target.configuration.backoff.delay(
                        failures: state.failures, using: &random)
                    state.heldUntil = .now() + TimeAmount(delay)
                }
                defer { state.waiters = [] }
                return state.waiters
            }
            switch outcome {
            case .success: target.logger.debug("connected", metadata: ["server": "\(server)"])
            case .failure(let error): target.logger.warning("\(error)")
            }
            for waiter in waiters { waiter.resume(outcome) }
        }
    }

    /// Opens one more connection and keeps track of it until it has ended.
    func open(scripts: Bool) -> EventLoopFuture<RedisConnection> {
        let future = target.open(on: loop, scripts: scripts)
        let serial = state.withLock { state in
            state.serial += 1
            state.opening[state.serial] = future
            return state.serial
        }
        return future.flatMapThrowing { [self] connection in
            try state.withLock { state in
                guard !state.closed else {
                    connection.close()
                    throw Self.shutDown
                }
                state.all[ObjectIdentifier(connection)] = connection
            }
            connection.closed.whenComplete { [self] _ in
                state.withLock { state in
                    state.all[ObjectIdentifier(connection)] = nil
                    state.idle.removeAll { $0 === connection }
                    state.drop(connection, target.configuration.backoff)
                }
            }
            return connection
        }.always { [self] _ in state.withLock { $0.opening[serial] = nil } }
    }

    func sorted(_ error: any Error) -> RedisError {
        error as? RedisError ?? target.unavailable("\(error)")
    }
}
