// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Godwit
import Logging
import Synchronization

/// One run over a queue of SQS: the hands of ``SQSState``. Polls, slots, settlers and the beat are
/// children of ``serve()`` and end with it.
final class SQSRun: Sendable {
    struct Cell {
        var state: SQSState
        var deletes: DeleteBatcher
        /// Receipts to give back at once.
        var returns: [String] = []
        var sending = 0
        /// Told when a message's receipt is lost.
        var losses: [UInt64: Signal] = [:]
        /// Slots that wait for a message, polls that wait for room.
        var idleSlots: [Signal] = []
        var idlePolls: [Signal] = []
        var idleSettlers: [Signal] = []
        var idleBeat: Signal?
        var stops: [Int: Signal] = [:]
        var failure: SQSError?
        var graceTimer: ScheduledAction?
        /// The URL of the dead-letter queue once it was looked up; `.some(nil)`: there is none.
        var deadLetters: String??

        var isFinished: Bool {
            state.isDrained && deletes.isEmpty && returns.isEmpty && sending == 0
        }

        /// Everybody who waits, taken out, to look again.
        mutating func takeAll() -> [Signal] {
            defer {
                idleSlots = []
                idlePolls = []
            }
            return idleSlots + idlePolls + takeSettlers() + takeBeat()
        }

        mutating func takeSlots(_ count: Int) -> [Signal] {
            let taken = Array(idleSlots.prefix(count))
            idleSlots.removeFirst(taken.count)
            return taken
        }

        mutating func takePolls() -> [Signal] {
            defer { idlePolls = [] }
            return idlePolls
        }

        mutating func takeSettlers() -> [Signal] {
            defer { idleSettlers = [] }
            return idleSettlers
        }

        private mutating func takeBeat() -> [Signal] {
            defer { idleBeat = nil }
            return idleBeat.map { [$0] } ?? []
        }
    }

    let source: SQSSource
    let handle: @Sendable (SourceMessage) async -> SourceVerdict
    let cell: Mutex<Cell>
    private let concurrency: Int

    init(
        _ source: SQSSource, concurrency: Int,
        _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict
    ) {
        self.source = source
        self.handle = handle
        self.concurrency = max(1, concurrency)
        let options = source.options
        cell = Mutex(
            Cell(
                state: SQSState(
                    concurrency: max(1, concurrency), prefetch: options.prefetch,
                    visibility: options.visibility, horizon: options.horizon),
                deletes: DeleteBatcher(size: SQSClient.batch, delay: options.deleteDelay)))
    }

    var failure: SQSError? { cell.withLock { $0.failure } }

    func serve() async {
        await withDiscardingTaskGroup { group in
            for number in 0..<max(1, source.options.polls) {
                group.addTask { await self.poll(number) }
            }
            for _ in 0..<concurrency { group.addTask { await self.runSlot() } }
            for _ in 0..<2 { group.addTask { await self.runSettler() } }
            group.addTask { await self.runBeat() }
        }
        cell.withLock { $0.graceTimer }?.cancel()
    }

    // MARK: Stop

    /// Takes nothing new, gives back what nobody has begun, and lets what is handled end.
    func stop() {
        let signals = cell.withLock { cell in
            cell.returns += cell.state.stop()
            return cell.takeAll() + cell.stops.values
        }
        signals.forEach { $0.fire() }
        let timer = source.time.schedule(after: source.options.grace) { [weak self] in
            self?.endGrace()
        }
        cell.withLock { cell -> ScheduledAction? in
            defer { cell.graceTimer = timer }
            return cell.graceTimer
        }?.cancel()
    }

    private func endGrace() {
        let (signals, count) = cell.withLock { cell -> ([Signal], Int) in
            let (told, receipts) = cell.state.endGrace()
            cell.returns += receipts
            let losses = told.compactMap { cell.losses.removeValue(forKey: $0) }
            return (losses + cell.takeAll(), told.count)
        }
        if count > 0 {
            Logger.current.warning(
                """
                \(count) message(s) of \(source.name) were still handled when the grace was over: \
                they are cancelled and given back
                """)
        }
        signals.forEach { $0.fire() }
    }

    /// Stops because no repetition will help; the run throws the first such error.
    func fail(_ error: SQSError) {
        cell.withLock { $0.failure = $0.failure ?? error }
        Logger.current.error("\(source.name) is received no more: \(error)")
        stop()
    }

    func wakeAll() { cell.withLock { $0.takeAll() }.forEach { $0.fire() } }

    /// Waits until somebody wakes this one, or until `until`.
    func wait(_ signal: Signal, until: Timestamp?) async {
        let timer = until.map { until in
            source.time.schedule(after: until - source.time.now()) { signal.fire() }
        }
        await signal.waitUntilFired()
        timer?.cancel()
        cell.withLock { cell in
            cell.idleSettlers.removeAll { $0 === signal }
            cell.idlePolls.removeAll { $0 === signal }
        }
    }

