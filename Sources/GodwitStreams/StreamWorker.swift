// SPDX-License-Identifier: Apache-2.0
import DequeModule
public import Godwit
import Logging
public import ServiceLifecycle
import Synchronization

/// Takes points from a stream and runs a handler on each, many keys at a time, one point of a key at
/// a time and in order, until it is told to stop.
///
///     let worker = StreamWorker(readings, concurrency: 8) { window, context in
///         if let date = forecast(&window.state, window) {
///             try context.enqueue(TonerAlert(date), to: "alerts")
///         }
///     }
///
/// - Returned: the point enters the window, and position, state and messages are committed with it.
/// - Threw: nothing of this run counts; the key waits and the point runs again by the retry policy,
///   or is given up after the last attempt or by ``Verdict/reject(_:)``.
/// - Crash halfway: what was not committed runs again, at most the points of one hold.
///
/// Windows and states of recent keys are remembered, so a steady worker loads neither.
public final class StreamWorker<Point: Sendable, State: Sendable>: Service, Sendable {
    public typealias Handler =
        @Sendable (inout Window<Point, State>, PointContext) async throws -> Void

    struct Cell: Sendable {
        var worker: StreamWorkerState
        var cache: LaneCache<Point, State>
        /// What is remembered of the keys in hand: from the reserve until the commit is answered.
        var inHand: [LaneToken: RememberedLane<Point, State>] = [:]
        var parked: [UnsafeContinuation<Void, Never>] = []
        var random = Xoshiro()
        var hasBegun = false
        var end = Worker.End.shutdown
        var slots: [Task<Void, Never>] = []
        var graceTimer: ScheduledAction?
        var isFinished = false
        var failure: BrokerError?
        var warm = 0
        var cold = 0
        var bytesMoved = 0
    }

    let stream: KeyedStream<Point, State>
    let options: StreamWorkerOptions
    let run: LaneRun<Point, State>
    let state: Mutex<Cell>
    /// Wakes the exchanges, who waits at the store, and who looks whether all is done.
    let exchangeSignals = [Signal(), Signal()]
    let wakerSignal = Signal()
    let idleSignal = Signal()
    let number: UInt32

    public init(
        _ stream: KeyedStream<Point, State>, concurrency: Int = 16,
        options: StreamWorkerOptions = StreamWorkerOptions(), handler: @escaping Handler
    ) {
        var options = options
        options.pointsPerHold = max(1, min(options.pointsPerHold, StreamLimits.pointsPerLane))
        options.batch = max(1, min(options.batch, StreamLimits.lanes))
        self.stream = stream
        self.options = options
        run = LaneRun(stream: stream, options: options, handler: handler)
        var random = Xoshiro()
        number = UInt32(truncatingIfNeeded: random.next())
        state = Mutex(
            Cell(
                worker: StreamWorkerState(
                    concurrency: max(1, concurrency), options: options, number: number),
                cache: LaneCache(limit: options.rememberedBytes)))
    }

    /// Works until a graceful shutdown or until its task is cancelled; returns within the grace of
    /// the options then, and at once when cancelled.
    public func run() async throws { try await run(until: .shutdown) }

