// SPDX-License-Identifier: Apache-2.0

/// Draws a waveform from samples as they arrive, byte for byte as audiowaveform 1.10 does.
///
/// Samples become 16-bit integers by what they were in the file, channels are mixed truncating toward zero,
/// and each pixel keeps its lowest and highest; the last pixel is kept even if it is not full. What is
/// beyond ±1 is clamped. Memory is the result's: 4 bytes per pixel and channel.
/// For several zooms build the finest and `coarsen` it to its multiples, which is exact; a zoom
/// that is no multiple needs a builder of its own.
public struct WaveformBuilder: SampleConsumer, Sendable {
    private let format: AudioFormat
    private let amplitude: WaveformOptions.Amplitude
    private let mixes: Bool
    private var toSkip: Int
    var waveform: Waveform
    /// Of the pixel that is being filled, for each channel of the waveform.
    private var low: [Int32]
    private var high: [Int32]
    private var filled = 0

    /// - Throws: `WaveformError.options`, a sentence that says what to change.
    public init(
        format: AudioFormat, options: WaveformOptions = .init()
    ) throws(WaveformError) {
        try options.check(for: format)
        self.format = format
        amplitude = options.amplitude
        toSkip = options.skippedFrames
        mixes = !options.splitChannels && format.channels > 1
        let channels = options.splitChannels ? format.channels : 1
        waveform = Waveform(
            sampleRate: format.sampleRate,
            samplesPerPixel: try options.samplesPerPixel(at: format.sampleRate),
            channels: channels, bits: options.bits)
        low = Array(repeating: 32_767, count: channels)
        high = Array(repeating: -32_768, count: channels)
    }

    public mutating func add(_ samples: Span<Float>) {
        samples.withUnsafeBufferPointer { samples in
            precondition(samples.count % format.channels == 0, "a frame is torn")
            let skipped = min(toSkip, samples.count / format.channels)
            toSkip -= skipped
            let rest = UnsafeBufferPointer(rebasing: samples[(skipped * format.channels)...])
            switch format.samples {
            case .integer(let bits) where bits <= 16: add(rest, ShortConversion.self)
            case .integer: add(rest, DeepConversion.self)
            case .float: add(rest, FloatConversion.self)
            case .lossy: add(rest, LossyConversion.self)
            }
        }
    }

    public mutating func finish() -> Waveform {
        if filled > 0 { emit() }
        if case .auto = amplitude {
            let scale = automaticScale()
            if scale != 1 { waveform.pairs.transform { Self.scaled($0, scale) } }
        }
        // Why not a copy: the result may be half of all the memory that there is.
        var result = Waveform(
            sampleRate: waveform.sampleRate, samplesPerPixel: waveform.samplesPerPixel,
            channels: waveform.channels, bits: waveform.bits)
        swap(&result, &waveform)
        return result
    }

    /// |min(32767 ÷ max, 32767 ÷ min)|, where a division by zero counts as 1: so a negative minimum
    /// alone decides. The reference's way.
    private func automaticScale() -> Double {
        let (low, high) = waveform.extremes(0..<waveform.length)
        let (upper, lower) = (
            high == 0 ? 1 : 32_767 / Double(high), low == 0 ? 1 : 32_767 / Double(low)
        )
        return abs(min(upper, lower))
    }

    private mutating func add<C: SampleConversion>(
        _ samples: UnsafeBufferPointer<Float>, _ conversion: C.Type
    ) {
        guard let base = samples.baseAddress else { return }
        let frames = samples.count / format.channels
        var done = 0
        while done < frames {
            let count = min(waveform.samplesPerPixel - filled, frames - done)
            let start = base + done * format.channels
            switch (format.channels, mixes) {
            case (1, _), (2, _), (4, false), (8, false): scanLanes(start, count, C.self)
            default: scanFrames(start, count, C.self)
            }
            (done, filled) = (done + count, filled + count)
            if filled == waveform.samplesPerPixel { emit() }
        }
    }

    /// A value as it is kept: a factor is applied at once, for who takes the pixels out before the end.
    private func final(_ value: Int32) -> Int16 {
        guard case .factor(let factor) = amplitude, factor != 1 else { return Int16(value) }
        return Self.scaled(Int16(value), factor)
    }

