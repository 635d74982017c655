// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Godwit
import Logging
import Synchronization

extension SQSRun {
    /// Extends everything that is held, every third of a visibility, until the run has ended.
    func runBeat() async {
        var beatAt = source.time.now() + source.options.visibility / 3
        while true {
            let now = source.time.now()
            lose([], at: now)
            if now >= beatAt {
                beatAt = now + source.options.visibility / 3
                await beat()
                continue
            }
            let signal = Signal()
            let (isOver, nextLoss) = cell.withLock { cell -> (Bool, Timestamp?) in
                let isOver =
                    cell.isFinished
                    || cell.state.phase == .graceOver && cell.state.isDrained && cell.sending == 0
                if !isOver { cell.idleBeat = signal }
                return (isOver, cell.state.nextLoss)
            }
            if isOver { return wakeAll() }
            await wait(signal, until: nextLoss.map { min($0, beatAt) } ?? beatAt)
        }
    }

    private func beat() async {
        let extensions = cell.withLock { $0.state.toExtend(at: source.time.now()) }
        await withDiscardingTaskGroup { group in
            for start in stride(from: 0, to: extensions.count, by: SQSClient.batch) {
                let end = min(extensions.count, start + SQSClient.batch)
                let part = Array(extensions[start..<end])
                group.addTask { await self.extend(part) }
            }
        }
    }

    private func extend(_ part: [SQSState.Extension]) async {
        let sentAt = source.time.now()
        do throws(SQSError) {
            let outcomes = try await source.settling.changeVisibility(
                part.map { ($0.receipt, $0.visibility) }, in: source.queue)
            var lost: Set<UInt64> = []
            var done: [SQSState.Extension] = []
            for (one, outcome) in zip(part, outcomes) {
                switch outcome {
                case .done: done.append(one)
                case .failed(.receiptLost): lost.insert(one.number)
                case .failed(let error):
                    Logger.current.warning("could not extend a message of \(source.name): \(error)")
                }
            }
            cell.withLock { $0.state.extended(done, sentAt: sentAt) }
            if !lost.isEmpty { lose(lost, at: source.time.now()) }
        } catch {
            // The next beat comes before the visibility is over: one of two may fail.
            Logger.current.warning(
                "could not extend \(part.count) message(s) of \(source.name): \(error)")
        }
    }

    /// Tells the handlers of what is ours no more.
    private func lose(_ numbers: Set<UInt64>, at now: Timestamp) {
        let (ids, signals) = cell.withLock { cell -> ([String], [Signal]) in
            let (ids, told) = cell.state.lose(numbers, at: now)
            if ids.isEmpty { return ([], []) }
            return (ids, told.compactMap { cell.losses.removeValue(forKey: $0) } + cell.takeAll())
        }
        guard let first = ids.first else { return }
        Logger.current.warning(
            """
            \(ids.count) message(s) of \(source.name) are ours no more, the first is \(first): their \
            handlers are cancelled and what they answer is dropped; they come again
            """)
        signals.forEach { $0.fire() }
    }
}
