// SPDX-License-Identifier: Apache-2.0
import Synchronization

extension MemoryBroker {
    /// One task in `wait`.
    struct Waiter: Sendable {
        var kinds: [Kind]?
        var signal: Signal
    }

    /// The timer that promotes for those who wait.
    struct Alarm: Sendable {
        var due: Timestamp
        var timer: ScheduledAction
    }

    public func wait(for kinds: [Kind]?, in queue: QueueName, upTo timeout: Duration) async {
        guard timeout > .zero else { return }
        let signal = Signal()
        let key = state.withLock { state -> UInt64? in
            if state.isShutDown || state.ledger.hasReady(kinds, in: queue) { return nil }
            if state.untoldSuspects.remove(queue) != nil { return nil }
            state.lastKey += 1
            state.waiters[queue, default: [:]][state.lastKey] = Waiter(kinds: kinds, signal: signal)
            setAlarm(queue, &state, time.now())
            return state.lastKey
        }
        guard let key else { return }
        let timer = time.schedule(after: timeout) { signal.fire() }
        await signal.wait()
        timer.cancel()
        state.withLock { state in
            state.waiters[queue]?[key] = nil
            guard state.waiters[queue]?.isEmpty == true else { return }
            state.waiters[queue] = nil
            state.alarms.removeValue(forKey: queue)?.timer.cancel()
        }
    }

    public func shutdown() async {
        let (signals, alarms) = state.withLock { state in
            state.isShutDown = true
            defer {
                state.waiters = [:]
                state.streamWaiters = [:]
                state.alarms = [:]
            }
            let waiters = state.waiters.values.flatMap(\.values).map(\.signal)
            let streamWaiters = state.streamWaiters.values.flatMap(\.values)
            return (waiters + streamWaiters, Array(state.alarms.values))
        }
        for alarm in alarms { alarm.timer.cancel() }
        for signal in signals { signal.fire() }
    }

    /// Wakes everybody for whom something is ready. A suspect wakes all once: a worker with messages
    /// in flight can't take it, and must not be woken by it again and again.
    func wake(_ queue: QueueName, _ state: inout State, _ now: Timestamp) {
        let hasNewSuspect = state.ledger.takeNewSuspect(in: queue)
        guard let waiters = state.waiters[queue] else {
            if hasNewSuspect { state.untoldSuspects.insert(queue) }
            return
        }
        for waiter in waiters.values
        where hasNewSuspect || state.ledger.hasReady(waiter.kinds, in: queue) {
            waiter.signal.fire()
        }
        setAlarm(queue, &state, now)
    }

    private func setAlarm(_ queue: QueueName, _ state: inout State, _ now: Timestamp) {
        guard state.waiters[queue] != nil, let due = state.ledger.nextDue(in: queue) else { return }
        if let alarm = state.alarms[queue] {
            if alarm.due <= due { return }
            alarm.timer.cancel()
        }
        let timer = time.schedule(after: due - now) { [weak self] in self?.promoteForWaiters(queue)
        }
        state.alarms[queue] = Alarm(due: due, timer: timer)
    }

    private func promoteForWaiters(_ queue: QueueName) {
        state.withLock { state in
            let now = time.now()
            guard !state.isShutDown, state.waiters[queue] != nil else { return }
            // Why: a timer may fire a moment early, or after it was called off; either way the alarm
            // is set anew below, for what is due next.
            state.alarms.removeValue(forKey: queue)?.timer.cancel()
            _ = state.ledger.promote(in: queue, now: now)
            wake(queue, &state, now)
        }
    }
}