    // MARK: Poll

    private enum PollStep {
        case ask(Int, Signal)
        case wait(Signal)
        case end
    }

    private enum PollEnd {
        case answered(Result<SQSReceived, SQSError>)
        case stopped
    }

    private func poll(_ number: Int) async {
        var failures = 0
        while true {
            let step = cell.withLock { cell -> PollStep in
                let signal = Signal()
                if let count = cell.state.nextPoll() {
                    cell.stops[number] = signal
                    return .ask(count, signal)
                }
                if cell.state.phase != .working { return .end }
                cell.idlePolls.append(signal)
                return .wait(signal)
            }
            switch step {
            case .end: return wakeAll()
            case .wait(let signal): await wait(signal, until: nil)
            case .ask(let count, let stop):
                let result = await ask(count, unless: stop)
                let now = source.time.now()
                let (signals, isStopping) = cell.withLock { cell -> ([Signal], Bool) in
                    cell.stops[number] = nil
                    let messages = (try? result.get().messages) ?? []
                    cell.returns += cell.state.received(messages, asked: count, at: now)
                    let isStopping = cell.state.phase != .working
                    let signals =
                        isStopping ? cell.takeAll() : cell.takeSlots(messages.count) + cell.takePolls()
                    return (signals, isStopping)
                }
                signals.forEach { $0.fire() }
                if isStopping { continue }
                switch result {
                case .success(let received):
                    failures = 0
                    for error in received.broken { Logger.current.error("\(error)") }
                case .failure(let error):
                    failures += 1
                    if !error.isPassing, failures >= 5 {
                        fail(error)
                    } else {
                        await pause(failures, error, number)
                    }
                }
            }
        }
    }

    /// One long poll, broken off by a stop. What it brought nevertheless is not thrown away.
    private func ask(_ count: Int, unless stop: Signal) async -> Result<SQSReceived, SQSError> {
        await withTaskGroup(of: PollEnd.self) { group in
            group.addTask { [source] in
                do throws(SQSError) {
                    return .answered(
                        .success(
                            try await source.polling.receive(
                                upTo: count, from: source.queue,
                                visibility: source.options.visibility, wait: source.options.wait)))
                } catch {
                    return .answered(.failure(error))
                }
            }
            group.addTask {
                await stop.wait()
                return .stopped
            }
            var result: Result<SQSReceived, SQSError> = .success(
                SQSReceived(messages: [], broken: []))
            for await end in group {
                if case .answered(let answer) = end { result = answer }
                group.cancelAll()
            }
            return result
        }
    }

    private func pause(_ failures: Int, _ error: SQSError, _ number: Int) async {
        Logger.current.warning("could not receive from \(source.name), trying again: \(error)")
        let limit = Double(min(10_000, 100 << min(failures, 7)))
        let delay = Duration.milliseconds(Int64(Double.random(in: limit / 2...limit)))
        let signal = Signal()
        let isStopping = cell.withLock { cell in
            cell.stops[number] = signal
            return cell.state.phase != .working
        }
        if !isStopping { await wait(signal, until: source.time.now() + delay) }
        cell.withLock { $0.stops[number] = nil }
    }

    // MARK: Handle

    private enum SlotStep {
        case run(SQSState.Held, Signal)
        case wait(Signal)
        case end
    }

    private func runSlot() async {
        while true {
            let now = source.time.now()
            let step = cell.withLock { cell -> SlotStep in
                let signal = Signal()
                if let held = cell.state.take(at: now) {
                    cell.losses[held.number] = signal
                    return .run(held, signal)
                }
                if cell.state.phase != .working { return .end }
                cell.idleSlots.append(signal)
                return .wait(signal)
            }
            switch step {
            case .end: return wakeAll()
            case .wait(let signal): await signal.waitUntilFired()
            case .run(let held, let lost):
                let verdict = await verdict(on: held, unless: lost)
                let isOurs = cell.withLock { cell -> Bool in
                    cell.losses[held.number] = nil
                    // Why together: between the two the run would look drained.
                    cell.sending += 1
                    return cell.state.finished(held.number)
                }
                if isOurs, let verdict { await settle(held, verdict) }
                let signals = cell.withLock { cell in
                    cell.sending -= 1
                    return cell.state.phase == .working ? cell.takePolls() : cell.takeAll()
                }
                signals.forEach { $0.fire() }
            }
        }
    }

    /// Runs the handler; one whose receipt is lost is cancelled, and what it answers is dropped.
    private func verdict(
        on held: SQSState.Held, unless lost: Signal
    ) async -> SourceVerdict? {
        await withTaskGroup(of: SourceVerdict?.self) { group in
            let message = SourceMessage(
                id: held.message.id, body: held.message.body,
                receiveCount: held.message.receiveCount)
            group.addTask { [handle] in await handle(message) }
            group.addTask {
                await lost.wait()
                return nil
            }
            let first = await group.next()
            group.cancelAll()
            return first ?? nil
        }
    }
}
