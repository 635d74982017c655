// SPDX-License-Identifier: Apache-2.0
import CoreMetrics
import Synchronization

/// A number that only rises.
final class CounterSeries: CounterHandler, Sendable {
    private let count = Atomic<Int64>(0)

    var value: Int64 { count.load(ordering: .relaxed) }

    func increment(by amount: Int64) {
        // Why: a counter that went down would look like a restart of the process.
        if amount > 0 { count.wrappingAdd(amount, ordering: .relaxed) }
    }

    func reset() { count.store(0, ordering: .relaxed) }
}

/// A number that goes up and down.
final class GaugeSeries: MeterHandler, RecorderHandler, Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func increment(by amount: Double) { change(by: amount) }
    func decrement(by amount: Double) { change(by: -amount) }

    private func change(by amount: Double) {
        guard amount.isFinite else { return }
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let result = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if result.exchanged { return }
            old = result.original
        }
    }
}

/// How often values fell below each of a few bounds, with their sum.
final class HistogramSeries: TimerHandler, RecorderHandler, Sendable {
    struct Reading {
        /// By bucket, not added up; one more than there are bounds.
        var counts: [UInt64]
        var sum: Double
    }

    /// In what is counted: nanoseconds for times, else the value.
    private let bounds: [Double]
    private let scale: Double
    private let state: Mutex<Reading>

    /// `bounds` rise; `scale` is what a bound of 1 is in recorded values (1e9 for seconds).
    init(bounds: [Double], scale: Double) {
        self.bounds = bounds.map { $0 * scale }
        self.scale = scale
        state = Mutex(Reading(counts: Array(repeating: 0, count: bounds.count + 1), sum: 0))
    }

    var reading: Reading {
        var reading = state.withLock { $0 }
        reading.sum /= scale
        return reading
    }

    func recordNanoseconds(_ duration: Int64) { add(Double(max(0, duration))) }
    func record(_ value: Int64) { add(Double(value) * scale) }
    func record(_ value: Double) { if value.isFinite { add(value * scale) } }

    private func add(_ value: Double) {
        var bucket = 0
        // Most are small, and a bucket holds what is at most its bound.
        while bucket < bounds.count, value > bounds[bucket] { bucket += 1 }
        state.withLock { state in
            state.counts[bucket] &+= 1
            state.sum += value
        }
    }
}
