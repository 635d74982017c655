// SPDX-License-Identifier: Apache-2.0

/// How a waveform is drawn from samples; the words and their defaults are those of audiowaveform 1.10.
public struct WaveformOptions: Sendable, Hashable {
    /// How much time one pixel stands for.
    public enum Zoom: Sendable, Hashable {
        case samplesPerPixel(Int)
        /// The sample rate is divided by it, and the rest dropped.
        case pixelsPerSecond(Int)
        /// So many pixels for the stretch between two moments, in seconds. It sets the zoom only: the
        /// waveform covers the whole sound all the same.
        case width(Int, start: Double, end: Double)
    }

    /// What every value is multiplied by before it is stored.
    public enum Amplitude: Sendable, Hashable {
        case factor(Double)
        /// Such that the greatest value reaches full scale. Why the word is not exact: where any value is
        /// negative, the reference looks at the negative ones alone, and clamps the others.
        case auto
    }

    public var zoom: Zoom
    /// 8 or 16, of each value in a file.
    public var bits: Int
    /// A pair for each channel; otherwise the channels are mixed into one.
    public var splitChannels: Bool
    public var amplitude: Amplitude
    /// Frames dropped at the start: for MP3 in mode `audiowaveform`, the encoder's delay + 529.
    public var skippedFrames: Int

    public init(
        zoom: Zoom = .samplesPerPixel(256), bits: Int = 16, splitChannels: Bool = false,
        amplitude: Amplitude = .factor(1), skippedFrames: Int = 0
    ) {
        self.zoom = zoom
        self.bits = bits
        self.splitChannels = splitChannels
        self.amplitude = amplitude
        self.skippedFrames = skippedFrames
    }

    /// Frames per pixel at a sample rate, from 2 on.
    ///
    /// - Throws: `WaveformError.options` where the zoom means less than 2 frames or more than a file can say.
    public func samplesPerPixel(at sampleRate: Int) throws(WaveformError) -> Int {
        let frames: Int
        switch zoom {
        case .samplesPerPixel(let count):
            frames = count
        case .pixelsPerSecond(let pixels):
            guard pixels >= 1 else {
                throw .options("the zoom is \(pixels) pixels per second: use 1 or more")
            }
            frames = sampleRate / pixels
        case .width(let pixels, let start, let end):
            guard pixels >= 1, start.isFinite, end.isFinite, start >= 0, end > start else {
                throw .options(
                    "\(pixels) pixels from \(start) s to \(end) s is no zoom: "
                        + "use a width of 1 or more and an end after the start")
            }
            guard
                let whole = Int(exactly: ((end - start) * Double(sampleRate)).rounded(.towardZero))
            else { throw .options("the stretch from \(start) s to \(end) s is too long") }
            frames = whole / pixels
        }
        guard frames >= 2 else {
            throw .options(
                "the zoom means \(frames) samples per pixel at \(sampleRate) Hz: use 2 or more, "
                    + "which is fewer pixels")
        }
        guard frames <= Int(Int32.max) else {
            throw .options(
                "\(frames) samples per pixel do not fit in a file: use \(Int32.max) or less")
        }
        return frames
    }

    /// Throws `WaveformError.options` where no file could hold what these options ask of the format.
    public func check(for format: AudioFormat) throws(WaveformError) {
        guard format.sampleRate >= 1, format.sampleRate <= Int(Int32.max) else {
            throw .options("a sample rate of \(format.sampleRate) Hz: use 1 to \(Int32.max)")
        }
        guard format.channels >= 1, format.channels <= 65_536 else {
            throw .options("\(format.channels) channels: use 1 to 65,536")
        }
        _ = try samplesPerPixel(at: format.sampleRate)
        guard !splitChannels || format.channels <= Waveform.mostChannels else {
            throw .options(
                "\(format.channels) channels cannot be split: a waveform file holds at most "
                    + "\(Waveform.mostChannels); leave the split off and they are mixed into one")
        }
        guard bits == 8 || bits == 16 else {
            throw .options("\(bits) bits: a value in a waveform file has 8 or 16")
        }
        if case .factor(let factor) = amplitude, !factor.isFinite || factor < 0 {
            throw .options("an amplitude factor of \(factor): use 0 or more, or auto")
        }
        guard skippedFrames >= 0 else {
            throw .options("\(skippedFrames) frames cannot be skipped: use 0 or more")
        }
    }
}
