// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging

extension AlertWatch {
    /// Adds what the rules see in all queues now to what is unheard.
    func see(by rules: [AlertRule]) async throws(BrokerError) {
        beats = try await broker.board.notes(in: .workers).compactMap(WorkerBeat.init)
        let queues = try await broker.inspector.queues().filter { $0 != AlertQueue.name }
        if queues.count > options.queues {
            Logger.current.warning(
                "alerts: of \(queues.count) queues only the first \(options.queues) are watched")
        }
        for queue in queues.prefix(options.queues) {
            do {
                unheard += try await seen(in: queue, by: rules)
            } catch let error as BrokerError {
                // Why: one queue that can't be read must not hide the others; a store that is away does.
                if error.isPassing { throw error }
                Logger.current.warning(
                    "alerts: '\(queue)' can't be looked at: \("\(error)".escapedForDisplay)")
            } catch {
                Logger.current.warning("alerts: '\(queue)' can't be looked at: \(error)")
            }
        }
    }

    private func seen(in queue: QueueName, by rules: [AlertRule]) async throws -> [AlertSignal] {
        let inspector = broker.inspector
        let counts = try await inspector.counts(of: queue)
        var eyes = try await eyes(of: queue)
        eyes.keep(only: rules)
        var look = QueueLook(queue: queue, now: now, counts: counts, beats: beats)
        if counts.dead > 0, hasNews(counts, queue) {
            lastCounts[queue] = nil
            let since = memory?.since ?? look.now
            let news = try await eyes.newDead(in: queue, by: inspector, since: since, now: look.now)
            look.dead = news.letters
            if news.isAll { lastCounts[queue] = counts }
        }
        if counts.ready > 0 {
            look.kinds = try await inspector.kinds(of: queue)
            look.oldestReadyAt = try await inspector.oldestReady(of: look.kinds, in: queue)
            look.target = try await target(of: queue)
        }
        if counts.leased > 0 {
            look.oldestLease = try await inspector.messages(
                .leased, in: queue, after: nil, limit: 1
            ).messages.first
        }
        let signals = AlertRule.signals(of: rules, in: look, &eyes)
        memory?.eyes[queue] = eyes
        return signals
    }

    /// False when nothing died since the dead letters were last read to their end.
    private func hasNews(_ counts: QueueCounts, _ queue: QueueName) -> Bool {
        guard let last = lastCounts[queue] else { return true }
        return last.dead != counts.dead || last.rejected != counts.rejected
            || last.lost != counts.lost || last.redriven != counts.redriven
            || last.pruned != counts.pruned || last.cancelled != counts.cancelled
    }

    /// How long a ready job may wait in a queue, where an operator has set its targets.
    private func target(of queue: QueueName) async throws(BrokerError) -> Duration? {
        guard try await broker.board.note(queue.text, in: .targets) != nil else { return nil }
        let targets = try await QueueTargets.read(of: queue, from: broker.board)
        return .milliseconds(Int64(min(1e12, max(0, targets.wait * 1000))))
    }

    /// What the rules about the store itself see.
    func refusals(_ rules: [AlertRule]) -> [AlertSignal] {
        guard let since = refusedSince else { return [] }
        let now = now
        return rules.filter {
            $0.trigger == .storeRefuses && ($0.mutedUntil.map { $0 <= now } ?? true)
        }.map {
            AlertSignal(
                rule: $0.name, trigger: .storeRefuses, queue: "the store", group: "writes",
                text: refusal, count: max(1, Int(clamping: (now - since).milliseconds / 1000)),
                at: now)
        }
    }
}
