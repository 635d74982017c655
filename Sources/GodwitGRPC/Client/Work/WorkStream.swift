// SPDX-License-Identifier: Apache-2.0
public import Godwit
import GodwitProtos
import GRPCCore
import Logging
import Synchronization

/// A worker in one stream: messages flow in as fast as they are handled, verdicts and renewals flow back.
///
/// Each message is under a lease of its own, which is renewed while it waits or runs. A stream that breaks
/// is opened again after a growing pause up to 5 seconds; what was in hand stays in hand, and what was
/// not answered is said again. A handler may see a message again whose lease ran out meanwhile.
public final class WorkStream: Sendable {
    /// How a stream works.
    public struct Options: Sendable, Hashable {
        /// How long a message is this worker's before it must renew; it renews every third of it.
        public var lease = Duration.seconds(30)
        /// Messages that wait here for a free handler, besides those that run.
        public var prefetch = 16
        /// Stands in the record of a message.
        public var worker: UInt32 = 0
        /// The longest that a verdict waits for others, to go with them in one message.
        public var linger = Duration.milliseconds(1)

        public init() {}
    }

    private struct State {
        var hand: WorkHand
        /// Handlers that have nothing to do.
        var idle: [Signal] = []
        var isLingering = false
        /// Rises with each stream; what an old one says is not heard.
        var stream = 0
        var isOpen = false
    }

    private let broker: RemoteBroker
    private let queue: QueueName
    private let kinds: [Kind]?
    private let concurrency: Int
    private let options: Options
    private let state: Mutex<State>
    /// There is something to say.
    private let news = Signal()

    public init(
        _ broker: RemoteBroker, queue: QueueName, kinds: [Kind]? = nil, concurrency: Int = 16,
        options: Options = Options()
    ) {
        self.broker = broker
        self.queue = queue
        self.kinds = kinds
        self.concurrency = max(1, concurrency)
        self.options = options
        state = Mutex(
            State(
                hand: WorkHand(
                    capacity: max(1, concurrency) + max(0, options.prefetch), lease: options.lease))
        )
    }

    /// Takes no more messages: what runs ends, what waits goes back, and ``run(_:)`` returns.
    public func stop() {
        let idle = state.withLock { state in
            state.hand.stop()
            defer { state.idle = [] }
            return state.idle
        }
        for signal in idle { signal.fire() }
        news.fire()
    }

    /// Works until ``stop()`` or until the task is cancelled.
    ///
    /// Throws what trying again can't mend: a token that may not work here, a server that has no Work.
    /// When cancelled, what did not begin goes back at once, and so does what the handlers return.
    public func run(
        _ handler: @escaping @Sendable (LeasedMessage) async -> Verdict
    ) async throws(BrokerError) {
        let result = await withTaskGroup(
            of: Result<Void, BrokerError>?.self, returning: Result<Void, BrokerError>.self
        ) { tasks in
            for _ in 0..<concurrency {
                tasks.addTask {
                    await self.runHandler(handler)
                    return nil
                }
            }
            tasks.addTask { await self.runStreams() }
            var result = Result<Void, BrokerError>.success(())
            while let next = await tasks.next() {
                guard let next else { continue }
                result = next
                // Handlers end once there is nothing that they could do.
                stop()
            }
            return result
        }
        broker.settleDetached(state.withLock { $0.hand.takeUnsettled() }, in: queue)
        try result.get()
    }

    // MARK: handlers

    private func runHandler(_ handler: @Sendable (LeasedMessage) async -> Verdict) async {
        let signal = Signal()
        while true {
            let (message, isOver) = state.withLock { state -> (LeasedMessage?, Bool) in
                if let message = state.hand.begin() { return (message, false) }
                if state.hand.isStopping { return (nil, true) }
                state.idle.append(signal)
                return (nil, false)
            }
            guard let message else {
                if isOver { return }
                await signal.wait()
                if Task.isCancelled { stop() }
                continue
            }
            let verdict = await handler(message)
            finish(message.token, verdict)
        }
    }

