// SPDX-License-Identifier: Apache-2.0
import Histogram

/// Lengths of time, kept to three digits (HdrHistogram, Tene 2014).
struct Percentiles: Sendable {
    private var histogram = Histogram<UInt32>(numberOfSignificantValueDigits: .three)

    /// Adds a length in nanoseconds.
    mutating func record(_ nanoseconds: UInt64) { histogram.record(nanoseconds / 1000 + 1) }

    var isEmpty: Bool { histogram.totalCount == 0 }

    /// In milliseconds; nil when nothing was recorded.
    func milliseconds(at percentile: Double) -> Double? {
        isEmpty ? nil : (Double(histogram.valueAtPercentile(percentile)) / 1000).rounded(to: 3)
    }

    /// In microseconds; nil when nothing was recorded.
    func microseconds(at percentile: Double) -> Double? {
        isEmpty ? nil : Double(histogram.valueAtPercentile(percentile))
    }
}

extension Double {
    func rounded(to digits: Int) -> Double {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        return (self * scale).rounded() / scale
    }
}
