// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor

/// Queues whose truth is known from queueing theory: load = arrivals × mean run, in slots.
extension Scenario {
    static let simulated: [Scenario] = [
        simulate(
            "half used, runs differ as they like", [],
            Simulation(
                seed: 1, slots: 8, rate: { _ in 2 }, peak: 2, service: .exponential(2))),
        simulate(
            "two thirds used, heavier tail", [],
            Simulation(
                seed: 2, slots: 12, rate: { _ in 3.9 }, peak: 3.9, service: .lognormal(2, 2))),
        simulate(
            "30 % more comes than four slots can do: load 5.2, so 8 slots",
            [.addWorkers, .backlog],
            slots: 7...8,
            Simulation(
                seed: 3, slots: 4, rate: { _ in 2.6 }, peak: 2.6, service: .exponential(2))),
        simulate(
            "5 % more comes than sixteen slots can do: load 16.8, so 24 slots",
            [.addWorkers, .backlog], slots: 23...25,
            Simulation(
                seed: 4, slots: 16, rate: { _ in 16.8 }, peak: 16.8, service: .exponential(1))),
        simulate(
            "a burst that is over for half an hour", [],
            Simulation(
                seed: 5, slots: 8, rate: { _ in 1 }, peak: 1, service: .exponential(2),
                burst: (4200, 3000))),
        simulate(
            "a burst from before the hour, draining at eight a second", [.backlog],
            Simulation(
                seed: 6, slots: 10, rate: { _ in 2 }, peak: 2, service: .exponential(1),
                burst: (3300, 50_000))),
        simulate(
            "the same burst within the hour: all slots busy, but enough of them", [],
            Simulation(
                seed: 7, slots: 10, rate: { _ in 2 }, peak: 2, service: .exponential(1),
                burst: (4200, 50_000))),
        simulate(
            "the morning: load goes from a tenth to nine tenths in an hour", [],
            Simulation(
                seed: 8, slots: 10, rate: { 0.5 + 4 * max(0, $0 - 3600) / 3600 }, peak: 4.5,
                service: .exponential(2))),
        simulate(
            "the evening: twice too much until half an hour ago, then a fifth", [],
            Simulation(
                seed: 9, slots: 10, rate: { $0 < 5400 ? 6 : 1 }, peak: 6, service: .exponential(2),
                length: 7200)),
        simulate(
            "a deep prefetch: runs look ten times as long; load 4.8, so 7 slots",
            [.addWorkers, .backlog], slots: 6...8,
            Simulation(
                seed: 10, slots: 4, rate: { _ in 2.4 }, peak: 2.4, service: .exponential(2),
                prefetch: 32)),
        simulate(
            "a deep prefetch with slots to spare", [],
            Simulation(
                seed: 11, slots: 8, rate: { _ in 2 }, peak: 2, service: .exponential(2),
                prefetch: 64)),
        simulate(
            "waits from a heavy tail, slots used six tenths", [],
            Simulation(
                seed: 12, slots: 2, rate: { _ in 0.06 }, peak: 0.06, service: .lognormal(20, 4))),
        simulate(
            "a retry storm: six of ten runs come again, and only that fills the slots",
            [.retryStorm, .backlog],
            Simulation(
                seed: 13, slots: 8, rate: { _ in 2.4 }, peak: 2.4, service: .exponential(2),
                retries: (0.6, 5))),
        simulate(
            "one slot, runs of minutes, under 100 an hour", [],
            Simulation(
                seed: 14, slots: 1, rate: { _ in 0.008 }, peak: 0.008,
                service: .exponential(200))),
        twoKinds,
    ]

    private static func simulate(
        _ name: String, _ expected: Set<Advice.Kind>, slots: ClosedRange<Int>? = nil,
        _ simulation: Simulation
    ) -> Scenario {
        let outcome = simulation.run()
        return Scenario(
            description: name, panes: outcome.panes(slots: simulation.slots),
            now: now(
                ready: outcome.waiting.count, leased: outcome.held,
                oldest: outcome.waiting.first.map { outcome.end - $0 },
                workers: [
                    beat(slots: simulation.slots, busy: outcome.busy, held: outcome.held)
                ]),
            expected: expected, slots: slots)
    }

    /// Reports on two slots of their own get half too much (load 3, so 5 slots), beside eight idle slots
    /// that know only letters.
    private static var twoKinds: Scenario {
        let letters = Simulation(
            seed: 15, slots: 8, rate: { _ in 1.6 }, peak: 1.6, service: .exponential(1)
        ).run()
        let reports = Simulation(
            seed: 16, slots: 2, rate: { _ in 0.3 }, peak: 0.3, service: .exponential(10)
        ).run()
        func pane(_ span: Double) -> QueuePane {
            let left = letters.pane(span, slots: 8, kind: "letter")
            let right = reports.pane(span, slots: 2, kind: "report")
            var both = left
            both.arrivals += right.arrivals
            both.runs += right.runs
            func mean(_ a: Double, _ b: Double) -> Double {
                (a * Double(left.runs) + b * Double(right.runs)) / Double(both.runs)
            }
            both.meanWait = mean(left.meanWait, right.meanWait)
            both.meanRun = mean(left.meanRun, right.meanRun)
            both.slots = 10
            both.busySlots = (left.busySlots ?? 0) + (right.busySlots ?? 0)
            both.leastReady = (left.leastReady ?? 0) + (right.leastReady ?? 0)
            both.kinds = left.kinds + right.kinds
            return both
        }
        return Scenario(
            description: "two kinds: the slots of one are too few, those of the other idle",
            panes: QueuePanes(short: pane(300), long: pane(3600)),
            now: now(
                ready: letters.waiting.count + reports.waiting.count,
                leased: letters.held + reports.held,
                oldest: reports.waiting.first.map { 7200 - $0 },
                workers: [
                    beat(1, slots: 8, busy: letters.busy, kinds: ["letter"]),
                    beat(2, slots: 2, busy: reports.busy, kinds: ["report"]),
                ],
                kinds: [
                    kind("letter", letters.waiting.count, letters.waiting.first.map { 7200 - $0 }),
                    kind("report", reports.waiting.count, reports.waiting.first.map { 7200 - $0 }),
                ]),
            // 700 reports wait: at 1.9 runs a second of both kinds that is over a minute, and grows.
            expected: [.addWorkers, .backlog], slots: 4...5)
    }
}
