// SPDX-License-Identifier: Apache-2.0
import Logging
import Synchronization

extension Worker {
    private static let longestWait = 5000.0

    /// Waits at the store while there is nothing to take, and lets the lanes ask again.
    func runWaker(until end: Worker.End) async {
        let broker = queue.broker
        let signal = state.withLock { $0.wakerSignal }
        var fruitless = 0
        while !Task.isCancelled {
            await signal.wait()
            guard let wait = state.withLock({ $0.wait() }) else { continue }
            fruitless = wait.hasWorked ? 0 : fruitless + 1
            if end == .drained, wait.isIdle, await isDrained() { return stop() }
            let limit = end == .drained ? 250 : Self.longestWait * Double.random(in: 0.8...1.2)
            let due = wait.nextDue.map { max(1, $0.milliseconds) } ?? .max
            let began = broker.time.now()
            await self.wait(.milliseconds(min(Int64(limit), due)), orIdle: end == .drained)
            // Why: a store may wake for what this worker can't take (a limit, a suspect while busy).
            if fruitless > 3, (broker.time.now() - began).milliseconds < 50 {
                await broker.time.sleep(for: .milliseconds(min(500, 10 << min(fruitless - 3, 6))))
            }
            wake()
        }
    }

    /// Waits at the store; with `orIdle` also returns when the last message in hand is settled.
    private func wait(_ limit: Duration, orIdle: Bool) async {
        let broker = queue.broker
        guard orIdle else {
            return await broker.wait(for: handlers.kinds, in: queue.name, upTo: limit)
        }
        let idle = state.withLock { $0.idleSignal }
        await withTaskGroup { group in
            group.addTask { await idle.wait() }
            group.addTask {
                await broker.wait(for: self.handlers.kinds, in: self.queue.name, upTo: limit)
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func wake() {
        let signals = state.withLock { cell -> [Signal] in
            cell.worker.wake()
            return cell.laneSignals
        }
        signals.forEach { $0.fire() }
    }

    private func isDrained() async -> Bool {
        do {
            return try await queue.broker.inspector.counts(of: queue.name).isDrained
        } catch {
            Logger.current.warning("could not count '\(queue.name)': \(error)")
            return false
        }
    }

    /// Takes back what dead workers held and drops what is old, a bounded amount at a time.
    func runUpkeep() async {
        let broker = queue.broker
        var round = 0
        while !Task.isCancelled {
            let period = Double(options.lease.milliseconds) / 6 * Double.random(in: 0.8...1)
            await broker.time.sleep(for: .milliseconds(Int64(period)))
            if Task.isCancelled { return }
            do {
                for _ in 0..<64 {
                    let reclaimed = try await queue.calls.reclaim(64)
                    if reclaimed.ready > 0 { wake() }
                    if reclaimed.ready + reclaimed.dead < 64 { break }
                }
                round += 1
                guard round % 6 == 0 else { continue }
                for _ in 0..<64 {
                    if try await queue.calls.prune(64) < 64 { break }
                }
            } catch {
                Logger.current.warning("upkeep of '\(queue.name)' failed, trying again: \(error)")
            }
        }
    }
}
