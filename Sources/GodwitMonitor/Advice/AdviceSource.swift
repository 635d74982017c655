// SPDX-License-Identifier: Apache-2.0
public import Godwit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reads what advice needs: rates from the history, how a queue stands from the store. Reads only.
public struct AdviceSource: Sendable {
    let broker: any Broker
    let history: (any HistoryStore)?

    public init(_ broker: any Broker, history: (any HistoryStore)? = nil) {
        self.broker = broker
        self.history = history
    }

    /// The advice for one queue. A history that does not answer is as good as none; the advice says so.
    public func advice(for queue: QueueName) async throws(BrokerError) -> [Advice] {
        let now = try await look(at: queue)
        let targets = try await QueueTargets.read(of: queue, from: broker.board)
        return Adviser(await panes(of: queue, at: now.at), now, targets).advice()
    }

    /// How a queue stands at this moment.
    public func look(at queue: QueueName) async throws(BrokerError) -> QueueNow {
        let inspector = broker.inspector
        let now = broker.time.now() + broker.clockOffset
        let counts = try await inspector.counts(of: queue)
        let kinds = try await inspector.kinds(of: queue)
        let oldest =
            counts.ready == 0 ? nil : try await inspector.oldestReady(of: kinds, in: queue)
        return QueueNow(
            queue: queue.text, at: now, counts: counts,
            oldestReady: oldest.map { max(0, Double((now - $0).milliseconds) / 1000) },
            leaseLimit: try await broker.operator.settings(of: queue).maxLeased,
            workers: try await workers(of: queue), kinds: kinds,
            clockSteps: await clockSteps(of: queue, at: now))
    }

    /// Those whose beat lives; nil where no worker ever wrote to the board, since then it says nothing.
    public func workers(of queue: QueueName) async throws(BrokerError) -> [WorkerBeat]? {
        let notes = try await broker.board.notes(in: .workers)
        let beats = notes.compactMap(WorkerBeat.init)
        // A note of another form is a worker of another version: what can't be read is not "none".
        return beats.isEmpty && !notes.isEmpty ? nil : beats.filter { $0.queue == queue.text }
    }

    /// The two panes up to now; nil without a history, or where it does not answer.
    public func panes(of queue: QueueName, at now: Timestamp) async -> QueuePanes? {
        guard let history else { return nil }
        do throws(HistoryError) {
            return QueuePanes(
                short: try await Self.pane(300, of: queue, at: now, from: history),
                long: try await Self.pane(3600, of: queue, at: now, from: history))
        } catch {
            return nil
        }
    }

    private static func pane(
        _ span: Double, of queue: QueueName, at now: Timestamp, from history: any HistoryStore
    ) async throws(HistoryError) -> QueuePane {
        let range = HistoryRange(from: now + .seconds(-span), to: now, queue: queue.text)
        let stats = try await history.stats(range)
        let samples = try await history.samples(range)
        let groups = try await history.groups(range, limit: 3)
        return QueuePane(span: span, stats: stats, samples: samples, groups: groups)
    }

    /// Runs of the last hour that began before they were ready: only a clock that was set back does that.
    private func clockSteps(of queue: QueueName, at now: Timestamp) async -> Int {
        guard let history else { return 0 }
        let range = HistoryRange(from: now + .seconds(-3600), to: now, queue: queue.text)
        do throws(HistoryError) {
            let runs = try await history.runs(RunQuery(range, limit: 1000)).runs
            let isStepped = runs.contains { run in
                run.executedAt.map { $0 + .seconds(1) < run.readyAt } ?? false
            }
            return isStepped ? 1 : 0
        } catch {
            return 0
        }
    }
}

extension QueuePane {
    /// Puts a pane together of what a history says of a range.
    init(span: Double, stats: [RunStats], samples: [QueueSample], groups: [ErrorGroup]) {
        func count(_ moves: Event.Move...) -> Int {
            stats.reduce(0) { sum, stats in
                sum + moves.reduce(0) { $0 + (stats.verdicts[$1.rawValue] ?? 0) }
            }
        }
        // A move without a run (a cancel, a purge, a redrive) has no run time and used no slot.
        let timed = stats.filter { $0.run.count > 0 }
        let runs = timed.reduce(0) { $0 + $1.run.count }
        func mean(_ value: (RunStats) -> Double, _ weight: (RunStats) -> Int) -> Double {
            let total = timed.reduce(0) { $0 + weight($1) }
            return total == 0
                ? 0 : timed.reduce(0) { $0 + value($1) * Double(weight($1)) } / Double(total) / 1000
        }
        let kinds = timed.map {
            Kind(
                kind: $0.kind, runs: $0.run.count, meanWait: $0.wait.mean / 1000,
                meanRun: $0.run.mean / 1000, p95Run: $0.run.p95 / 1000)
        }
        var grown = 0.0
        if let first = samples.first, let last = samples.last, first.at < last.at {
            // Every run that ended had become ready; and so had what stands ready or leased more than
            // before. Samples end before the span does, so their growth stands for all of it.
            let seconds = Double((last.at - first.at).milliseconds) / 1000
            grown =
                Double((last.ready + last.leased) - (first.ready + first.leased)) * span / seconds
        }
        let looks = Double(samples.count)
        self.init(
            span: span, arrivals: max(0, runs + Int(grown.rounded())), runs: runs,
            retries: count(.retry),
            failures: count(.retry, .reject), releases: count(.release), lost: count(.reclaim),
            crashLoops: count(.crashLoop), meanWait: mean(\.wait.mean, \.wait.count),
            meanRun: mean(\.run.mean, \.run.count),
            // Percentiles can't be averaged: the worst kind's is an upper bound, and kinds have their own.
            p95Run: kinds.map(\.p95Run).max() ?? 0,
            slots: samples.isEmpty ? nil : samples.reduce(0) { $0 + Double($1.slots) } / looks,
            busySlots: samples.isEmpty
                ? nil : samples.reduce(0) { $0 + Double($1.busySlots) } / looks,
            // Samples of less than the span say nothing of its beginning.
            leastReady: samples.count < Int(span / 60) / 2 ? nil : samples.map(\.ready).min(),
            kinds: kinds, groups: groups)
    }
}
