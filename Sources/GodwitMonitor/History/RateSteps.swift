// SPDX-License-Identifier: Apache-2.0
import Godwit

/// The steps of a rate, from the range's beginning on, and what answers which part of the range.
struct RateSteps: Sendable {
    let span: HistorySpan
    let step: Int64

    init(_ span: HistorySpan, _ step: Duration, at location: String) throws(HistoryError) {
        self.span = span
        self.step = step.milliseconds
        guard self.step > 0, span.length <= 0 || (span.length - 1) / self.step < HistoryBounds.steps
        else {
            throw .invalid(
                .init(
                    what: "read the rate", location: location,
                    cause: "a range of \(span.length) ms in steps of \(step)",
                    advice:
                        "Ask for 1 to \(HistoryBounds.steps) steps: longer ones, or a shorter range."
                ))
        }
    }

    /// All steps, without runs.
    var zeros: [RunRate] {
        guard !span.isEmpty else { return [] }
        return stride(from: span.from, to: span.to, by: Int(step)).map {
            RunRate(at: Timestamp(milliseconds: $0), runs: 0, failures: 0)
        }
    }

    func index(_ milliseconds: Int64) -> Int {
        Int((min(max(milliseconds, span.from), span.to - 1) - span.from) / step)
    }

    /// Whole hours and minutes, where the steps begin and end with them; the rest from rows.
    var parts: (hours: HistorySpan, minutes: [HistorySpan], rows: [HistorySpan]) {
        let none = HistorySpan(0, 0)
        let fits = { (unit: Int64) in span.from % unit == 0 && step % unit == 0 }
        if fits(HistorySpan.hour) {
            let hours = span.cut(by: HistorySpan.hour)
            let minutes = hours.behind.cut(by: HistorySpan.minute)
            if hours.inside.isEmpty {
                let whole = span.cut(by: HistorySpan.minute)
                return (none, [whole.inside], [whole.before, whole.behind])
            }
            return (hours.inside, [minutes.inside], [minutes.before, minutes.behind])
        }
        if fits(HistorySpan.minute) {
            let minutes = span.cut(by: HistorySpan.minute)
            return (none, [minutes.inside], [minutes.before, minutes.behind])
        }
        return (none, [], [span])
    }
}

extension Spread {
    /// Of all durations themselves; percentiles by nearest rank.
    init(exactly values: [Int64]) {
        self.init()
        guard !values.isEmpty else { return }
        let sorted = values.sorted()
        func at(_ percent: Int) -> Double {
            Double(sorted[Swift.max(1, (percent * sorted.count + 99) / 100) - 1])
        }
        let sum = sorted.reduce(0.0) { $0 + Double($1) }
        self.init(
            count: sorted.count, mean: sum / Double(sorted.count), p50: at(50), p95: at(95),
            p99: at(99), max: Double(sorted[sorted.count - 1]))
    }
}
