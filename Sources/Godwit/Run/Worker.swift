// SPDX-License-Identifier: Apache-2.0
import Logging
public import ServiceLifecycle
import Synchronization

/// Takes messages from a queue and runs their handlers, many at a time, until it is told to stop.
///
/// A steady worker makes one trip to the store per batch, which settles what ended and reserves
/// what comes next. Leases are renewed off the cooperative pool. On a graceful shutdown it takes
/// nothing new, waits for what runs, and releases what is left with no attempt used (I6).
public final class Worker: Service, Sendable {
    /// When ``run(until:)`` returns by itself.
    public enum End: Sendable, Hashable {
        /// On a graceful shutdown or when its task is cancelled.
        case shutdown
        /// Also once the queue holds nothing ready, scheduled or leased.
        case drained
    }

    let queue: Queue
    let options: WorkerOptions
    let handlers: Handlers
    let state: Mutex<WorkerCell>
    package let number: UInt32

    /// Makes a worker; nothing moves before ``run()``.
    ///
    /// `concurrency` is how many handlers run at once.
    public init(
        _ queue: Queue, concurrency: Int = 16, options: WorkerOptions = WorkerOptions(),
        handlers register: (inout Handlers) -> Void
    ) {
        var handlers = Handlers()
        register(&handlers)
        self.queue = queue
        self.options = options
        self.handlers = handlers
        var random = Xoshiro()
        number = UInt32(truncatingIfNeeded: random.next())
        let batch = max(
            1, min(options.batch ?? queue.broker.limits.batch, queue.broker.limits.batch))
        let request = ReserveRequest(
            1, bytes: queue.broker.limits.batchBytes, lease: options.lease, kinds: handlers.kinds,
            worker: number)
        state = Mutex(
            WorkerCell(
                WorkerState(
                    concurrency: max(1, concurrency), batch: batch,
                    prefetch: options.prefetch.map { max(0, $0) },
                    request: request),
                random: random))
    }

    /// Works until a graceful shutdown or until its task is cancelled.
    public func run() async throws { try await run(until: .shutdown) }

