// SPDX-License-Identifier: Apache-2.0
import Logging
import Synchronization

extension Worker {
    /// Runs one message after the other until the worker stops or this slot's task is cancelled.
    func runSlot(_ slot: Int) async {
        let time = queue.broker.time
        var verdict: Verdict?
        while true {
            let now = time.now()
            let (run, wakes, checksTimeout) = state.withLock {
                cell -> (WorkerState.Run?, WorkerCell.Wakes, Bool) in
                if let verdict { cell.worker.finished(slot, verdict, at: now) }
                let isUsable = !Task.isCancelled
                let run = isUsable ? cell.worker.take(slot, at: now, timeout: timeout) : nil
                var wakes = cell.takeSlotWakes()
                if let lane = cell.takeLaneWake(now) { wakes.signals.append(lane) }
                let isSooner = run.map { run in cell.timeoutCheckAt.map { run.timeoutAt < $0 } ?? true }
                if isSooner == true { cell.timeoutCheckAt = run?.timeoutAt }
                return (run, wakes, isSooner ?? false)
            }
            verdict = nil
            wakes.resume()
            if checksTimeout { scheduleTimeoutCheck() }
            if let run {
                verdict = await self.verdict(on: run, in: slot)
            } else {
                if Task.isCancelled { return endSlot(slot) }
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

    /// Runs the handler and turns what it did into a verdict; never throws.
    private func verdict(on run: WorkerState.Run, in slot: Int) async -> Verdict {
        let entry = run.leased.token.entry
        // Why: a store may hand out a kind that was not asked for only by mistake; another can run it.
        guard let handler = handlers.handler(of: entry.kindHash) else { return .release }
        let context = JobContext(queue: queue, leased: run.leased, lease: run.lease)
        do {
            try await handler.run(run.leased, context)
            return .ack
        } catch let verdict as Verdict {
            if case .retry(_, let reason) = verdict, isLastAttempt(entry) {
                return .reject(reason.isEmpty ? "no attempts left" : reason)
            }
            return verdict
        } catch {
            let isTimedOut = state.withLock { $0.worker.isTimedOut(slot) }
            let limit = handler.timeout ?? options.maxRun
            let reason = isTimedOut ? "timeout: it ran longer than \(limit)" : "\(error)"
            if !run.lease.isLost {
                Logger.current.info("message \(entry.id) of '\(queue.name)' failed: \(reason)")
            }
            return state.withLock { cell in
                handler.retry.verdict(
                    attempt: Int(entry.attempt), maxAttempts: entry.maxAttempts, reason: reason,
                    using: &cell.random)
            }
        }
    }

    private func isLastAttempt(_ entry: Entry) -> Bool {
        entry.maxAttempts != 255 && Int(entry.attempt) + 1 >= Int(entry.maxAttempts)
    }
}
