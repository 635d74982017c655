// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

/// What libebur128 1.2.6 says of three programmes that anybody can make again.
///
/// Figures from scripts/libebur128_meter.c; the range is `range_100ms` of it. Its high-pass is not scaled with
/// the rate (see `Biquad.moved(to:)`), so its levels lie higher or lower: by `offset`, which the
/// published coefficients give. The true peak is the greatest of a fourfold interpolation of the whole by FFT.
@Suite struct `Loudness beside libebur128` {
    struct Golden: Sendable {
        var rate: Int
        var channels: Int
        var integrated: Double
        var range: Double
        var truePeak: Double
        var momentaryMax: Double
        var shortTermMax: Double
    }

    @Test(arguments: [
        Golden(
            rate: 44_100, channels: 2, integrated: -14.024234, range: 2.094948,
            truePeak: -4.9988, momentaryMax: -9.709792, shortTermMax: -14.407106),
        Golden(
            rate: 48_000, channels: 6, integrated: -9.632496, range: 1.213042,
            truePeak: -5.0583, momentaryMax: -5.406627, shortTermMax: -10.100858),
        Golden(
            rate: 96_000, channels: 2, integrated: -14.876605, range: 0.904238,
            truePeak: -4.9988, momentaryMax: -12.490906, shortTermMax: -14.544032),
    ])
    func `agrees on noise with steps of level`(_ golden: Golden) {
        let found = loudness(
            Self.steps(frames: golden.rate * 30, channels: golden.channels), rate: golden.rate,
            channels: golden.channels)
        let offset = 20 * log10(Self.gain(golden.rate) / Self.gain(48_000))
        #expect(found.integrated.isNear(golden.integrated - offset, 0.003))
        #expect(found.range.isNear(golden.range, 0.02))
        // Noise up to half the rate is the hardest there is; libebur128 reads 0.13 to 0.21 dB high.
        #expect(found.truePeak.isNear(golden.truePeak, 0.12))
        #expect(found.momentaryMax.isNear(golden.momentaryMax - offset, 0.003))
        #expect(found.shortTermMax.isNear(golden.shortTermMax - offset, 0.003))
    }

    /// x ← (1103515245·x + 12345) mod 2³¹, its upper 16 bits as a sample, every half second another power of two.
    static func steps(frames: Int, channels: Int) -> [Float] {
        var x: UInt32 = 0
        var last = [Float](repeating: 0, count: channels)
        var samples: [Float] = []
        samples.reserveCapacity(frames * channels)
        for frame in 0..<frames {
            let gain = Float(sign: .plus, exponent: -(1 + frame / 11_025 * 5 % 7), significand: 1)
            for channel in 0..<channels {
                x = (x &* 1_103_515_245 &+ 12_345) & 0x7fff_ffff
                let white = Float(Int((x >> 15) & 0xffff) - 32_768) / 32_768
                // A mean of neighbours: noise that falls off toward half the rate, as music does.
                samples.append(gain * (white + last[channel]) / 2)
                last[channel] = white
            }
        }
        return samples
    }

    /// 1 + K/Q + K² of the high-pass at a rate: what the numerator 1, −2, 1 has too much.
    private static func gain(_ rate: Int) -> Double {
        let k = tan(.pi * 38.135_470_876_024_44 / Double(rate))
        return 1 + k / 0.500_327_037_323_877_3 + k * k
    }
}