    /// Works until `end`; `drained` is when nothing is ready, leased or parked. Runs once.
    ///
    /// - Throws: what the store says and waiting does not mend (``BrokerError``).
    public func run(until end: Worker.End) async throws {
        let begins = state.withLock { cell in
            defer { cell.hasBegun = true }
            if end == .drained { cell.end = end }
            return !cell.hasBegun
        }
        guard begins else { throw WorkerError.ranBefore }
        let (broker, name, lease) = (stream.broker, stream.name, options.lease)
        let keeper = LeaseKeeper<LaneToken>(
            "key(s) of '\(name)'", time: broker.time, lease: lease, batch: StreamLimits.lanes,
            held: { [weak self] in self?.tokensToRenew($0) ?? [] },
            renew: { broker.renewLanes($0, for: lease, in: name, then: $1) },
            lost: { [weak self] in self?.loseLeases($0) })
        keeper.start()
        defer { keeper.stop() }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await serve()
            } onGracefulShutdown: { [self] in
                stop()
            }
        } onCancel: {
            stop(grace: .zero)
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Takes nothing new, and ends ``run()`` when the points in hand are handled and committed, or
    /// when the grace is over.
    public func stop() { stop(grace: options.grace) }

    private func stop(grace: Duration) {
        let time = stream.broker.time
        let isFirst = state.withLock { $0.worker.stop(time.now()) }
        wakeAll()
        if grace <= .zero { return endGrace() }
        if isFirst { schedule(after: grace, unless: .graceOver) { $0.endGrace() } }
    }

    /// Cancels what runs; who ends by it gives its key back, for the rest nobody waits.
    private func endGrace() {
        let slots = state.withLock { cell in
            cell.worker.endGrace()
            return cell.slots
        }
        slots.forEach { $0.cancel() }
        wakeAll()
        schedule(after: .seconds(1), unless: .over) { worker in
            worker.state.withLock { $0.worker.abandon() }
            worker.wakeAll()
        }
    }

    /// What ends the stop next, in place of what would have; nothing once it has come so far.
    private func schedule(
        after delay: Duration, unless phase: StreamWorkerState.Phase,
        _ action: @escaping @Sendable (StreamWorker) -> Void
    ) {
        let timer = stream.broker.time.schedule(after: delay) { [weak self] in
            if let self { action(self) }
        }
        let old = state.withLock { cell -> ScheduledAction? in
            if cell.worker.phase >= phase || cell.isFinished { return timer }
            defer { cell.graceTimer = timer }
            return cell.graceTimer
        }
        old?.cancel()
    }

    /// Ends ``run()`` once nothing is ready, leased or parked: for one who has appended all there is.
    public func stopWhenDrained() {
        state.withLock { $0.end = .drained }
        wakerSignal.fire()
        idleSignal.fire()
    }

    /// True from the first ``stop()`` on, or once it ends by itself.
    public var isStopping: Bool { state.withLock { $0.worker.phase != .working } }

    /// How many holds found their key remembered, and how many had to load it, with its bytes.
    package var hits: (warm: Int, cold: Int, bytesMoved: Int) {
        state.withLock { ($0.warm, $0.cold, $0.bytesMoved) }
    }

    /// Slots in tasks of their own, so that nobody has to wait for one that hangs.
    private func serve() async {
        let count = state.withLock { $0.worker.concurrency }
        let slots = (0..<count).map { _ in Task { await self.runSlot() } }
        let isCancelled = state.withLock { cell in
            cell.slots = slots
            return cell.worker.phase >= .graceOver
        }
        if isCancelled { slots.forEach { $0.cancel() } }
        let heartbeat = heartbeat()
        await withDiscardingTaskGroup { group in
            group.addTask { await self.runWaker() }
            group.addTask { await self.runUpkeep() }
            if let heartbeat { group.addTask { await heartbeat.run() } }
            await withDiscardingTaskGroup { work in
                for signal in exchangeSignals {
                    work.addTask { await self.runExchange(signal) }
                }
            }
            group.cancelAll()
        }
        let (timer, isOver) = state.withLock { cell in
            (cell.graceTimer, cell.worker.phase == .over)
        }
        timer?.cancel()
        await heartbeat?.leave()
        if isOver { return tellWhatIsLeft() }
        for slot in slots { await slot.value }
    }

    private func tellWhatIsLeft() {
        let left = state.withLock { $0.worker.left }
        guard left > 0 else { return }
        Logger.current.error(
            """
            stopped with \(left) key(s) of '\(stream.name)' in hand, because their handlers go on or \
            the store could not be reached; their leases run out and their points run again
            """)
    }

    func wakeExchanges() { for signal in exchangeSignals { signal.fire() } }

    func wakeAll() {
        let parked = state.withLock { cell in
            defer { cell.parked = [] }
            return cell.parked
        }
        parked.forEach { $0.resume() }
        wakeExchanges()
        wakerSignal.fire()
        idleSignal.fire()
    }

    func fail(_ error: BrokerError) {
        Logger.current.error("the worker of '\(stream.name)' stops: \(error)")
        state.withLock { if $0.failure == nil { $0.failure = error } }
        stop()
    }

    /// Also tells those whose leases were left to run out, and have.
    private func tokensToRenew(_ now: Timestamp) -> [LaneToken] {
        let (tokens, expired) = state.withLock {
            ($0.worker.tokensToRenew(now), $0.worker.expired(now))
        }
        if !expired.isEmpty { loseLeases(expired) }
        return tokens
    }

    func loseLeases(_ tokens: [LaneToken]) {
        let now = stream.broker.time.now()
        let count = state.withLock { cell in
            let count = cell.worker.lost(tokens, now)
            for token in tokens where cell.worker.held[token] == nil { cell.inHand[token] = nil }
            return count
        }
        guard count > 0 else { return }
        Logger.current.warning(
            """
            \(count) key(s) of '\(stream.name)' are lost, the first is '\(tokens[0].key)': their \
            leases ran out. What their handlers do is dropped; another worker takes over
            """)
        wakeAll()
    }
}
