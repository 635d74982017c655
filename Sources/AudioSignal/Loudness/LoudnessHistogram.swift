// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Loudness as ITU-R BS.1770-5 measures it, from the weighted mean square and back.
enum LUFS {
    /// Nil for no energy at all.
    static func of(energy: Double) -> Double? {
        energy > 0 ? -0.691 + 10 * log10(energy) : nil
    }

    static func energy(_ loudness: Double) -> Double { pow(10, (loudness + 0.691) / 10) }
}

/// The loudness of many blocks, in the room of a few: 160 KB, however long the programme is.
///
/// Counts blocks in bins of 0.01 LU from the absolute gate on, and keeps the exact sum of energy of each
/// bin. So a mean over whole bins is exact; a gate that falls inside a bin takes or leaves that bin as
/// a whole (by its mean), and a percentile is the mean of its bin: off by less than 0.01 LU.
struct LoudnessHistogram: Sendable {
    private static let gate = -70.0
    private static let binsPerLU = 100.0
    private static let gateEnergy = LUFS.energy(gate)

    /// From −70 to +30 LUFS; the last one takes all that is louder.
    private var counts = [Int](repeating: 0, count: 10_000)
    private var sums = [Double](repeating: 0, count: 10_000)

    /// Counts a block, unless it is under the gate of −70 LUFS.
    mutating func add(energy: Double) {
        guard energy > Self.gateEnergy, let loudness = LUFS.of(energy: energy) else { return }
        let bin = min(counts.count - 1, max(0, Int((loudness - Self.gate) * Self.binsPerLU)))
        counts[bin] += 1
        sums[bin] += energy
    }

    /// The loudness of all blocks above a gate of `relative` LU under the mean of all; nil without a block.
    func gatedMean(relative: Double) -> Double? {
        guard let first = firstBin(relative: relative) else { return nil }
        return LUFS.of(energy: mean(from: first))
    }

    /// The spread in LU between two percentiles (0 to 1) of the blocks above the relative gate; by
    /// nearest rank, as in EBU Tech 3342. Nil without a block.
    func spread(relative: Double, from low: Double, to high: Double) -> Double? {
        guard let first = firstBin(relative: relative) else { return nil }
        let blocks = counts[first...].reduce(0, +)
        func level(_ part: Double) -> Double? {
            var rank = Int(Double(blocks - 1) * part + 0.5)
            for bin in first..<counts.count {
                if rank < counts[bin] { return LUFS.of(energy: sums[bin] / Double(counts[bin])) }
                rank -= counts[bin]
            }
            return nil
        }
        guard let bottom = level(low), let top = level(high) else { return nil }
        return top - bottom
    }

    /// The first bin above the relative gate that holds a block.
    private func firstBin(relative: Double) -> Int? {
        guard counts.contains(where: { $0 > 0 }) else { return nil }
        let gate = mean(from: 0) * pow(10, relative / 10)
        return counts.indices.first { counts[$0] > 0 && sums[$0] / Double(counts[$0]) > gate }
    }

    private func mean(from first: Int) -> Double {
        sums[first...].reduce(0, +) / Double(counts[first...].reduce(0, +))
    }
}
