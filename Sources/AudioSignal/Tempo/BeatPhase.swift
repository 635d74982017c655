// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The lag to a few thousandths: a straight line through where the beat lies in each moment.
///
/// Against a clock of the guessed lag, the envelope's beat keeps its phase if the guess is right and
/// drifts evenly if not. The phase is that of the Fourier coefficient at one, two, three and four beats
/// per lag over windows of three seconds; all drifts in proportion, each line with its own offset. Weighted
/// least squares over all of them gives the one slope: what the guess was off by. Swing and patterns
/// move the offsets, not the slope.
struct BeatPhase: Sendable {
    let rate: Double

    func refine(_ lag: Double, _ stretches: [[Float]]) -> Double {
        var lag = lag
        // Fine harmonics turn full circle for a small error, so they join as the guess gets better.
        for harmonics in [1...1, 1...2, 1...4, 1...4] {
            guard let slope = slope(lag, stretches, harmonics) else { return lag }
            // `slope` is in turns per frame: what the frequency 1/lag lacks.
            let frequency = 1 / lag + slope
            guard frequency > 0, abs(slope * lag) < 0.04 else { return lag }
            lag = 1 / frequency
        }
        return lag
    }

    private func slope(_ lag: Double, _ stretches: [[Float]], _ harmonics: ClosedRange<Int>)
        -> Double?
    {
        let width = Int(max(3 * rate, 4 * lag))
        let hop = max(1, width / 4)
        var (above, below) = (0.0, 0.0)
        for stretch in stretches {
            for harmonic in harmonics {
                let (above1, below1) = fit(stretch, lag, Double(harmonic), width, hop)
                above += above1
                below += below1
            }
        }
        return below > 0 ? above / below : nil
    }

    /// The sums of a weighted straight-line fit of one harmonic's phase, in turns of the beat.
    private func fit(
        _ stretch: [Float], _ lag: Double, _ harmonic: Double, _ width: Int, _ hop: Int
    ) -> (Double, Double) {
        let width = min(width, stretch.count / 2)
        guard width > Int(2 * lag) else { return (0, 0) }
        let bell = (0..<width).map {
            0.5 - 0.5 * cos(2 * Double.pi * (Double($0) + 0.5) / Double(width))
        }
        let turn = -2 * Double.pi * harmonic / lag
        var points: [(time: Double, phase: Double, weight: Double)] = []
        var last: Double?
        for start in stride(from: 0, through: stretch.count - width, by: hop) {
            var (re, im) = (0.0, 0.0)
            // A pointer that turns by the same angle at each frame.
            var (c, s) = (cos(turn * Double(start)), sin(turn * Double(start)))
            let (stepC, stepS) = (cos(turn), sin(turn))
            for offset in 0..<width {
                let value = Double(stretch[start + offset]) * bell[offset]
                re += value * c
                im += value * s
                (c, s) = (c * stepC - s * stepS, c * stepS + s * stepC)
            }
            let magnitude = (re * re + im * im).squareRoot()
            guard magnitude > 0 else { continue }
            var phase = atan2(im, re) / (2 * .pi)
            if let last { phase -= (phase - last).rounded() }
            last = phase
            points.append((Double(start) + Double(width) / 2, phase, magnitude))
        }
        let weight = points.reduce(0) { $0 + $1.weight }
        guard points.count > 1, weight > 0 else { return (0, 0) }
        let time = points.reduce(0) { $0 + $1.time * $1.weight } / weight
        let phase = points.reduce(0) { $0 + $1.phase * $1.weight } / weight
        var (above, below) = (0.0, 0.0)
        for point in points {
            above += point.weight * harmonic * (point.time - time) * (point.phase - phase)
            below += point.weight * harmonic * harmonic * (point.time - time) * (point.time - time)
        }
        return (above, below)
    }
}
