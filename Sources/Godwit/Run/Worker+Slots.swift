// SPDX-License-Identifier: Apache-2.0
import Logging
import Synchronization
import Tracing

extension Worker {
    /// Runs one message after the other until the worker stops or this slot's task is cancelled.
    func runSlot(_ slot: Int) async {
        let time = queue.broker.time
        let (meters, tracer) = (queue.meters, Spans.tracer)
        var verdict: Verdict?
        var isUsable = true
        while true {
            let now = time.now()
            if Task.isCancelled { isUsable = false }
            let (run, wakes, checksTimeout) = state.withLock {
                cell -> (WorkerState.Run?, WorkerCell.Wakes, Bool) in
                if let verdict, !cell.worker.finished(slot, verdict, at: now) { isUsable = false }
                let run = isUsable ? cell.worker.take(slot, at: now, timeout: timeout) : nil
                var wakes = cell.takeSlotWakes()
                if let lane = cell.takeLaneWake(now) { wakes.signals.append(lane) }
                let isSooner = run.map { run in
                    cell.timeoutCheckAt.map { run.timeoutAt < $0 } ?? true
                }
                if isSooner == true { cell.timeoutCheckAt = run?.timeoutAt }
                return (run, wakes, isSooner ?? false)
            }
            verdict = nil
            wakes.resume()
            if checksTimeout { scheduleTimeoutCheck() }
            if let run {
                verdict = await self.verdict(on: run, in: slot, tracer)
                meters?.ran(run.leased.token.entry, for: time.now() - run.startedAt)
            } else {
                if !isUsable { return endSlot(slot) }
                if await park(slot) { return }
            }
        }
    }

    /// Waits until there may be work; true when the worker stops.
    private func park(_ slot: Int) async -> Bool {
        await withUnsafeContinuation { continuation in
            let mayRun = state.withLock { cell -> Bool in
                if !cell.worker.backlog.isEmpty || cell.worker.phase != .working { return true }
                cell.park(continuation)
                return false
            }
            if mayRun { continuation.resume() }
        }
        return state.withLock { cell in
            cell.begun()
            return cell.worker.phase != .working
        }
    }

    private func endSlot(_ slot: Int) {
        let signals = state.withLock { cell -> [Signal] in
            cell.slotEnded(slot)
            return cell.laneSignals + [cell.superviseSignal]
        }
        signals.forEach { $0.fire() }
    }

    private func timeout(of leased: LeasedMessage) -> Duration {
        handlers.handler(of: leased.token.entry.kindHash)?.timeout ?? options.maxRun
    }

    private func verdict(
        on run: WorkerState.Run, in slot: Int, _ tracer: (any Tracer)?
    ) async -> Verdict {
        let context = JobContext(queue: queue, leased: run.leased, lease: run.lease)
        guard let tracer else { return await verdict(on: run, in: slot, context) }
        return await Spans.process(context, by: tracer) {
            await verdict(on: run, in: slot, context)
        }
    }

    private func verdict(
        on run: WorkerState.Run, in slot: Int, _ context: JobContext
    ) async -> Verdict {
        await handlers.verdict(
            on: run.leased, context, maxRun: options.maxRun,
            isTimedOut: { self.state.withLock { $0.worker.isTimedOut(slot) } },
            random: { self.state.withLock { $0.random.next() } })
    }
}
