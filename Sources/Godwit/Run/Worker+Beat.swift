// SPDX-License-Identifier: Apache-2.0
import Synchronization

extension Worker {
    /// Takes nothing new: gives back what was not begun, goes on with what runs, and stays.
    public func quiet() {
        let now = queue.broker.time.now()
        let signals = state.withLock { cell -> [Signal] in
            cell.worker.quiet(at: now)
            return cell.laneSignals
        }
        signals.forEach { $0.fire() }
    }

    /// Takes new messages again after ``quiet()``.
    public func resume() {
        let signals = state.withLock { cell -> [Signal] in
            cell.worker.resume()
            return cell.laneSignals
        }
        signals.forEach { $0.fire() }
    }

    /// The beat of this worker; nil when it has none.
    func heartbeat() -> Heartbeat? {
        guard let period = options.beat else { return nil }
        let broker = queue.broker
        let identity = WorkerBeat(
            number: number, name: ProcessName.current, version: options.version,
            queue: queue.name.text, kinds: handlers.kinds?.map(\.name),
            slots: state.withLock { $0.worker.concurrency },
            startedAt: broker.time.now() + broker.clockOffset,
            leaseMilliseconds: options.lease.milliseconds)
        return Heartbeat(broker, number: number, every: period) {
            // Why a copy: names are looked up and sorted outside of the lock.
            let worker = self.state.withLock { $0.worker }
            return worker.beat(identity, clockOffset: broker.clockOffset, kind: self.kindName)
        } obey: { order in
            switch order {
            case .quiet: self.quiet()
            case .resume: self.resume()
            case .stop: self.stop()
            }
        }
    }

    private func kindName(of leased: LeasedMessage) -> String {
        if let kind = handlers.handler(of: leased.token.entry.kindHash)?.kind { return kind.name }
        let written = try? Envelope.reading(leased.body) { view throws(EnvelopeError) in
            String(decoding: view.kind, as: UTF8.self)
        }
        return written ?? ""
    }
}
