// SPDX-License-Identifier: Apache-2.0
import Foundation

extension PitchHistogram {
    /// How far the piece is from A4 = 440 Hz: −50 to 50 cent, and how well its pitches agree on that, 0 to 1.
    ///
    /// The mean direction of all deviations, a semitone being the whole circle. From C2 on, because
    /// lower peaks lie too close to the transform's resolution.
    package var tuning: (cents: Double, agreement: Double) {
        var (x, y, sum) = (0.0, 0.0, 0.0)
        for bin in 12 * Self.stepsPerSemitone..<weights.count {
            let angle = 2 * Double.pi * Double(bin) / Double(Self.stepsPerSemitone)
            x += weights[bin] * cos(angle)
            y += weights[bin] * sin(angle)
            sum += weights[bin]
        }
        guard sum > 0 else { return (0, 0) }
        // Why: choirs and organs agree on little; then what most music is tuned to is the better guess.
        return (
            atan2(y, x + 0.1 * sum) / (2 * Double.pi) * 100, (x * x + y * y).squareRoot() / sum
        )
    }

    /// The weight of each pitch class from C on, after the whole was turned by the tuning.
    ///
    /// What lies between two semitones counts less the farther from both it is (squared cosine).
    package func classes(tuning cents: Double) -> [Double] {
        var classes = [Double](repeating: 0, count: 12)
        for (bin, weight) in weights.enumerated() where weight > 0 {
            let pitch = (Double(bin) - cents / 10) / Double(Self.stepsPerSemitone)
            let near = pitch.rounded()
            let share = cos(Double.pi * (pitch - near))
            classes[(Int(near) + 12) % 12] += weight * share * share
        }
        return classes
    }
}
