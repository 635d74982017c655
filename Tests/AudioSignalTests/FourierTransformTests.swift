// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

@Suite struct `Fourier transform` {
    static let lengths = (2...14).map { 1 << $0 }

    @Test(arguments: lengths)
    func `gives the powers that the sum of the definition gives`(_ length: Int) {
        let samples = noise(length, seed: UInt64(length))
        let power = power(of: samples)
        // Every bin of the short ones, and of the long ones a few that no radix favours.
        let bins =
            length <= 512
            ? Array(0...length / 2)
            : [0, 1, 2, 3, 17, 100, length / 4 - 1]
                + [length / 4, length / 3, length / 2 - 1, length / 2]
        for bin in bins {
            let (re, im) = direct(samples, bin)
            let expected = re * re + im * im
            // Rounding grows with the whole signal's energy, not with the bin's own.
            #expect(
                abs(Double(power[bin]).squareRoot() - expected.squareRoot())
                    < 2e-6 * Double(length).squareRoot() * log2(Double(length)), "bin \(bin)")
        }
    }

    @Test(arguments: lengths)
    func `keeps the energy, as Parseval says`(_ length: Int) {
        let samples = noise(length, seed: 7 + UInt64(length))
        let power = power(of: samples)
        let inner = power[1..<length / 2].reduce(0.0) { $0 + Double($1) }
        let total = (Double(power[0]) + 2 * inner + Double(power[length / 2])) / Double(length)
        let energy = samples.reduce(0.0) { $0 + Double($1) * Double($1) }
        #expect(abs(total / energy - 1) < 1e-5)
    }

    @Test(arguments: lengths)
    func `puts a sine of whole periods into its own bin alone`(_ length: Int) {
        for bin in Set([1, length / 4, length / 2 - 1, length / 3]) where bin > 0 {
            let samples = (0..<length).map { index in
                Float(cos(2 * .pi * Double(bin * index % length) / Double(length) + 0.3))
            }
            let power = power(of: samples)
            let peak = Float(length * length) / 4
            #expect(abs(power[bin] / peak - 1) < 1e-4)
            for (other, value) in power.enumerated() where other != bin {
                #expect(value < peak * 1e-9, "bin \(other)")
            }
        }
    }

    @Test(arguments: lengths)
    func `sees a constant at zero and alternation at half the rate`(_ length: Int) {
        let constant = power(of: Array(repeating: Float(0.5), count: length))
        #expect(abs(constant[0] / Float(length * length) - 0.25) < 1e-5)
        #expect(constant[1...].allSatisfy { $0 < constant[0] * 1e-9 })
        let alternating = power(of: (0..<length).map { $0 % 2 == 0 ? Float(0.5) : -0.5 })
        #expect(abs(alternating[length / 2] / Float(length * length) - 0.25) < 1e-5)
        #expect(alternating[..<(length / 2)].allSatisfy { $0 < alternating[length / 2] * 1e-9 })
    }

    @Test func `of silence is silence`() {
        #expect(power(of: Array(repeating: 0, count: 64)) == Array(repeating: 0, count: 33))
    }

    private func power(of samples: [Float]) -> [Float] {
        var power = [Float](repeating: -1, count: samples.count / 2 + 1)
        let transform = FourierTransform(length: samples.count)
        samples.withUnsafeBufferPointer { input in
            power.withUnsafeMutableBufferPointer { transform.power(of: input, into: $0) }
        }
        return power
    }

    /// X(k) = Σ x(n) e^(−2πikn/N), summed in doubles.
    private func direct(_ samples: [Float], _ bin: Int) -> (Double, Double) {
        var sum = (0.0, 0.0)
        for (index, sample) in samples.enumerated() {
            let angle = 2 * Double.pi * Double(bin * index % samples.count) / Double(samples.count)
            sum.0 += Double(sample) * cos(angle)
            sum.1 -= Double(sample) * sin(angle)
        }
        return sum
    }

    private func noise(_ count: Int, seed: UInt64) -> [Float] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(1 << 31)
        }
    }
}
