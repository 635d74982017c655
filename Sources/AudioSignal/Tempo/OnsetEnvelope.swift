// SPDX-License-Identifier: Apache-2.0
import Foundation

/// One moment's rise of log power, summed over the bands of each register: low, middle, high, and 0.
package typealias Onset = SIMD4<Float>

/// How strongly something begins at each moment: low, middle and high notes apart.
///
/// Log-power spectral flux (Percival and Tzanetakis 2014, §II-A): sound is cut into frames of about
/// 23 ms, 200 a second; where the logarithm of a band's power has risen, an onset is under way. Bands
/// a quarter octave wide stand in for the paper's single bins, so that noise averages out, and powers
/// are relative to the loudest of the last seconds, so that a quiet recording gives the same curve.
///
/// Fed with mono samples in pieces of any length. Holds one frame, and gives each moment to `onset` once.
struct OnsetEnvelope: Sendable {
    /// Moments per second: near 200, whatever the sample rate.
    let rate: Double
    private let hop: Int
    private let transform: FourierTransform
    private let window: [Float]
    private let bands: [Band]
    /// Samples of the frame that is being filled.
    private var frame: [Float]
    private var filled = 0
    /// Log powers of the last frames, for a rise is measured over `reach` of them.
    private var history: [[Float]]
    private var frames = 0
    private var loudest: Float = 0
    private var power: [Float]
    private var scratch: [Float]

    private struct Band {
        var bins: Range<Int>
        /// 0 low, 1 middle, 2 high.
        var register: Int
    }

    /// 10 ms, about half a frame: shorter, and frames overlap so much that slow attacks look flat.
    private static let reach = 2
    /// Bands 50 dB below the loudest of the last seconds count as silent.
    private static let floor: Float = 1e-5
    /// What no ear hears: −100 dBFS.
    static let silence: Float = 1e-10
    /// Forgets the loudest passage by 1 dB a second.
    private let decay: Float

    init(sampleRate: Double) {
        hop = max(1, Int((sampleRate / 200).rounded()))
        rate = sampleRate / Double(hop)
        var length = 16
        while Double(length) < sampleRate * 0.02 { length *= 2 }
        transform = FourierTransform(length: length)
        // Scaled so that a full-scale sine's power is 1.
        let (turn, scale) = (2 * Double.pi / Double(length), 2 / Double(length))
        window = (0..<length).map { index in
            Float(scale * (1 - cos(turn * (Double(index) + 0.5))))
        }
        frame = Array(repeating: 0, count: length)
        power = Array(repeating: 0, count: length / 2 + 1)
        scratch = frame
        decay = Float(pow(10, -0.1 / rate))

        var bands: [Band] = []
        var low = 1
        let width = sampleRate / Double(length)
        while low < length / 2, Double(low) * width < 11_000 {
            let next = Int((Double(low) * pow(2, 0.25)).rounded())
            let high = min(max(low + 1, next), length / 2)
            let centre = Double(low + high - 1) / 2 * width
            let register = centre < 180 ? 0 : centre < 2_500 ? 1 : 2
            bands.append(Band(bins: low..<high, register: register))
            low = high
        }
        self.bands = bands
        history = Array(
            repeating: Array(repeating: 0, count: bands.count), count: Self.reach)
    }

    /// Takes samples; calls `onset` with the rise of each register and whether anything sounds.
    mutating func add(_ samples: borrowing Span<Float>, onset: (Onset, Bool) -> Void) {
        var index = 0
        while index < samples.count {
            let count = min(samples.count - index, frame.count - filled)
            for offset in 0..<count { frame[filled + offset] = samples[index + offset] }
            (index, filled) = (index + count, filled + count)
            guard filled == frame.count else { return }
            let (rise, sounds) = measure()
            onset(rise, sounds)
            frame.withUnsafeMutableBufferPointer { frame in
                for offset in hop..<frame.count { frame[offset - hop] = frame[offset] }
            }
            filled = frame.count - hop
        }
    }

    private mutating func measure() -> (Onset, Bool) {
        for index in 0..<frame.count { scratch[index] = frame[index] * window[index] }
        scratch.withUnsafeBufferPointer { input in
            power.withUnsafeMutableBufferPointer { transform.power(of: input, into: $0) }
        }
        var total: Float = 0
        for bin in 1..<power.count { total += power[bin] }
        loudest = max(total, loudest * decay)
        var rise = Onset()
        let slot = frames % Self.reach
        let reference = max(loudest, Self.silence)
        for (index, band) in bands.enumerated() {
            var sum: Float = 0
            for bin in band.bins { sum += power[bin] }
            let level = log(Self.floor + sum / reference)
            let step = level - history[slot][index]
            history[slot][index] = level
            if step > 0, frames >= Self.reach { rise[band.register] += step }
        }
        frames += 1
        return (rise, total > Self.silence)
    }
}
