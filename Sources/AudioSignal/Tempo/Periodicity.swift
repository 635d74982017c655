// SPDX-License-Identifier: Apache-2.0
import Foundation

/// How much the onset envelope resembles itself a while later, for every lag of up to six seconds.
///
/// Generalised autocorrelation (Percival and Tzanetakis 2014, §II-B.2, after Tolonen and Karjalainen
/// 2000): the transform back of the spectrum's magnitude instead of its square, whose peaks are sharper. Windows of 10 s, half overlapping, are averaged.
package struct Periodicity: Sendable {
    /// Frames of the envelope per second.
    let rate: Double
    /// By register: all together, low, middle, high; then by lag in frames. 1 at lag 0.
    private(set) var curves: [[Float]]
    private(set) var windows = 0

    package static let windowLength = 2048
    static let lags = 1300
    private let transform = FourierTransform(length: 2 * Self.windowLength)

    package init(rate: Double) {
        self.rate = rate
        curves = Array(repeating: Array(repeating: 0, count: Self.lags), count: 4)
    }

    /// Adds one window of the envelope, of at most `windowLength` frames: all registers, and each.
    package mutating func add(_ all: ArraySlice<Float>, _ registers: ArraySlice<Onset>) {
        add(all, to: 0)
        for register in 0..<3 { add(registers.map { $0[register] }[...], to: register + 1) }
        windows += 1
    }

    private mutating func add(_ window: ArraySlice<Float>, to register: Int) {
        let mean = window.reduce(0, +) / Float(max(1, window.count))
        var padded = [Float](repeating: 0, count: transform.length)
        for (index, value) in window.enumerated() { padded[index] = value - mean }
        let magnitudes = spectrum(padded).map { ($0 * $0 + $1 * $1).squareRoot() }
        // Real and even: the transform forth is the transform back.
        for (bin, magnitude) in magnitudes.enumerated() {
            padded[bin] = magnitude
            if bin > 0 { padded[transform.length - bin] = magnitude }
        }
        let likeness = spectrum(padded).map(\.0)
        guard likeness[0] > 0 else { return }
        for lag in 0..<Self.lags {
            // The later part of a window has less to be compared with.
            let overlap = max(0.25, 1 - Float(lag) / Float(window.count))
            curves[register][lag] += likeness[lag] / likeness[0] / overlap
        }
    }

    private func spectrum(_ input: [Float]) -> [(Float, Float)] {
        let bins = transform.length / 2 + 1
        var (re, im) = ([Float](repeating: 0, count: bins), [Float](repeating: 0, count: bins))
        input.withUnsafeBufferPointer { input in
            re.withUnsafeMutableBufferPointer { re in
                im.withUnsafeMutableBufferPointer { im in
                    transform.spectrum(of: input, re: re, im: im)
                }
            }
        }
        return Array(zip(re, im))
    }

    /// The average at a lag that need not be whole; 0 beyond the last.
    package func at(_ lag: Double, register: Int = 0) -> Float {
        let whole = Int(lag)
        guard whole >= 0, whole + 1 < Self.lags, windows > 0 else { return 0 }
        let part = Float(lag - Double(whole))
        return (curves[register][whole] * (1 - part) + curves[register][whole + 1] * part)
            / Float(windows)
    }

    /// The best within 2 % or one frame of a lag.
    func near(_ lag: Double, register: Int = 0) -> Float {
        let reach = max(1, lag * 0.02)
        var best = at(lag, register: register)
        for part in [-1, -0.5, 0.5, 1] {
            best = max(best, at(lag + part * reach, register: register))
        }
        return best
    }

    /// Harmonics enhanced (§II-B.3): a beat's lag returns at twice and four times itself.
    func enhanced(_ lag: Double) -> Float { at(lag) + at(2 * lag) + at(4 * lag) }

    /// The ten highest peaks between two lags, highest first, read off to a fraction of a frame where
    /// they return: at twice and four times the lag the same fraction moves the peak further.
    package func candidates(_ shortest: Double, _ longest: Double, _ most: Int = 10) -> [Double] {
        let range = Int(shortest)...Int(longest)
        let values = range.map { enhanced(Double($0)) }
        var peaks: [(lag: Int, value: Float)] = []
        for index in values.indices.dropFirst().dropLast()
        where values[index] > values[index - 1] && values[index] >= values[index + 1] {
            peaks.append((range.lowerBound + index, values[index]))
        }
        peaks.sort { $0.value > $1.value }
        return peaks.prefix(most).map { refined(Double($0.lag)) }
    }

    private func refined(_ lag: Double) -> Double {
        var lag = lag
        for multiple in [1.0, 2, 4] {
            let centre = Int((lag * multiple).rounded())
            let reach = 1 + Int(multiple / 2)
            guard centre - reach > 1, centre + reach + 1 < Self.lags else { break }
            var best = centre
            for place in centre - reach...centre + reach
            where curves[0][place] > curves[0][best] { best = place }
            let (a, b, c) = (curves[0][best - 1], curves[0][best], curves[0][best + 1])
            guard b >= a, b >= c, b > 0 else { break }
            let bend = a - 2 * b + c
            let shift = bend < 0 ? 0.5 * (a - c) / bend : 0
            lag = (Double(best) + Double(shift)) / multiple
        }
        return lag
    }
}
