// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Logging
public import RedisClient
import Synchronization

/// The distributed broker: queues on a Redis (7.0 or later) or Valkey (7.2 or later) server.
///
/// Every word is one atomic Lua script over a batch, run by the server (`Scripts/*.lua`, one file
/// per word); this side only packs and unpacks. The member of the lease set *is* the token, so a
/// settle asks one thing: does my very token still exist? Callers' single messages are gathered
/// while another call is under way, so that many callers cost one call.
///
/// - Durability: what the server persists. `appendonly yes` with `appendfsync everysec` survives a
///   killed server; a power cut takes the last second. A failover loses what was not replicated.
/// - Memory: a waiting message of 100 bytes takes about 360 bytes of the server's.
public final class RedisBroker: Broker {
    struct State {
        var isClosed = false
        var inFlight = 0
        var drained: [UnsafeContinuation<Void, Never>] = []
        var queues: [QueueName: RedisQueue] = [:]
        var streams: [QueueName: RedisQueue] = [:]
        var waiters: [UInt64: Signal] = [:]
        var lastWaiter: UInt64 = 0
    }

    public let limits: BrokerLimits
    public let time: any TimeSource
    public let clockOffset: Duration
    let namespace: String
    let client: RedisClient
    let scripts: Scripts
    let failure: Failure
    let validation: Validation
    /// The last 24 bits of each call's nonce: no two calls of this process share them for long.
    let nonce: Atomic<UInt32>
    let state = Mutex(State())

    /// Messages of one enqueue or ack that is one step of the server and takes it less than a
    /// millisecond; more are split.
    static let batch = 256
    /// The same for reserve and renew.
    static let reserveBatch = 128
    /// The same where each message carries text or is looked up.
    static let smallBatch = 64

    /// Connects and looks whether the server is fit for a queue.
    ///
    /// `?ns=` of the URL names the namespace: queues of different ones know nothing of each other.
    /// With a virtual `time` the scripts take the time from it instead of the server's clock.
    ///
    /// - Throws: `misconfigured` when the server may evict keys (`maxmemory-policy` other than
    ///   `noeviction`), is too old, or refuses our credentials; `unavailable` when it can't be
    ///   reached; `invalid` for a namespace that is none.
    public init(
        _ url: RedisURL, time: any TimeSource = SystemTime(),
        limits: BrokerLimits = BrokerLimits(batch: RedisBroker.defaultBatch)
    ) async throws(BrokerError) {
        let failure = Failure(location: "Redis at \(url.server)")
        let namespace = url.options["ns"] ?? "godwit"
        guard KeySpace.isNamespace(namespace) else {
            throw .invalid(
                BrokerError.Problem(
                    what: "open the broker", location: failure.location,
                    cause: "the namespace '\(namespace.escapedForDisplay)' can't be used",
                    advice: "Use 1 to 32 characters out of A–Z a–z 0–9 . _ - for ?ns="))
        }
        let scripts = Scripts(isVirtual: time.isVirtual)
        let client: RedisClient
        do throws(RedisError) {
            client = try RedisClient(url, scripts: scripts.all, logger: Logger.current)
        } catch {
            throw failure.error(error, "open the broker")
        }
        do throws(BrokerError) {
            let offset = try await Fitness(failure: failure, namespace: namespace).check(
                client, against: time)
            self.clockOffset = time.isVirtual ? .zero : offset
        } catch {
            await client.shutdown()
            throw error
        }
        self.namespace = namespace
        self.client = client
        self.scripts = scripts
        self.failure = failure
        self.time = time
        self.limits = limits
        self.validation = Validation(limits, location: failure.location)
        self.nonce = Atomic(UInt32.random(in: 0...0xFF_FFFF))
    }

    /// Connects by a URL as text, such as `redis://localhost/?ns=shop` or `redis+unix:///run/redis.sock`.
    public convenience init(
        _ url: String, time: any TimeSource = SystemTime(),
        limits: BrokerLimits = BrokerLimits(batch: RedisBroker.defaultBatch)
    ) async throws(BrokerError) {
        let parsed: RedisURL
        do throws(RedisError) {
            parsed = try RedisURL(url)
        } catch {
            throw .invalid(
                BrokerError.Problem(
                    what: "open the broker", location: "Redis", cause: error.text,
                    advice:
                        "Write it as redis://host:6379, rediss://host:6379 or redis+unix:///path"))
        }
        try await self.init(parsed, time: time, limits: limits)
    }

