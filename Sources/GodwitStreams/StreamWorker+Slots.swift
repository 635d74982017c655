// SPDX-License-Identifier: Apache-2.0
import Godwit
import Synchronization

extension StreamWorker {
    /// Runs one key after the other until the worker stops.
    func runSlot() async {
        let time = stream.broker.time
        while true {
            let began = time.now()
            let next = state.withLock {
                cell -> (
                    StreamWorkerState.Work, RememberedLane<Point, State>?,
                    UnsafeContinuation<Void, Never>?
                )? in
                guard let work = cell.worker.take(began) else { return nil }
                let remembered = cell.inHand.removeValue(forKey: work.lane.token)
                let another = cell.worker.backlog.isEmpty ? nil : cell.parked.popLast()
                return (work, remembered, another)
            }
            guard let (work, remembered, another) = next else {
                if await park() { continue }
                return
            }
            another?.resume()
            let result = await run.run(
                work, remembered, isStopping: { state.withLock { $0.worker.phase != .working } },
                random: { state.withLock { $0.random.next() } })
            let now = time.now()
            let (wakes, rests) = state.withLock { cell -> (Bool, Bool) in
                if cell.worker.finished(result.settlement, took: now - began, now) {
                    cell.inHand[work.lane.token] = result.remembered
                }
                return (cell.worker.wantsExchange(now), cell.worker.takeRetry())
            }
            if wakes { wakeExchanges() }
            if rests { retryDeferredLater() }
        }
    }

    /// Waits until there may be work; false when the worker stops.
    private func park() async -> Bool {
        await withUnsafeContinuation { continuation in
            let mayRun = state.withLock { cell -> Bool in
                if !cell.worker.backlog.isEmpty || cell.worker.phase != .working { return true }
                cell.parked.append(continuation)
                return false
            }
            if mayRun { continuation.resume() }
        }
        return state.withLock { $0.worker.phase == .working }
    }
}
