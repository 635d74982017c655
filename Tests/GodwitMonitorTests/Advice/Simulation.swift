// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor

/// A queue with known truth: Poisson arrivals, any distribution of runs, c slots, first come first served.
///
/// It knows nothing of the adviser: it only counts what a history and a store would have shown.
struct Simulation {
    enum Service {
        case fixed(Double)
        case exponential(Double)
        /// Mean and coefficient of variation.
        case lognormal(Double, Double)

        var mean: Double {
            switch self {
            case .fixed(let mean), .exponential(let mean), .lognormal(let mean, _): mean
            }
        }
    }

    var seed: UInt64
    var slots: Int
    /// Arrivals per second at a time; at most `peak`.
    var rate: (Double) -> Double
    var peak: Double
    var service: Service
    /// Many at once: time and number.
    var burst: (at: Double, jobs: Int)?
    /// The share of runs that fail and come back after so many seconds.
    var retries: (share: Double, after: Double) = (0, 0)
    /// How many a worker holds beyond its slots.
    var prefetch = 0
    var length = 7200.0

    struct Run {
        var ready: Double
        var reserved: Double
        var end: Double
        var isRetry: Bool
    }

    struct Outcome {
        var runs: [Run] = []
        var arrivals: [Double] = []
        /// By minute: ready, busy slots on average since the minute before.
        var minutes: [(at: Double, ready: Int, busy: Double)] = []
        var waiting: [Double] = []
        var held = 0
        var busy = 0
        var end = 0.0
    }

    private struct Random {
        var state: UInt64
        mutating func next() -> Double {  // SplitMix64
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
            return (Double((z ^ z >> 31) >> 11) + 0.5) / Double(1 << 53)
        }
        mutating func exponential(_ mean: Double) -> Double { -mean * logarithm(next()) }
        mutating func normal() -> Double {
            // A sum of twelve uniform numbers: near enough to normal, and needs no cosine.
            (0..<12).reduce(-6.0) { sum, _ in sum + next() }
        }
    }

    private enum Event {
        case ready, end(ready: Double, reserved: Double), minute
    }

    func run() -> Outcome {
        var random = Random(state: seed)
        var outcome = Outcome()
        var heap = EventHeap<Event>()
        var time = 0.0
        while true {  // Thinning: a Poisson process whose rate changes.
            time += random.exponential(1 / peak)
            if time >= length { break }
            if random.next() * peak < rate(time) { heap.push(time, .ready) }
        }
        if let burst { for _ in 0..<burst.jobs { heap.push(burst.at, .ready) } }
        for minute in 1...Int(length / 60) { heap.push(Double(minute) * 60, .minute) }
        var line: [Double] = []
        var first = 0
        var hands: [(ready: Double, reserved: Double)] = []
        var busy = 0
        var area = 0.0
        var last = 0.0
        func draw() -> Double {
            switch service {
            case .fixed(let mean): return mean
            case .exponential(let mean): return random.exponential(mean)
            case .lognormal(let mean, let spread):
                let variance = logarithm(1 + spread * spread)
                return mean * exponent(random.normal() * variance.squareRoot() - variance / 2)
            }
        }
        while let (now, event) = heap.pop(), now <= length {
            area += Double(busy) * (now - last)
            last = now
            switch event {
            case .ready:
                outcome.arrivals.append(now)
                line.append(now)
            case .end(let ready, let reserved):
                busy -= 1
                let fails = retries.share > 0 && random.next() < retries.share
                if fails { heap.push(now + retries.after, .ready) }
                outcome.runs.append(
                    Run(ready: ready, reserved: reserved, end: now, isRetry: fails))
            case .minute:
                outcome.minutes.append((now, line.count - first, area / 60))
                area = 0
            }
            while first < line.count, busy + hands.count < slots + prefetch {
                hands.append((line[first], now))
                first += 1
            }
            while busy < slots, !hands.isEmpty {
                let job = hands.removeFirst()
                busy += 1
                heap.push(now + draw(), .end(ready: job.ready, reserved: job.reserved))
            }
        }
        outcome.waiting = Array(line[first...])
        outcome.busy = busy
        outcome.held = busy + hands.count
        outcome.end = length
        return outcome
    }
}

extension Simulation.Outcome {
    func pane(_ span: Double, slots: Int, kind: String = "job") -> QueuePane {
        let from = end - span
        let ended = runs.filter { $0.end > from }
        let times = ended.map { $0.end - $0.reserved }.sorted()
        let looks = minutes.filter { $0.at > from }
        let count = Double(max(1, ended.count))
        let wait = ended.reduce(0) { $0 + ($1.reserved - $1.ready) } / count
        let run = times.reduce(0, +) / count
        let p95 = times.isEmpty ? 0 : times[times.count * 95 / 100]
        let retried = ended.count { $0.isRetry }
        return QueuePane(
            span: span, arrivals: arrivals.count { $0 > from }, runs: ended.count,
            retries: retried, failures: retried, meanWait: wait, meanRun: run, p95Run: p95,
            slots: Double(slots),
            busySlots: looks.reduce(0) { $0 + $1.busy } / Double(max(1, looks.count)),
            leastReady: looks.map(\.ready).min(),
            kinds: [.init(kind: kind, runs: ended.count, meanWait: wait, meanRun: run, p95Run: p95)]
        )
    }

    func panes(slots: Int, kind: String = "job") -> QueuePanes {
        QueuePanes(
            short: pane(300, slots: slots, kind: kind), long: pane(3600, slots: slots, kind: kind))
    }
}

/// Earliest first; of the same time, as they came.
struct EventHeap<Element> {
    private var nodes: [(time: Double, order: Int, element: Element)] = []
    private var count = 0

    mutating func push(_ time: Double, _ element: Element) {
        nodes.append((time, count, element))
        count += 1
        var place = nodes.count - 1
        while place > 0, isBefore(place, (place - 1) / 2) {
            nodes.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func pop() -> (Double, Element)? {
        guard let top = nodes.first else { return nil }
        nodes.swapAt(0, nodes.count - 1)
        nodes.removeLast()
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2] where child < nodes.count {
                if isBefore(child, least) { least = child }
            }
            if least == place { break }
            nodes.swapAt(place, least)
            place = least
        }
        return (top.time, top.element)
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (nodes[left].time, nodes[left].order) < (nodes[right].time, nodes[right].order)
    }
}
