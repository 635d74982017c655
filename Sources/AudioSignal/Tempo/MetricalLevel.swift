// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Which of the pulses that a rhythm holds is the one that people call the beat.
///
/// The pulse trains find *a* level: the bar, the half note, the eighth. The octave decision (Percival
/// and Tzanetakis 2014, §II-C, there a support vector machine on three features) weighs all levels that
/// stand in a simple ratio to it. Each is described by how the envelope resembles itself at parts and
/// multiples of its lag, in all registers together and in each (a drum kit says most: low notes return
/// every second beat, middle ones between them), and by where the tempo lies. A linear score, a softmax
/// over the levels: multinomial logistic regression, its weights found by `scripts/tempo_levels.py`.
struct MetricalLevel: Sendable {
    let lag: Double
    /// How likely it is the beat, among the levels it was chosen from: these add up to 1.
    var probability: Double

    /// A level's lag over that of the pulse found.
    static let ratios: [Double] = [0.25, 1.0 / 3, 0.5, 2.0 / 3, 0.75, 1, 4.0 / 3, 1.5, 2, 3, 4]
    /// Where on the curves a level looks, over its own lag.
    static let places: [Double] = [0.25, 1.0 / 3, 0.5, 2.0 / 3, 1, 1.5, 2, 3, 4]
    /// Beats per minute that are weighed.
    static let range = 50.0...250.0

    /// The levels around a pulse, likeliest first.
    static func all(around pulse: Double, _ periodicity: Periodicity) -> [MetricalLevel] {
        let lags = ratios.map { $0 * pulse }.filter { range.contains(60 * periodicity.rate / $0) }
        let scores = lags.map { score($0, periodicity) }
        let best = scores.max() ?? 0
        let odds = scores.map { exp($0 - best) }
        let total = odds.reduce(0, +)
        return zip(lags, odds).map { MetricalLevel(lag: $0, probability: $1 / total) }
            .sorted { $0.probability > $1.probability }
    }

    static func score(_ lag: Double, _ periodicity: Periodicity) -> Double {
        zip(features(lag, periodicity), weights).reduce(0) { $0 + $1.0 * $1.1 }
    }

    /// By register, then by place, the self-likeness there; then how far from 120 BPM, in octaves, and
    /// that squared.
    static func features(_ lag: Double, _ periodicity: Periodicity) -> [Double] {
        let octaves = log2(60 * periodicity.rate / lag / 120)
        return (0..<4).flatMap { register in
            places.map { Double(periodicity.near(lag * $0, register: register)) }
        } + [octaves, octaves * octaves]
    }

    // WEIGHTS
    private static let weights: [Double] = [
        //  1/4    1/3    1/2    2/3      1    3/2      2      3      4 of the lag
        2.38, -5.16, -0.67, -3.18, 4.88, -1.57, 1.35, 5.60, 3.79,  // all registers
        -5.51, -5.69, -4.73, -1.39, -1.27, -1.04, -2.72, 4.35, 5.23,  // low, below 180 Hz
        -0.67, -5.25, -0.84, 1.85, -1.59, -4.29, -0.86, 3.58, 4.22,  // middle, to 2.5 kHz
        0.10, -3.61, 7.30, -5.26, -0.95, -0.79, 10.06, 0.40, 0.05,  // high
        0.79, -1.87,  // octaves from 120 BPM, squared
    ]
}
