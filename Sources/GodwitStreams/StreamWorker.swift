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

    /// Works until a graceful shutdown or until its task is cancelled.
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
        let keeper = LaneKeeper(
            broker: stream.broker, stream: stream.name, lease: options.lease,
            held: { [weak self] now in self?.state.withLock { $0.worker.tokensToRenew(now) } ?? [] },
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
            stop()
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Takes nothing new, and ends ``run()`` when the points in hand are handled and committed.
    public func stop() {
        state.withLock { $0.worker.phase = .stopping }
        wakeAll()
    }

    /// Ends ``run()`` once nothing is ready, leased or parked: for one who has appended all there is.
    public func stopWhenDrained() {
        state.withLock { $0.end = .drained }
        wakerSignal.fire()
        idleSignal.fire()
    }

    /// True from the first ``stop()`` on, or once it ends by itself.
    public var isStopping: Bool { state.withLock { $0.worker.phase == .stopping } }

    /// How many holds found their key remembered, and how many had to load it, with its bytes.
    package var hits: (warm: Int, cold: Int, bytesMoved: Int) {
        state.withLock { ($0.warm, $0.cold, $0.bytesMoved) }
    }

    private func serve() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.runWaker() }
            group.addTask { await self.runUpkeep() }
            await withDiscardingTaskGroup { work in
                for signal in exchangeSignals {
                    work.addTask { await self.runExchange(signal) }
                }
                for _ in 0..<state.withLock({ $0.worker.concurrency }) {
                    work.addTask { await self.runSlot() }
                }
            }
            group.cancelAll()
        }
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

    func loseLeases(_ tokens: [LaneToken]) {
        let count = state.withLock { cell in
            for token in tokens { cell.inHand[token] = nil }
            return cell.worker.lost(tokens)
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
