// SPDX-License-Identifier: Apache-2.0
import Godwit

extension StoreGauges {
    /// Turns a walk into numbers; `old` is an earlier one, for rates.
    static func look(_ walk: StoreWalk?, since old: StoreWalk?) -> Look {
        typealias Label = MetricFamily.Label
        typealias Sample = MetricFamily.Sample
        var look = Look()
        look.isUp = walk != nil
        look.families.append(
            MetricFamily("godwit_store_up", .gauge, [Sample([], walk == nil ? 0 : 1)]))
        guard let walk else { return look }
        var jobs: [Sample] = []
        var oldest: [Sample] = []
        var drain: [Sample] = []
        var slots: [Sample] = []
        var events = (waiting: 0, dropped: 0, lag: 0.0)
        let before = Dictionary(
            (old?.queues ?? []).map { ($0.name.text, $0) }, uniquingKeysWith: { one, _ in one })
        for queue in walk.queues {
            let label = Label("queue", queue.name.text)
            let counts = queue.counts
            for (state, count) in [
                ("ready", counts.ready), ("scheduled", counts.scheduled),
                ("leased", counts.leased), ("dead", counts.dead),
            ] {
                jobs.append(Sample([label, Label("state", state)], Double(count)))
            }
            let age = queue.oldestReadyAt.map { max(0, seconds(walk.at - $0)) } ?? 0
            oldest.append(Sample([label], age))
            let held = walk.slots[queue.name.text] ?? StoreWalk.Slots()
            var flow = QueueFlow(
                oldestSeconds: age, ready: counts.ready, leased: counts.leased,
                slots: held.busy + held.idle, busy: held.busy)
            if let old, let then = before[queue.name.text]?.counts {
                let time = seconds(walk.at - old.at)
                if time >= 0.5 {
                    flow.arrivals = Double(max(0, counts.arrived - then.arrived)) / time
                    flow.departures = Double(max(0, counts.ended - then.ended)) / time
                }
            }
            if let time = flow.drainSeconds { drain.append(Sample([label], time)) }
            look.flows[queue.name.text] = flow
            events.waiting += queue.backlog.waiting
            events.dropped += queue.backlog.dropped
            if queue.backlog.waiting > 0, let at = queue.backlog.oldestAt {
                events.lag = max(events.lag, seconds(walk.at - at))
            }
        }
        for (queue, held) in walk.slots.sorted(by: { $0.key < $1.key }) {
            for (state, count) in [
                ("busy", held.busy), ("idle", held.idle), ("quiet", held.quiet),
            ] {
                slots.append(
                    Sample([Label("queue", queue), Label("state", state)], Double(count)))
            }
        }
        var streams: (lag: [Sample], keys: [Sample], late: [Sample]) = ([], [], [])
        for (name, counts) in walk.streams {
            let label = Label("stream", name.text)
            let active = counts.ready + counts.leased + counts.parked + counts.blocked
            streams.lag.append(Sample([label], Double(counts.pending)))
            streams.keys.append(Sample([label], Double(active)))
            streams.late.append(Sample([label], Double(counts.late)))
        }
        look.families += [
            MetricFamily("godwit_jobs", .gauge, jobs),
            MetricFamily("godwit_oldest_ready_seconds", .gauge, oldest),
            MetricFamily("godwit_drain_seconds", .gauge, drain),
            MetricFamily("godwit_slots", .gauge, slots),
            MetricFamily("godwit_events_waiting", .gauge, [Sample([], Double(events.waiting))]),
            MetricFamily("godwit_events_dropped", .counter, [Sample([], Double(events.dropped))]),
            MetricFamily("godwit_history_lag_seconds", .gauge, [Sample([], events.lag)]),
            MetricFamily("godwit_stream_lag", .gauge, streams.lag),
            MetricFamily("godwit_stream_keys_active", .gauge, streams.keys),
            MetricFamily("godwit_stream_late", .counter, streams.late),
        ].filter { !$0.samples.isEmpty }
        return look
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.milliseconds) / 1000
    }
}

extension QueueCounts {
    /// What came in, since the queue was first used.
    fileprivate var arrived: Int { enqueued + redriven }
}

extension QueueFlow {
    /// Until nothing is ready: ready ÷ (out − in). Infinite when more comes in than goes out; nil
    /// before the second look.
    var drainSeconds: Double? {
        if ready == 0 { return 0 }
        guard let arrivals, let departures else { return nil }
        let rate = departures - arrivals
        return rate > 0 ? Double(ready) / rate : .infinity
    }
}
