// SPDX-License-Identifier: Apache-2.0

/// The lowest and highest sample of each pixel of a sound, as a player draws it.
///
/// What a file of [BBC's audiowaveform](https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md)
/// holds. The values are kept with 16 bits whatever the file has: 8 bits are the last step of writing, so
/// one waveform gives both kinds.
public struct Waveform: Sendable, Hashable {
    /// The most channels that a file may name.
    public static let mostChannels = 24

    public let sampleRate: Int
    public private(set) var samplesPerPixel: Int
    /// Of this waveform: 1 where the sound's were mixed.
    public let channels: Int
    /// 8 or 16: what is written where the writer is not told otherwise.
    public var bits: Int
    var pairs = PairStorage()

    init(sampleRate: Int, samplesPerPixel: Int, channels: Int, bits: Int) {
        self.sampleRate = sampleRate
        self.samplesPerPixel = samplesPerPixel
        self.channels = channels
        self.bits = bits
    }

    /// Pixels, which is pairs per channel.
    public var length: Int { pairs.count / (2 * channels) }

    /// Seconds that the pixels stand for; the last one may cover less than it says.
    public var duration: Double {
        Double(length) * Double(samplesPerPixel) / Double(sampleRate)
    }

    /// The lowest and highest sample of a pixel, −32768…32767. Both indices must exist.
    public func pair(_ pixel: Int, channel: Int = 0) -> (minimum: Int16, maximum: Int16) {
        precondition(pixel >= 0 && pixel < length && channel >= 0 && channel < channels)
        let index = 2 * (pixel * channels + channel)
        return (pairs[index], pairs[index + 1])
    }

    /// The extremes of all channels over some pixels; (0, 0) over none. For pictures.
    func extremes(_ pixels: Range<Int>) -> (minimum: Int16, maximum: Int16) {
        guard !pixels.isEmpty else { return (0, 0) }
        var (low, high) = (Int16.max, Int16.min)
        for index in stride(
            from: pixels.lowerBound * 2 * channels, to: pixels.upperBound * 2 * channels, by: 2)
        {
            low = min(low, pairs[index])
            high = max(high, pairs[index + 1])
        }
        return (low, high)
    }

    /// The waveform at a coarser zoom: `coarsen` on a copy, which takes memory for the result only.
    public func rescaled(to samplesPerPixel: Int) throws(WaveformError) -> Waveform {
        var copy = self
        try copy.coarsen(to: samplesPerPixel)
        return copy
    }

    /// Makes each pixel stand for more frames, in place.
    ///
    /// Pixel x takes the pixels from x · new ÷ old to the next one's start. Where the new zoom is a multiple
    /// of the old, that is exactly what the samples would have given; otherwise edges lie up to one old
    /// pixel early, as in the reference. The same zoom again changes nothing.
    ///
    /// - Throws: `WaveformError.options` for a finer zoom, which the pixels do not know.
    public mutating func coarsen(to coarser: Int) throws(WaveformError) {
        guard coarser >= samplesPerPixel, coarser <= Int(Int32.max) else {
            throw .options(
                "a waveform of \(samplesPerPixel) samples per pixel cannot be drawn at \(coarser): "
                    + "make it anew from the sound")
        }
        let (old, end, width) = (samplesPerPixel, length, 2 * channels)
        var (target, start) = (0, 0)
        while start < end {
            let next = min(end, (target + 1) * coarser / old)
            for channel in 0..<channels {
                var (low, high) = (Int16.max, Int16.min)
                for pixel in start..<next {
                    low = min(low, pairs[pixel * width + 2 * channel])
                    high = max(high, pairs[pixel * width + 2 * channel + 1])
                }
                pairs.set(target * width + 2 * channel, to: low)
                pairs.set(target * width + 2 * channel + 1, to: high)
            }
            (target, start) = (target + 1, next)
        }
        pairs.cut(to: target * width)
        samplesPerPixel = coarser
    }
}
