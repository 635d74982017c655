// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Mixes frames of any number of channels into one and lowers its rate by a whole factor.
///
/// A windowed-sinc low pass (Blackman, 16 taps for each unit of the factor) is computed at the kept
/// samples only. What comes out depends on the samples alone, never on the pieces that they came in.
package struct Decimator: Sendable {
    /// The rate that leaves, and how many samples that enter make one that leaves.
    package let rate: Double
    package let factor: Int
    private let channels: Int
    private let gains: [Float]
    private let taps: [Float]
    private var waiting: [Float] = []

    /// Lowers to the smallest rate from `least` on that a whole factor reaches.
    package init(format: AudioFormat, least: Double) {
        let entering = Double(max(format.sampleRate, 1))
        factor = max(1, Int(entering / least))
        rate = entering / Double(factor)
        channels = max(format.channels, 1)
        // Why: with equal gains a stereo file whose channels are opposite would fall silent.
        gains = (0..<channels).map { [channels] in
            (1 - 0.2 * Float($0) / Float(channels)) / Float(channels)
        }
        taps = factor == 1 ? [1] : Self.lowPass(factor)
        waiting.reserveCapacity(taps.count + 4096)
    }

    /// Takes interleaved frames and appends each sample of the lower rate to `lower`, in order.
    package mutating func add(_ samples: Span<Float>, to lower: inout [Float]) {
        let frames = samples.count / channels
        guard factor > 1 else {
            for frame in 0..<frames { lower.append(mixed(samples, frame * channels)) }
            return
        }
        for frame in 0..<frames { waiting.append(mixed(samples, frame * channels)) }
        guard waiting.count >= taps.count else { return }
        let ready = (waiting.count - taps.count) / factor + 1
        waiting.withUnsafeBufferPointer { waiting in
            taps.withUnsafeBufferPointer { taps in
                for index in 0..<ready {
                    lower.append(Self.product(waiting, index * factor, taps))
                }
            }
        }
        waiting.removeFirst(ready * factor)
    }

    /// One frame's sum; what is no number counts as silence, what is beyond all scales as loud.
    @inline(__always)
    private func mixed(_ samples: Span<Float>, _ start: Int) -> Float {
        var sum: Float = 0
        for channel in 0..<channels {
            let sample = samples[start + channel]
            if sample.magnitude <= 16 {
                sum += sample * gains[channel]
            } else if sample.isFinite {
                sum += (sample < 0 ? -16 : 16) * gains[channel]
            }
        }
        return sum
    }

    /// The taps' count is a multiple of eight.
    private static func product(
        _ samples: UnsafeBufferPointer<Float>, _ start: Int, _ taps: UnsafeBufferPointer<Float>
    ) -> Float {
        var sums = SIMD8<Float>.zero
        for tap in stride(from: 0, to: taps.count, by: 8) {
            var (a, b) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
            for lane in 0..<8 {
                a[lane] = samples[start + tap + lane]
                b[lane] = taps[tap + lane]
            }
            sums += a * b
        }
        return sums.sum()
    }

    /// Passes up to 0.4 and stops from 0.6 of the lower rate on, −74 dB.
    private static func lowPass(_ factor: Int) -> [Float] {
        let count = 16 * factor
        let taps = (0..<count).map { index in
            let x = (Double(index) + 0.5 - Double(count) / 2) / Double(factor)
            let sinc = sin(Double.pi * x * 0.9) / (Double.pi * x * 0.9)
            let turn = 2 * Double.pi * (Double(index) + 0.5) / Double(count)
            return sinc * (0.42 - 0.5 * cos(turn) + 0.08 * cos(2 * turn))
        }
        let sum = taps.reduce(0, +)
        return taps.map { Float($0 / sum) }
    }
}
