// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

/// EBU Tech 3341 v4, signals 15 to 23, tolerance +0.2/−0.4 dB. They are made of parts of the rate.
@Suite struct `True peak` {
    @Test(
        arguments: Programme.rates,
        [
            (part: 4.0, phase: 0.0, amplitude: 0.5, peak: -6.0), (4, 45, 0.5, -6),
            (6, 60, 0.5, -6), (8, 67.5, 0.5, -6), (4, 45, 1.41, 3),
        ])
    func `15 to 19: a sine whose crest lies between the samples`(
        _ rate: Int, _ signal: (part: Double, phase: Double, amplitude: Double, peak: Double)
    ) {
        let count = Int(3.2 * Double(rate))
        let fade = Double(rate) / 100
        var programme = Programme(rate: rate, truePeak: true)
        programme.play(count) { frame, _ in
            let ends = min(1, Double(frame) / fade, Double(count - 1 - frame) / fade)
            let angle = 2 * Double.pi * (Double(frame) / signal.part + signal.phase / 360)
            return Float(ends * signal.amplitude * sin(angle))
        }
        let found = programme.finish().truePeak
        #expect(found.isPeak(signal.peak), "\(found ?? .nan)")
    }

    @Test(arguments: Programme.rates, 0..<4)
    func `20 to 23: a single period of full scale, at each offset of decimation`(
        _ rate: Int, _ offset: Int
    ) {
        let samples = Self.burst(offset: offset)
        var programme = Programme(rate: rate, truePeak: true)
        programme.play(samples.count) { frame, _ in samples[frame] }
        let found = programme.finish().truePeak
        #expect(found.isPeak(0), "\(found ?? .nan)")
    }

    @Test func `from 192 kHz on the greatest sample is the peak`() {
        let samples = (0..<19_200).map { Float(0.5 * sin(.pi / 2 * Double($0) + .pi / 4)) }
        #expect(loudness(samples, rate: 192_000).truePeak.isNear(-9.03, 0.01))
        #expect(loudness(samples, rate: 176_400).truePeak.isPeak(-6.02))
    }

    @Test func `a peak between the last samples is found, and one between the first`() {
        // The crest of a quarter-rate sine at 45° stands between two equal samples.
        #expect(loudness([0.5, 0.5]).truePeak.isNear(20 * log10(0.5 * 1.2732), 0.3))
        let tail = [Float](repeating: 0, count: 1000)
        #expect(loudness(tail + [0.5, 0.5]).truePeak == loudness([0.5, 0.5] + tail).truePeak)
    }

    @Test func `a crest between two pieces is found`() {
        let samples: [Float] = (0..<400).map { 199...200 ~= $0 ? 0.5 : 0 }
        let whole = loudness(samples).truePeak
        for cut in 170..<230 {
            var meter = LoudnessMeter(
                format: AudioFormat(sampleRate: 48_000, channels: 1, samples: .float))
            meter.add(Array(samples[..<cut]).span)
            meter.add(Array(samples[cut...]).span)
            #expect(meter.finish().truePeak == whole, "cut at \(cut)")
        }
    }

    /// The skipping of blocks that cannot matter must not skip one that does: against plain arithmetic.
    @Test(arguments: UInt64(1)...8)
    func `equals a slow interpolation of every sample`(_ seed: UInt64) {
        var random = Dice(seed)
        var samples = [Float](repeating: 0, count: 3000)
        var level: Float = 0.1
        for index in samples.indices {
            if Int.random(in: 0..<40, using: &random) == 0 {
                level = Float.random(in: 0.01...1, using: &random)
            }
            // Smooth enough for a crest to lie anywhere, not only half way between two samples.
            let step = Float.random(in: -1...1, using: &random)
            samples[index] = level * step + 0.8 * (index > 0 ? samples[index - 1] : 0)
        }
        let padded = [Float](repeating: 0, count: 24) + samples + [Float](repeating: 0, count: 24)
        var most = 0.0
        for point in 24 * 4..<(padded.count - 24) * 4 {
            let (whole, part) = (point / 4, Double(point % 4) / 4)
            var sum = 0.0
            var weight = 0.0
            for index in -11...12 {
                let x = Double(index) - part
                let tap = x == 0 ? 1 : sin(.pi * x) / (.pi * x) * Self.kaiser(x / 12, 6)
                sum += tap * Double(padded[whole + index])
                weight += tap
            }
            most = max(most, abs(part == 0 ? Double(padded[whole]) : sum / weight))
        }
        #expect(loudness(samples).truePeak.isNear(20 * log10(most), 1e-4))
    }

    /// At four times the rate: a sine of a sixth of the rate, half of full scale, and in it, at a zero
    /// crossing, one period of a quarter of the rate at full scale; low-pass; each fourth sample.
    static func burst(offset: Int) -> [Float] {
        let around = (0..<240).map { 0.5 * sin(2 * .pi * Double($0) / 24) }
        let inside = (0..<16).map { sin(2 * .pi * Double($0) / 16) }
        let fast = around + inside + around
        let taps = (-255...255).map { k in
            let x = 0.98 * Double(k) / 4
            return (k == 0 ? 1 : sin(.pi * x) / (.pi * x)) * kaiser(Double(k) / 255, 10)
        }
        let gain = taps.reduce(0, +)
        return stride(from: offset, to: fast.count, by: 4).map { place in
            var sum = 0.0
            for (index, tap) in taps.enumerated() where fast.indices ~= place + index - 255 {
                sum += tap * fast[place + index - 255]
            }
            return Float(sum / gain)
        }
    }

    static func kaiser(_ x: Double, _ shape: Double) -> Double {
        func bessel(_ x: Double) -> Double {
            var (sum, term) = (1.0, 1.0)
            for k in 1...60 {
                term *= pow(x / 2 / Double(k), 2)
                sum += term
            }
            return sum
        }
        return bessel(shape * max(0, 1 - x * x).squareRoot()) / bessel(shape)
    }
}
