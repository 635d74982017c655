// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

@Suite struct `Weights of loudness` {
    /// The magnitude in dB at a frequency, straight from the table of BS.1770-5 for 48 kHz.
    private static func weighting(_ frequency: Double) -> Double {
        func magnitude(_ b: [Double], _ a: [Double]) -> Double {
            let w = 2 * Double.pi * frequency / 48_000
            func squared(_ c: [Double]) -> Double {
                let re = c[0] + c[1] * cos(w) + c[2] * cos(2 * w)
                let im = c[1] * sin(w) + c[2] * sin(2 * w)
                return re * re + im * im
            }
            return 10 * log10(squared(b) / squared(a))
        }
        return magnitude(
            [1.53512485958697, -2.69169618940638, 1.19839281085285],
            [1, -1.69065929318241, 0.73248077421585])
            + magnitude([1, -2, 1], [1, -1.99004745483398, 0.99007225036621])
    }

    @Test(arguments: [48_000, 44_100, 32_000, 69_313, 88_200, 96_000, 192_000, 384_000])
    func `K-weighting is that of the standard at any rate`(_ rate: Int) {
        for frequency in [25.0, 31.5, 40, 63, 100, 250, 500, 997, 1500, 2000, 3000, 4000, 8000] {
            var programme = Programme(rate: rate, channels: 1)
            programme.tone(5, 0, frequency: frequency)
            // By the short-term loudness after the filter has settled.
            let expected = -0.691 - 3.0103 + Self.weighting(frequency)
            let tolerance = rate == 48_000 ? 0.005 : rate < 44_100 ? 0.1 : 0.02
            let found = programme.meter.shortTerm
            #expect(
                found.isNear(expected, tolerance),
                "\(frequency) Hz: \(found ?? .nan), not \(expected)")
        }
    }

    @Test func `997 Hz at full scale in one channel reads −3,01`() {
        for channel in 0..<3 {
            var programme = Programme(rate: 48_000, channels: 3)
            var levels = [Double](repeating: -.infinity, count: 3)
            levels[channel] = 0
            programme.tone(5, levels, frequency: 997)
            #expect(programme.finish().integrated.isNear(-3.01, 0.01))
        }
    }

    @Test(
        arguments: [
            (
                [.left, .right, .centre, .lowFrequency, .backLeft, .backRight],
                [1, 1, 1, 0, 1.41, 1.41]
            ),
            (
                [.left, .right, .centre, .lowFrequency, .sideLeft, .sideRight],
                [1, 1, 1, 0, 1.41, 1.41]
            ),
            (
                [.left, .right, .centre, .backLeft, .backRight, .lowFrequency],
                [1, 1, 1, 1.41, 1.41, 0]
            ),
            ([.left, .right, .lowFrequency], [1, 1, 0]), ([.lowFrequency], [0]),
            ([.left, .right, .other, .sideLeft], [1, 1, 1, 1.41]),
            (
                [
                    .left, .right, .centre, .lowFrequency, .backLeft, .backRight, .sideLeft,
                    .sideRight,
                ],
                [1, 1, 1, 0, 1, 1, 1.41, 1.41]
            ),
        ] as [([AudioFormat.Channel], [Double])])
    func `each channel counts by its place in the layout`(
        _ layout: [AudioFormat.Channel], _ weights: [Double]
    ) {
        expect(weights, of: layout, "\(layout.map(\.rawValue))")
    }

    @Test(arguments: [
        [1], [1, 1], [1, 1, 1], [1, 1, 1.41, 1.41], [1, 1, 1, 1.41, 1.41],
        [1, 1, 1, 0, 1.41, 1.41], [1, 1, 1, 0, 1, 1.41, 1.41], [1, 1, 1, 0, 1, 1, 1.41, 1.41],
        [1, 1, 1, 1, 1, 1, 1, 1, 1],
    ])
    func `without a layout the usual order is meant`(_ weights: [Double]) {
        expect(weights, of: [], "\(weights.count) channels")
        // One that cannot be of this file is none.
        expect(
            weights, of: [AudioFormat.Channel](repeating: .lowFrequency, count: 12), "wrong layout")
    }

    private func expect(_ weights: [Double], of layout: [AudioFormat.Channel], _ comment: String) {
        for (channel, weight) in weights.enumerated() {
            var programme = Programme(rate: 48_000, channels: weights.count, layout: layout)
            var levels = [Double](repeating: -.infinity, count: weights.count)
            levels[channel] = -20
            programme.tone(1, levels, frequency: 997)
            let found = programme.finish()
            // The peak is of any channel.
            #expect(found.truePeak.isPeak(-20))
            if weight == 0 {
                #expect(found.integrated == nil, "\(comment), channel \(channel)")
            } else {
                let expected = -23.01 + 10 * log10(weight)
                #expect(found.integrated.isNear(expected, 0.02), "\(comment), channel \(channel)")
            }
        }
    }
}