    private static func scaled(_ value: Int16, _ factor: Double) -> Int16 {
        Int16(min(max(Double(value) * factor, -32_768), 32_767))  // truncates
    }

    private mutating func emit() {
        for channel in low.indices {
            waveform.pairs.append(final(low[channel]))
            waveform.pairs.append(final(high[channel]))
            (low[channel], high[channel]) = (32_767, -32_768)
        }
        filled = 0
    }

    /// For channel counts that divide 8: lane i of a vector is always of channel i mod channels, so nothing
    /// need be sorted out before the end.
    private mutating func scanLanes<C: SampleConversion>(
        _ start: UnsafePointer<Float>, _ frames: Int, _ conversion: C.Type
    ) {
        let count = frames * format.channels
        let raw = UnsafeRawPointer(start)
        var lows = SIMD8<Int32>(repeating: 32_767)
        var highs = SIMD8<Int32>(repeating: -32_768)
        let whole = count / 8 * 8
        if mixes {
            for index in stride(from: 0, to: whole, by: 8) {
                let values = C.int16s(raw.loadUnaligned(fromByteOffset: index * 4, as: SIMD8.self))
                widen(&lows, &highs, mixedPairs(values))
            }
        } else {
            for index in stride(from: 0, to: whole, by: 8) {
                let values = C.int16s(raw.loadUnaligned(fromByteOffset: index * 4, as: SIMD8.self))
                widen(&lows, &highs, values)
            }
        }
        if whole < count {
            // The lanes left over repeat the first of the remaining frames, which changes no extreme.
            var last = SIMD8<Float>()
            for lane in 0..<8 {
                last[lane] = start[whole + (lane < count - whole ? lane : lane % format.channels)]
            }
            let values = C.int16s(last)
            widen(&lows, &highs, mixes ? mixedPairs(values) : values)
        }
        for lane in 0..<8 {
            let channel = lane % low.count
            low[channel] = min(low[channel], lows[lane])
            high[channel] = max(high[channel], highs[lane])
        }
    }

    /// For all other counts: eight samples converted at a time, then frame after frame.
    private mutating func scanFrames<C: SampleConversion>(
        _ start: UnsafePointer<Float>, _ frames: Int, _ conversion: C.Type
    ) {
        let channels = format.channels
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: channels) { frame in
            for index in 0..<frames {
                let samples = start + index * channels
                for first in stride(from: 0, to: channels, by: 8) {
                    var eight = SIMD8<Float>()
                    let count = min(8, channels - first)
                    for lane in 0..<count { eight[lane] = samples[first + lane] }
                    let values = C.int16s(eight)
                    for lane in 0..<count { frame[first + lane] = values[lane] }
                }
                if mixes {
                    var sum = 0
                    for value in frame { sum += Int(value) }
                    let mixed = Int32(sum / channels)
                    (low[0], high[0]) = (min(low[0], mixed), max(high[0], mixed))
                } else {
                    for channel in 0..<channels {
                        low[channel] = min(low[channel], frame[channel])
                        high[channel] = max(high[channel], frame[channel])
                    }
                }
            }
        }
    }
}

/// Half of the sum of each two neighbours, toward zero, in both their lanes.
@inline(__always) private func mixedPairs(_ values: SIMD8<Int32>) -> SIMD8<Int32> {
    let wide = unsafeBitCast(values, to: SIMD4<UInt64>.self)
    let swapped = unsafeBitCast((wide &>> 32) | (wide &<< 32), to: SIMD8<Int32>.self)
    let sum = values &+ swapped
    let sign = unsafeBitCast(
        unsafeBitCast(sum, to: SIMD8<UInt32>.self) &>> 31, to: SIMD8<Int32>.self)
    return (sum &+ sign) &>> 1
}

@inline(__always) private func widen(
    _ lows: inout SIMD8<Int32>, _ highs: inout SIMD8<Int32>, _ values: SIMD8<Int32>
) {
    lows.replace(with: values, where: values .< lows)
    highs.replace(with: values, where: values .> highs)
}