    /// Works until `end`. A worker runs once; make a new one to run again.
    ///
    /// A store that can't be reached is asked again. One that refuses for good (``BrokerError``
    /// `misconfigured`, `invalid`, and `corrupt` five times in a row) ends the worker like a stop, and this throws the error.
    public func run(until end: End) async throws {
        guard handlers.problems.isEmpty else { throw WorkerError.handlers(handlers.problems) }
        guard handlers.kinds?.isEmpty != true else {
            throw WorkerError.handlers(["no handler: register one with jobs.handle"])
        }
        try Validation(queue.broker.limits, location: "the worker's options")
            .check(lease: options.lease, for: "work on '\(queue.name)'")
        guard state.withLock({ $0.begin() }) else { throw WorkerError.ranBefore }
        let keeper = LeaseKeeper(
            queue.calls, time: queue.broker.time, lease: options.lease,
            held: { [weak self] now in
                self?.state.withLock { $0.worker.tokensToRenew(at: now) } ?? []
            },
            lost: { [weak self] in self?.loseLeases($0) })
        keeper.start()
        defer { keeper.stop() }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await serve(until: end)
            } onGracefulShutdown: { [self] in
                stop(grace: options.grace)
            }
        } onCancel: {
            stop(grace: .zero)
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Takes nothing new, and ends ``run()`` when what runs has ended or the grace is over.
    public func stop() { stop(grace: options.grace) }

    private func stop(grace: Duration) {
        let now = queue.broker.time.now()
        let wakes = state.withLock { cell -> WorkerCell.Wakes in
            cell.worker.stop(at: now)
            return cell.takeAllWakes()
        }
        wakes.resume()
        if grace > .zero {
            let timer = queue.broker.time.schedule(after: grace) { [weak self] in self?.endGrace() }
            let old = state.withLock { cell -> ScheduledAction? in
                defer { cell.graceTimer = timer }
                return cell.graceTimer
            }
            old?.cancel()
        } else {
            endGrace()
        }
    }

    /// Stops because no repetition will help; ``run(until:)`` throws the first such error.
    func fail(_ error: BrokerError) {
        let isFirst = state.withLock { cell -> Bool in
            defer { cell.failure = cell.failure ?? error }
            return cell.failure == nil
        }
        guard isFirst else { return }
        Logger.current.error("the worker on '\(queue.name)' stops: \(error)")
        stop()
    }

    private func endGrace() {
        let now = queue.broker.time.now()
        let (tasks, wakes) = state.withLock { cell in
            (cell.tasks(of: cell.worker.endGrace(at: now)), cell.takeAllWakes())
        }
        tasks.forEach { $0.cancel() }
        wakes.resume()
    }

    /// Slots in tasks of their own, so that one can be cancelled without the others; lanes, waker and
    /// upkeep as children. All end before this returns.
    private func serve(until end: End) async {
        let supervise = state.withLock { $0.superviseSignal }
        let heartbeat = heartbeat()
        await withDiscardingTaskGroup { group in
            for lane in 0..<state.withLock({ $0.laneSignals.count }) {
                group.addTask { await self.runLane(lane) }
            }
            group.addTask { await self.runWaker(until: end) }
            group.addTask { await self.runUpkeep() }
            if let heartbeat { group.addTask { await heartbeat.run() } }
            for slot in 0..<state.withLock({ $0.worker.concurrency }) {
                let task = Task { await self.runSlot(slot) }
                state.withLock { $0.slots[slot] = task }
            }
            // Why: a cancelled slot's task is of no further use; a new one takes its place.
            while !state.withLock({ $0.isFinished }) {
                await supervise.waitUntilFired()
                for slot in state.withLock({ $0.takeEndedSlots() }) {
                    let task = Task { await self.runSlot(slot) }
                    state.withLock { $0.slots[slot] = task }
                }
            }
            group.cancelAll()
        }
        let (tasks, timers) = state.withLock {
            ($0.slots.values, [$0.graceTimer, $0.timeoutTimer])
        }
        timers.forEach { $0?.cancel() }
        for task in tasks { await task.value }
        await heartbeat?.leave()
    }

    private func loseLeases(_ tokens: [LeaseToken]) {
        let (lost, tasks) = state.withLock { cell in
            let lost = cell.worker.lost(Set(tokens))
            return (lost, cell.tasks(of: lost.slots))
        }
        tasks.forEach { $0.cancel() }
        // Why: what was settled while the renewal was on its way is stale too, and not lost.
        guard let first = lost.ids.first else { return }
        queue.meters?.lost(lost.ids.count)
        Logger.current.warning(
            """
            \(lost.ids.count) lease(s) of '\(queue.name)' are lost, the first on \(first): their \
            handlers are cancelled and what they return is dropped; another run takes over
            """)
    }

    /// Cancels the handlers that are over their time, gives up on those that go on nevertheless, and
    /// looks again when the next one will be.
    func checkTimeouts() {
        let now = queue.broker.time.now()
        let (tasks, hung, signals) = state.withLock { cell in
            cell.timeoutTimer = nil
            cell.timeoutCheckAt = nil
            let tasks = cell.tasks(of: cell.worker.timedOut(at: now))
            return (tasks, cell.worker.hung(at: now), cell.laneSignals)
        }
        tasks.forEach { $0.cancel() }
        queue.meters?.lost(hung.count)
        for id in hung {
            Logger.current.warning(
                """
                the handler of message \(id) of '\(queue.name)' was cancelled and goes on: its lease \
                is renewed no more and another run takes over, but it keeps its slot until it returns
                """)
        }
        if !hung.isEmpty { signals.forEach { $0.fire() } }
        scheduleTimeoutCheck()
    }

    func scheduleTimeoutCheck() {
        guard let next = state.withLock({ $0.worker.nextTimeout() }) else { return }
        let time = queue.broker.time
        let timer = time.schedule(after: next - time.now()) { [weak self] in self?.checkTimeouts() }
        let old = state.withLock { cell -> ScheduledAction? in
            defer {
                cell.timeoutTimer = timer
                cell.timeoutCheckAt = next
            }
            return cell.timeoutTimer
        }
        old?.cancel()
    }
}

/// Why a worker can't run.
@nonexhaustive
public enum WorkerError: Error, Sendable, Hashable, CustomStringConvertible {
    case handlers([String])
    case ranBefore

    public var description: String {
        switch self {
        case .handlers(let problems): "the worker can't start: \(problems.joined(separator: "; "))"
        case .ranBefore: "this worker ran before: make a new one"
        }
    }
}
