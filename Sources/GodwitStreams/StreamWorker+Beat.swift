// SPDX-License-Identifier: Apache-2.0
import Godwit
import Synchronization

extension StreamWorker {
    /// Takes nothing new: gives back what was not begun, goes on with what runs, and stays.
    public func quiet() {
        let now = stream.broker.time.now()
        state.withLock { $0.worker.quiet(now) }
        wakeExchanges()
    }

    /// Takes new keys again after ``quiet()``.
    public func resume() {
        state.withLock { $0.worker.resume() }
        wakeExchanges()
    }

    /// The beat of this worker; nil when it has none.
    func heartbeat() -> Heartbeat? {
        guard let period = options.beat else { return nil }
        let broker = stream.broker
        let identity = WorkerBeat(
            number: number, name: ProcessName.current, version: options.version,
            // Of the queue of its name it takes dead points that were redriven, and nothing else.
            queue: stream.name.text, kinds: [StrayPoint.kind.name],
            slots: state.withLock { $0.worker.concurrency },
            startedAt: broker.time.now() + broker.clockOffset,
            leaseMilliseconds: options.lease.milliseconds)
        return Heartbeat(broker, number: number, every: period) {
            let worker = self.state.withLock { $0.worker }
            return worker.beat(identity, clockOffset: broker.clockOffset)
        } obey: { order in
            switch order {
            case .quiet: self.quiet()
            case .resume: self.resume()
            case .stop: self.stop()
            }
        }
    }
}
