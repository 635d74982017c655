// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import Synchronization

extension StreamWorker {
    typealias Work = StreamWorkerState.Work

    /// Loads the windows of the keys at the places of `cold`; returns the work that can be begun.
    func load(_ work: [Work], _ cold: [Int]) async -> [Work] {
        let wanted = cold.map { work[$0] }
        var loaded: [LaneToken: Work] = [:]
        do throws(BrokerError) {
            for work in try await fetch(wanted) { loaded[work.lane.token] = work }
            state.withLock { $0.worker.loadSucceeded() }
        } catch {
            switch error {
            case .invalid, .corrupt:
                // Something in it can't be read: the others must not wait for it.
                for work in wanted {
                    guard let work = await loadAlone(work) else { continue }
                    loaded[work.lane.token] = work
                }
            default: putOff(wanted, error)
            }
        }
        let isCold = Set(cold)
        return work.indices.compactMap { index in
            isCold.contains(index) ? loaded[work[index].lane.token] : work[index]
        }
    }

    private func loadAlone(_ work: Work) async -> Work? {
        do throws(BrokerError) {
            return try await fetch([work]).first
        } catch {
            switch error {
            case .invalid, .corrupt:
                let now = stream.broker.time.now()
                state.withLock { cell in
                    let end = run.failed(
                        work.lane, "its window can't be loaded: \(error)",
                        { cell.random.next() })
                    cell.worker.add(.unhandled(work.lane, end), now)
                }
            default: putOff([work], error)
            }
            return nil
        }
    }

    /// What the store remembers of keys; those that another worker went on with are lost.
    private func fetch(_ work: [Work]) async throws(BrokerError) -> [Work] {
        let memories = try await stream.broker.memories(
            of: work.map(\.lane.token.key), window: stream.kept, in: stream.name)
        var loaded: [Work] = []
        var overtaken: [LaneToken] = []
        for (work, memory) in zip(work, memories) {
            if memory.position == work.lane.position, memory.birth == work.lane.birth {
                var work = work
                work.memory = memory
                loaded.append(work)
            } else {
                // The process stood still for longer than its lease, and another went on.
                overtaken.append(work.lane.token)
            }
        }
        if !overtaken.isEmpty { loseLeases(overtaken) }
        let bytes = memories.reduce(0) { $0 + $1.bytesMoved }
        state.withLock { $0.bytesMoved += bytes }
        return loaded
    }

    /// The store did not answer: these go back, and the worker waits before it asks again.
    private func putOff(_ work: [Work], _ error: BrokerError) {
        Logger.current.warning(
            "could not load \(work.count) window(s) of '\(stream.name)': \(error)")
        let now = stream.broker.time.now()
        state.withLock { cell in
            for work in work { cell.worker.add(.release(work.lane), now) }
            let jitter = Double.random(in: 0...1, using: &cell.random)
            cell.worker.loadFailed(now, jitter: jitter)
        }
        if !error.isPassing { fail(error) }
    }
}
