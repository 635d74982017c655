// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Measures offset, power, peak, bits in use and the likeness of two channels.
///
/// Sums run in doubles, over blocks that run in floats of 32 frames a lane: the error of a mean is
/// below 10⁻⁶ of full scale. What is no number counts as 0, and what is beyond ±2 as ±2.
public struct LevelMeter: SampleConsumer, Sendable {
    private let format: AudioFormat
    private var sums: [Double]
    private var squares: [Double]
    private var greatest: [Float]
    private var product = 0.0
    private var frames = 0
    private var differs = false
    /// Every bit that was set in any sample, of 32.
    private var seen: UInt32 = 0

    public init(format: AudioFormat) {
        precondition(format.channels >= 1)
        self.format = format
        sums = Array(repeating: 0, count: format.channels)
        squares = sums
        greatest = Array(repeating: 0, count: format.channels)
    }

    public mutating func add(_ samples: Span<Float>) {
        samples.withUnsafeBufferPointer { samples in
            precondition(samples.count % format.channels == 0, "a frame is torn")
            guard let base = samples.baseAddress else { return }
            frames += samples.count / format.channels
            let block = 256 * format.channels
            for start in stride(from: 0, to: samples.count, by: block) {
                let count = min(block, samples.count - start)
                if format.channels <= 2 {
                    measureLanes(base + start, count)
                } else {
                    measureFrames(base + start, count)
                }
                noteBits(base + start, count)
            }
        }
    }

    public mutating func finish() -> LevelReport {
        let count = Double(max(1, frames))
        let channels = (0..<format.channels).map { channel in
            let rms = decibels((squares[channel] / count).squareRoot())
            let peak = decibels(Double(greatest[channel]))
            return LevelReport.Channel(
                dcOffset: sums[channel] / count, rms: rms, peak: peak,
                crest: rms.flatMap { rms in peak.map { $0 - rms } })
        }
        var correlation: Double?
        if format.channels >= 2, squares[0] > 0, squares[1] > 0 {
            let likeness = product / (squares[0] * squares[1]).squareRoot()
            correlation = min(1, max(-1, likeness))
        }
        return LevelReport(
            channels: channels, bitsUsed: seen == 0 ? nil : 32 - seen.trailingZeroBitCount,
            correlation: correlation,
            isDualMono: format.channels == 2 && frames > 0 ? !differs : nil)
    }

    private func decibels(_ part: Double) -> Double? {
        part > 0 ? 20 * log10(part) : nil
    }

    /// One or two channels, which alternate in the lanes.
    private mutating func measureLanes(_ start: UnsafePointer<Float>, _ count: Int) {
        var (sum, square, cross) = (SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>())
        var (low, high) = (SIMD8<Float>(), SIMD8<Float>())
        var unlike = SIMD8<UInt32>()
        let raw = UnsafeRawPointer(start)
        for index in stride(from: 0, to: count, by: 8) {
            var values = SIMD8<Float>()
            if index + 8 <= count {
                values = raw.loadUnaligned(fromByteOffset: index * 4, as: SIMD8.self)
            } else {
                // The lanes left over are 0 and add nothing.
                for lane in 0..<count - index { values[lane] = start[index + lane] }
            }
            values = values.clamped(-2, 2)
            sum += values
            square += values * values
            low.replace(with: values, where: values .< low)
            high.replace(with: values, where: values .> high)
            if format.channels == 2 {
                let bits = unsafeBitCast(values, to: SIMD4<UInt64>.self)
                let swapped = unsafeBitCast((bits &>> 32) | (bits &<< 32), to: SIMD8<Float>.self)
                cross += values * swapped
                unlike |= unsafeBitCast(values - swapped, to: SIMD8<UInt32>.self) &<< 1
            }
        }
        for lane in 0..<8 {
            let channel = lane % format.channels
            sums[channel] += Double(sum[lane])
            squares[channel] += Double(square[lane])
            greatest[channel] = max(greatest[channel], high[lane], -low[lane])
            product += Double(cross[lane]) / 2
            if unlike[lane] != 0 { differs = true }
        }
    }

    private mutating func measureFrames(_ start: UnsafePointer<Float>, _ count: Int) {
        for index in 0..<count {
            let channel = index % format.channels
            let value = clean(start[index])
            sums[channel] += Double(value)
            squares[channel] += Double(value * value)
            greatest[channel] = max(greatest[channel], abs(value))
            if channel == 1 { product += Double(clean(start[index - 1]) * value) }
        }
    }

    /// Once the file's lowest bit was seen there is nothing more to learn: in most files that is at once.
    private mutating func noteBits(_ start: UnsafePointer<Float>, _ count: Int) {
        guard case .integer(let bits) = format.samples, 1...32 ~= bits,
            seen & (1 << UInt32(32 - bits)) == 0
        else { return }
        for index in 0..<count {
            let scaled = clean(start[index]) * 2_147_483_648
            seen |= UInt32(bitPattern: Int32(min(max(scaled, -2_147_483_648), 2_147_483_520)))
        }
    }

    @inline(__always) private func clean(_ sample: Float) -> Float {
        sample.isNaN ? 0 : min(max(sample, -2), 2)
    }
}
