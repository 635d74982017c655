// SPDX-License-Identifier: Apache-2.0
import Foundation

/// How much of a piece sounded at each pitch, in steps of 10 cent over eight octaves from C1.
///
/// The peaks of each spectrum are placed between the bins of the transform by the parabola through
/// the logarithms of three of them (J. O. Smith, *Spectral Audio Signal Processing*, 2011). They are
/// kept at this fine step because the tuning of a piece is known only at its end; the harmonic pitch
/// class profile (E. Gómez, *Tonal Description of Music Audio Signals*, 2006) is folded out of it then.
package struct PitchHistogram: Sendable {
    package static let stepsPerSemitone = 10
    package static let octaves = 8
    /// C1 where A4 is 440 Hz.
    package static let lowest = 32.703_195_662_574_83

    /// By 10 cent from C1 upwards.
    package private(set) var weights: [Double]
    /// Spectra that held any sound.
    package private(set) var frames = 0
    /// The mean share of a spectrum's power, within the range that is looked at, that lies in peaks.
    package var tonalShare: Double { frames == 0 ? 0 : share / Double(frames) }

    private var share = 0.0
    private let step: Double
    /// The power at the peak of a sine of −90 dBFS.
    private let silence: Float
    private let range: Range<Int>
    private var logarithms: [Double]
    private var peaks: [(frequency: Double, weight: Double)] = []

    /// For power spectra of `length` samples taken `rate` times a second.
    package init(rate: Double, length: Int) {
        weights = [Double](repeating: 0, count: Self.octaves * 12 * Self.stepsPerSemitone)
        step = rate / Double(length)
        silence = Float(pow(Double(length) / 4 * 3.162e-5, 2))
        let first = max(2, Int(55 / step))
        let last = min(length / 2 - 2, Int(min(3500, 0.42 * rate) / step))
        range = first..<max(first, last)
        logarithms = [Double](repeating: 0, count: length / 2 + 2)
    }

    /// Adds one spectrum's peaks; every spectrum counts by its loudness, softened.
    package mutating func add(_ power: UnsafeBufferPointer<Float>) {
        var (top, total): (Float, Float) = (0, 0)
        for bin in range {
            top = max(top, power[bin])
            total += power[bin]
        }
        guard top > silence, total.isFinite, top > 1e-9 * around(power) else { return }
        frames += 1
        // Why: an exact zero has no logarithm, and below this nothing is heard beside the peak.
        let least = top * 1e-7
        for bin in power.indices {
            logarithms[bin + 1] = logarithms[bin] + Double(log(power[bin] + least))
        }
        peaks.removeAll(keepingCapacity: true)
        var (sum, inPeaks) = (0.0, Float(0))
        for bin in range where power[bin] > power[bin - 1] && power[bin] >= power[bin + 1] {
            guard power[bin] > 1e-4 * top, stands(bin, power) else { continue }
            let weight = pow(Double(power[bin]), Self.hearing)
            peaks.append((frequency(of: bin, power), weight))
            sum += weight
            inPeaks += power[bin - 1] + power[bin] + power[bin + 1]
        }
        guard sum > 0 else { return }
        share += min(1, Double(inPeaks / total))
        let scale = pow(sum, -0.7)
        for peak in peaks { place(peak.frequency, peak.weight * scale) }
    }

    /// The exponent over the power: between the magnitude (0.5) and the power itself.
    private static let hearing = 0.7

    /// Whether a peak is 12 dB over the geometric mean around it, which for noise happens to one bin
    /// of ten thousand, while in a sound of partials that mean lies far down between them.
    private func stands(_ bin: Int, _ power: UnsafeBufferPointer<Float>) -> Bool {
        let arm = max(24, bin / 4)
        let (from, to) = (max(0, bin - arm), min(power.count, bin + arm + 1))
        let mean = (logarithms[to] - logarithms[from]) / Double(to - from)
        return Double(log(power[bin])) > mean + 2.772_588_722
    }

    /// The strongest of the bins beneath the range: under a large offset the rest is rounding.
    private func around(_ power: UnsafeBufferPointer<Float>) -> Float {
        power[..<range.lowerBound].max() ?? 0
    }

    private func frequency(of bin: Int, _ power: UnsafeBufferPointer<Float>) -> Double {
        let (below, at, above) = (
            Double(log(power[bin - 1] + .leastNormalMagnitude)), Double(log(power[bin])),
            Double(log(power[bin + 1] + .leastNormalMagnitude))
        )
        let bow = below - 2 * at + above
        let shift = bow < 0 ? max(-0.5, min(0.5, 0.5 * (below - above) / bow)) : 0
        return (Double(bin) + shift) * step
    }

    private mutating func place(_ frequency: Double, _ weight: Double) {
        let position = log2(frequency / Self.lowest) * Double(12 * Self.stepsPerSemitone)
        let bin = Int(position.rounded(.down))
        guard bin >= 0, bin + 1 < weights.count else { return }
        let part = position - Double(bin)
        weights[bin] += weight * (1 - part)
        weights[bin + 1] += weight * part
    }
}