    private func finish(_ token: LeaseToken, _ verdict: Verdict) {
        let (saysNow, lingers) = state.withLock { state -> (Bool, Bool) in
            state.hand.finish(token, verdict)
            // At once when nobody else can add to it soon, or when it is worth a message.
            if state.hand.waiting + state.hand.running == 0 || state.hand.unsaid >= 128 {
                return (true, false)
            }
            defer { state.isLingering = true }
            return (false, !state.isLingering)
        }
        if saysNow { return news.fire() }
        guard lingers else { return }
        _ = broker.time.schedule(after: options.linger) { [weak self] in
            guard let self else { return }
            state.withLock { $0.isLingering = false }
            news.fire()
        }
    }

    // MARK: streams

    /// One stream after the other, until there is nothing left to do.
    private func runStreams() async -> Result<Void, BrokerError> {
        var failures = 0
        while !Task.isCancelled {
            let began = broker.time.now()
            do throws(BrokerError) {
                try await runStream()
                failures = 0
            } catch {
                guard error.isPassing else { return .failure(error) }
                broker.logger.warning(
                    "the stream of '\(queue)' broke, opening another: \(error)",
                    metadata: ["queue": "\(queue)"])
                failures = (broker.time.now() - began) > .seconds(10) ? 1 : failures + 1
            }
            if broker.isShutDown || Task.isCancelled { break }
            if state.withLock({ $0.hand.isStopping && $0.hand.running == 0 }) {
                // A stream that ends in order has answered; else the detached settle says it once more.
                break
            }
            let longest = Int64(100) << Int64(min(failures, 6))
            await broker.time.sleep(
                for: .milliseconds(Int64.random(in: longest / 2...min(5000, longest))))
        }
        return .success(())
    }

    private func runStream() async throws(BrokerError) {
        let number = state.withLock { state in
            state.hand.open(at: broker.time.now())
            state.stream += 1
            state.isOpen = true
            return state.stream
        }
        let beat = broker.time.repeating(every: options.lease / 3) { [weak self] in
            guard let self else { return }
            state.withLock { $0.hand.renew() }
            news.fire()
        }
        defer { beat.cancel() }
        let queue = queue
        try await broker.courier.stream(
            "work in '\(queue)'", { writer in try await self.say(writer, number) }
        ) { [words = broker.words] request, options in
            try await words.work(request: request, options: options) { response in
                defer { self.close(number) }
                for try await message in response.messages { self.take(message) }
            }
        }
    }

    private func close(_ number: Int) {
        state.withLock { if $0.stream == number { $0.isOpen = false } }
        news.fire()
    }

    /// Writes until the stream is over, or all is said and answered.
    private func say(_ writer: RPCWriter<Godwit_V1_WorkRequest>, _ number: Int) async throws {
        var opening = Godwit_V1_WorkRequest()
        opening.open.queue = queue.text
        if let kinds { opening.open.kinds = Godwit_V1_Kinds(kinds) }
        opening.open.leaseMs = options.lease.wire
        opening.open.worker = options.worker
        opening.open.raw = true
        try await writer.write(opening)
        while !Task.isCancelled {
            let (isOver, request, due) = state.withLock { state in
                let isOver = !state.isOpen || state.stream != number || state.hand.isDone
                let now = broker.time.now()
                return (isOver, isOver ? nil : state.hand.next(at: now), state.hand.nextDue)
            }
            if isOver { return }
            if let request {
                try await writer.write(request)
                continue
            }
            let timer = due.map { due in
                broker.time.schedule(after: max(.milliseconds(1), due - broker.time.now())) {
                    [news] in news.fire()
                }
            }
            await news.wait()
            timer?.cancel()
        }
    }

    private func take(_ response: Godwit_V1_WorkResponse) {
        let (notes, idle, saysMore) = state.withLock { state in
            let notes = state.hand.take(response, at: broker.time.now())
            let count = min(state.idle.count, state.hand.waiting)
            let idle = state.idle.suffix(count)
            state.idle.removeLast(count)
            return (
                notes, Array(idle),
                state.hand.isStopping || state.hand.nextDue != nil
            )
        }
        for signal in idle { signal.fire() }
        if saysMore { news.fire() }
        for note in notes { broker.logger.warning("\(note)", metadata: ["queue": "\(queue)"]) }
    }
}
