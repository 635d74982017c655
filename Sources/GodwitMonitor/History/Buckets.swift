// SPDX-License-Identifier: Apache-2.0
import Histogram

/// Durations in milliseconds, counted in the buckets of an HDR histogram with two significant digits.
///
/// Merging adds counts, so that any range gives its percentiles within 1 % (a bucket is at most 1/128
/// of its values wide, and its middle stands for them). Percentiles are by nearest rank.
/// <http://hdrhistogram.org>
struct Buckets {
    /// 99 days; longer ones count as that in percentiles.
    static let limit: UInt64 = 1 << 33

    // Why the whole range at once, 27 KB: a histogram that grows took half of the archiver's time.
    private var histogram = Histogram<UInt64>(
        highestTrackableValue: limit, numberOfSignificantValueDigits: .two)

    init() {}

    var count: UInt64 { histogram.totalCount }

    mutating func add(_ milliseconds: Int64, count: UInt64 = 1) {
        histogram.record(min(UInt64(max(0, milliseconds)), Self.limit), count: count)
    }

    /// The spread of what was added; mean and maximum are known exactly by those who count them.
    func spread(mean: Double, max: Double) -> Spread {
        let total = histogram.totalCount
        guard total > 0 else { return Spread() }
        var ranks = [50, 95, 99].map { (UInt64($0) * total + 99) / 100 }[...]
        var values: [Double] = []
        for bucket in histogram.recordedValues() {
            while let rank = ranks.first, bucket.totalCountToThisValue >= rank {
                let low = histogram.lowestEquivalentForValue(bucket.value)
                let high = histogram.highestEquivalentForValue(bucket.value)
                values.append(min(max, Double(low + high) / 2))
                ranks.removeFirst()
            }
            if ranks.isEmpty { break }
        }
        return Spread(
            count: Int(clamping: total), mean: mean, p50: values[0], p95: values[1],
            p99: values[2], max: max)
    }

    // MARK: On disk

    // Pairs of LEB128 numbers: how far the bucket's lowest value is from the one before, and its
    // count. Buckets without a count take nothing.

    var sparse: [UInt8] {
        var bytes: [UInt8] = []
        var last: UInt64 = 0
        for bucket in histogram.recordedValues() {
            let value = histogram.lowestEquivalentForValue(bucket.value)
            Self.append(value - last, to: &bytes)
            Self.append(bucket.count, to: &bytes)
            last = value
        }
        return bytes
    }

    /// Adds what ``sparse`` wrote; false when the bytes are none of its.
    mutating func add(sparse bytes: UnsafeRawBufferPointer) -> Bool {
        var place = 0
        var value: UInt64 = 0
        while place < bytes.count {
            guard let step = Self.number(bytes, &place), let count = Self.number(bytes, &place),
                step <= Self.limit, value + step <= Self.limit, count < 1 << 62
            else { return false }
            value += step
            histogram.record(value, count: count)
        }
        return true
    }

    static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    static func number(_ bytes: UnsafeRawBufferPointer, _ place: inout Int) -> UInt64? {
        var number: UInt64 = 0
        var shift: UInt64 = 0
        while place < bytes.count, shift < 63 {
            let byte = bytes[place]
            place += 1
            number |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return number }
            shift += 7
        }
        return nil
    }
}