    /// The most entries of one call, unless a caller sets less.
    public static var defaultBatch: Int { batch }

    public var `operator`: any Operator { self }
    public var inspector: any Inspector { self }
    public var eventLog: any EventLog { self }
    public var board: any Board { self }

    public var isShutDown: Bool { state.withLock { $0.isClosed } }

    public func shutdown() async {
        let waiters = state.withLock { state in
            state.isClosed = true
            return state.waiters.values
        }
        waiters.forEach { $0.fire() }
        await withUnsafeContinuation { continuation in
            let isDrained = state.withLock { state in
                if state.inFlight > 0 { state.drained.append(continuation) }
                return state.inFlight == 0
            }
            if isDrained { continuation.resume() }
        }
        await client.shutdown()
    }

    // MARK: Calls

    /// One queue as this process knows it.
    func book(_ queue: QueueName) -> RedisQueue {
        state.withLock { state in
            if let book = state.queues[queue] { return book }
            let book = RedisQueue(queue, keys: KeySpace(namespace: namespace, queue: queue))
            state.queues[queue] = book
            return book
        }
    }

    /// One stream as this process knows it: as a queue, of other keys.
    func streamBook(_ stream: QueueName) -> RedisQueue {
        state.withLock { state in
            if let book = state.streams[stream] { return book }
            let book = RedisQueue(stream, keys: KeySpace(namespace: namespace, stream: stream))
            state.streams[stream] = book
            return book
        }
    }

    /// Begins a call of a script with the tag and the markers; ``seal(_:)`` ends it.
    func call(
        _ script: RedisScript, in queue: RedisQueue, moreKeys: Int = 0, capacity: Int
    ) -> RedisCommand {
        var command = RedisCommand(script, keys: 2 + moreKeys, capacity: capacity + 256)
        queue.keys.appendTag(to: &command)
        return command
    }

    /// Ends a call: in virtual time the clock is its last argument.
    func seal(_ command: inout RedisCommand) {
        if time.isVirtual { command.append(Int(time.now().milliseconds)) }
    }

    /// Sends without waiting; nothing cancels it. `then` runs on the event loop.
    func submit(
        _ commands: [RedisCommand],
        then: @escaping @Sendable (Result<[RESPValue], RedisError>) -> Void
    ) {
        let isOpen = state.withLock { state in
            if !state.isClosed { state.inFlight += 1 }
            return !state.isClosed
        }
        guard isOpen else {
            return then(.failure(RedisError(.closed, "the broker was shut down; nothing was sent")))
        }
        client.submit(commands) { [self] result in
            then(result)
            let drained = state.withLock { state in
                state.inFlight -= 1
                guard state.inFlight == 0 else { return [UnsafeContinuation<Void, Never>]() }
                defer { state.drained = [] }
                return state.drained
            }
            drained.forEach { $0.resume() }
        }
    }

    /// Sends and waits for the answers, whatever happens to the calling task: a cancelled caller
    /// neither loses what it reserved nor makes its batch unknown.
    func replies(
        to commands: [RedisCommand], _ what: @autoclosure () -> String
    ) async throws(BrokerError) -> [RESPValue] {
        let result = await withUnsafeContinuation { continuation in
            submit(commands) { continuation.resume(returning: $0) }
        }
        switch result {
        case .success(let replies): return replies
        case .failure(let error): throw failure.error(error, what())
        }
    }

    /// ``replies(to:_:)`` where any error of a command is the call's.
    func values(
        of commands: [RedisCommand], _ what: @autoclosure () -> String
    ) async throws(BrokerError) -> [RESPValue] {
        let replies = try await replies(to: commands, what())
        for reply in replies {
            if case .error(let text) = reply {
                throw failure.error(RedisError(reply: text), what())
            }
        }
        return replies
    }

    /// The value of a command's only reply.
    func value(
        of command: RedisCommand, _ what: @autoclosure () -> String
    ) async throws(BrokerError) -> RESPValue {
        let values = try await values(of: [command], what())
        guard let value = values.first else { throw failure.unreadable(what()) }
        return value
    }
}
