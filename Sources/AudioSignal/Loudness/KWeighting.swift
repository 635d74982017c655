// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A filter of second order, its a0 made 1.
struct Biquad: Sendable, Equatable {
    var b0: Double
    var b1: Double
    var b2: Double
    var a1: Double
    var a2: Double

    /// ITU-R BS.1770-5, Annex 1, Table 1, for 48 kHz: a high shelf of +4 dB, the head in the sound field.
    static let shelf48k = Biquad(
        b0: 1.535_124_859_586_97, b1: -2.691_696_189_406_38, b2: 1.198_392_810_852_85,
        a1: -1.690_659_293_182_41, a2: 0.732_480_774_215_85)
    /// Annex 1, Table 2, for 48 kHz: a high-pass near 38 Hz, the revised low-frequency B curve.
    static let highPass48k = Biquad(
        b0: 1, b1: -2, b2: 1, a1: -1.990_047_454_833_98, a2: 0.990_072_250_366_21)
    static let identity = Biquad(b0: 1, b1: 0, b2: 0, a1: 0, a2: 0)

    /// This filter of 48 kHz for another rate, with the frequency response that the standard asks for.
    ///
    /// The published numbers are taken back through the bilinear transform to the analogue prototype
    /// (Vh·s² + Vb·s/Q + Vl) / (s² + s/Q + 1) around its corner, and from there forward at `rate`, the
    /// corner prewarped (Mansbridge, Finn, Reiss, AES 132, 2012; De Man, AES 145, 2018). So 48 kHz gives
    /// the published numbers again, and the prototype's gain, 1.005 for the high-pass, is kept at
    /// every rate; programs that keep the numerator 1, −2, 1 instead stray by 0.004 dB at 44.1 kHz and
    /// 0.02 dB at 96 kHz.
    ///
    /// A corner too near half the rate cannot be had: such a filter passes everything. That is the
    /// shelf below 3,738 Hz and the high-pass below 85 Hz, rates at which nobody judges loudness.
    func moved(to rate: Double) -> Biquad {
        let (ends, sums) = (1 - a1 + a2, 1 + a1 + a2)
        let k48 = (sums / ends).squareRoot()
        let corner = atan(k48) / .pi * 48000
        guard corner < 0.45 * rate else { return .identity }
        let (high, low, band) = ((b0 - b1 + b2) / ends, (b0 + b1 + b2) / sums, (b0 - b2) / (1 - a2))
        let k = tan(.pi * corner / rate)
        let damping = 2 * (1 - a2) / ends / k48 * k  // k / Q
        let a0 = 1 + damping + k * k
        return Biquad(
            b0: (high + band * damping + low * k * k) / a0,
            b1: 2 * (low * k * k - high) / a0,
            b2: (high - band * damping + low * k * k) / a0,
            a1: 2 * (k * k - 1) / a0,
            a2: (1 - damping + k * k) / a0)
    }
}

/// K-weighting: the shelf, then the high-pass, in double precision.
struct KWeighting: Sendable {
    let shelf: Biquad
    let highPass: Biquad

    init(rate: Int) {
        shelf = Biquad.shelf48k.moved(to: Double(rate))
        highPass = Biquad.highPass48k.moved(to: Double(rate))
    }

    /// What two channels remember from frame to frame, one to a lane, and the energy they gathered.
    struct State: Sendable {
        var shelf1 = SIMD2<Double>()
        var shelf2 = SIMD2<Double>()
        var high1 = SIMD2<Double>()
        var high2 = SIMD2<Double>()
        /// The sum of the squares of the weighted samples since it was last taken.
        var energy = SIMD2<Double>()

        /// Takes the energy gathered, and lets a memory that has faded below −600 dB end in true zero:
        /// it would else walk through denormal numbers for ever, which processors do slowly.
        mutating func takeEnergy() -> SIMD2<Double> {
            let all = abs(shelf1) + abs(shelf2) + abs(high1) + abs(high2)
            let faded = all .< SIMD2(repeating: 1e-30)
            shelf1.replace(with: 0, where: faded)
            shelf2.replace(with: 0, where: faded)
            high1.replace(with: 0, where: faded)
            high2.replace(with: 0, where: faded)
            defer { energy = SIMD2() }
            return energy
        }

        private func abs(_ x: SIMD2<Double>) -> SIMD2<Double> {
            x.replacing(with: -x, where: x .< 0)
        }
    }

    /// Filters two channels (or one twice) and adds up their energy, frame after frame in one order, so
    /// that it does not matter how the frames were cut into calls.
    ///
    /// Transposed direct form II: of the forms it has the shortest way from one frame to the next,
    /// and that way, not the arithmetic, is what this loop costs.
    @inline(__always)
    func run(
        _ one: UnsafePointer<Float>, _ two: UnsafePointer<Float>, frames: Int, _ state: inout State
    ) {
        let (b0, b1, b2) = (
            SIMD2(repeating: shelf.b0), SIMD2(repeating: shelf.b1), SIMD2(repeating: shelf.b2)
        )
        let (a1, a2) = (SIMD2(repeating: shelf.a1), SIMD2(repeating: shelf.a2))
        let (d0, d1, d2) = (
            SIMD2(repeating: highPass.b0), SIMD2(repeating: highPass.b1),
            SIMD2(repeating: highPass.b2)
        )
        let (c1, c2) = (SIMD2(repeating: highPass.a1), SIMD2(repeating: highPass.a2))
        var (s1, s2, t1, t2) = (state.shelf1, state.shelf2, state.high1, state.high2)
        var energy = state.energy
        for frame in 0..<frames {
            let x = SIMD2(Double(one[frame]), Double(two[frame]))
            let y = b0 * x + s1
            s1 = (b1 * x + s2) - a1 * y
            s2 = b2 * x - a2 * y
            let z = d0 * y + t1
            t1 = (d1 * y + t2) - c1 * z
            t2 = d2 * y - c2 * z
            energy += z * z
        }
        (state.shelf1, state.shelf2, state.high1, state.high2) = (s1, s2, t1, t2)
        state.energy = energy
    }
}
