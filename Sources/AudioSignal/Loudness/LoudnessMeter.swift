// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Measures how loud a programme is, after EBU R128, Tech 3341 v4, Tech 3342 and ITU-R BS.1770-5.
///
/// Any rate and any number of channels; `format.layout` says which count more and which not at all. Every
/// 10 ms the momentary (400 ms) and the short-term (3 s) window move on; every 100 ms their
/// energy enters the gated means. Hop k ends before frame ⌊k · rate ÷ 100⌋, so hops differ by a frame where
/// the rate is no multiple of 100 (693 or 694 frames at 69,313 Hz), do not drift, and each window is divided
/// by the frames that it holds. Windows that the end of the sound leaves incomplete are dropped.
///
/// A sample that is no number, infinite or beyond 2⁶⁴ counts as 0: one broken sample must not
/// take the figures of a whole programme with it. How the samples were cut into calls of `add` changes no bit
/// of the result. The memory is 0.4 MB plus 5 KB a channel, however long the sound is.
public struct LoudnessMeter: SampleConsumer, Sendable {
    private let rate: Int
    private let channels: Int
    private let weights: [Double]
    private let weighting: KWeighting
    private let truePeak: TruePeakFilter?

    /// By two channels; a last odd one runs beside itself with weight 0.
    private var pairs: [KWeighting.State]
    private var windows = LoudnessWindows()
    private var blocks = LoudnessHistogram()
    private var shortTerms = LoudnessHistogram()
    /// Samples by channel: old ones for the true peak, then a piece of at most `piece` frames.
    private var lines: [Float]
    private var frames = 0
    private var peak: Float = 0
    private var momentaryMost = 0.0
    private var shortTermMost = 0.0

    private static let piece = 1024
    /// A piece, what comes before it, and what the last eight lanes may touch.
    private static let lineLength = TruePeakFilter.start + piece + 8
    private static let wildest: Float = 0x1p64

    /// `truePeak: false` saves about two fifths of the time and reports the greatest sample instead.
    public init(format: AudioFormat, truePeak: Bool = true) {
        precondition(format.channels > 0 && format.sampleRate > 0, "no sound in \(format)")
        rate = format.sampleRate
        channels = format.channels
        weights = format.loudnessWeights
        weighting = KWeighting(rate: rate)
        // From 192 kHz on the samples stand close enough (BS.1770-5, Annex 2). At 96 kHz twofold
        // oversampling would do for the sines of Tech 3341, but reads signals 20 to 23 up to 0.7 dB low.
        self.truePeak = truePeak && rate < 192_000 ? TruePeakFilter() : nil
        pairs = [KWeighting.State](repeating: .init(), count: (channels + 1) / 2)
        lines = [Float](repeating: 0, count: channels * Self.lineLength)
    }

    public mutating func add(_ samples: Span<Float>) {
        precondition(samples.count % channels == 0, "a part of a frame")
        samples.withUnsafeBufferPointer { samples in
            guard let base = samples.baseAddress else { return }
            let count = samples.count / channels
            var taken = 0
            while taken < count {
                let piece = min(count - taken, Self.piece, end(ofHop: windows.count + 1) - frames)
                take(base + taken * channels, piece, weighted: true)
                taken += piece
                frames += piece
                // A hop has no frames at rates below 100 Hz.
                while frames == end(ofHop: windows.count + 1) { endHop() }
            }
        }
    }

    /// Gives the true peak the last samples' far sides, and sums up. A second call says the same.
    public mutating func finish() -> Loudness {
        let silence = [Float](repeating: 0, count: TruePeakFilter.history * channels)
        silence.withUnsafeBufferPointer { silence in
            if let base = silence.baseAddress {
                take(base, TruePeakFilter.history, weighted: false)
            }
        }
        return Loudness(
            integrated: blocks.gatedMean(relative: -10),
            range: shortTerms.spread(relative: -20, from: 0.10, to: 0.95),
            truePeak: peak > 0 ? 20 * log10(Double(peak)) : nil,
            momentaryMax: LUFS.of(energy: momentaryMost),
            shortTermMax: LUFS.of(energy: shortTermMost))
    }

    /// LUFS of the 400 ms up to the last full hop; nil before there are so many, and for silence.
    package var momentary: Double? { mean(LoudnessWindows.momentary).flatMap(LUFS.of) }

    /// LUFS of the 3 s up to the last full hop; nil before there are so many, and for silence.
    package var shortTerm: Double? { mean(LoudnessWindows.shortTerm).flatMap(LUFS.of) }

    private func end(ofHop hop: Int) -> Int { hop * rate / 100 }

    /// The mean square of the newest window of so many hops.
    private func mean(_ hops: Int) -> Double? {
        guard let energy = windows.energy(hops) else { return nil }
        let length = end(ofHop: windows.count) - end(ofHop: windows.count - hops)
        return length > 0 ? energy / Double(length) : nil
    }

    /// Closes a hop: windows move on, and on every tenth hop the gated measures take theirs.
    private mutating func endHop() {
        var energy = 0.0
        for pair in pairs.indices {
            let gathered = pairs[pair].takeEnergy()
            energy += weights[2 * pair] * gathered[0]
            if 2 * pair + 1 < channels { energy += weights[2 * pair + 1] * gathered[1] }
        }
        windows.add(energy)
        let full = windows.count % LoudnessWindows.tenth == 0
        if let momentary = mean(LoudnessWindows.momentary) {
            momentaryMost = max(momentaryMost, momentary)
            if full { blocks.add(energy: momentary) }
        }
        if let shortTerm = mean(LoudnessWindows.shortTerm) {
            shortTermMost = max(shortTermMost, shortTerm)
            if full { shortTerms.add(energy: shortTerm) }
        }
    }

    /// Sorts a piece by channels, looks for its peak, weights it, and keeps its end for the next one.
    private mutating func take(_ samples: UnsafePointer<Float>, _ count: Int, weighted: Bool) {
        // Why moved out and back: self may not be touched while a pointer into it is lent.
        var lines: [Float] = []
        swap(&lines, &self.lines)
        lines.withUnsafeMutableBufferPointer { lines in
            guard let base = lines.baseAddress else { return }
            for channel in 0..<channels {
                let line = base + channel * Self.lineLength
                let fresh = line + TruePeakFilter.start
                for frame in 0..<count {
                    let sample = samples[frame * channels + channel]
                    // False for what is no number, too.
                    fresh[frame] = abs(sample) <= Self.wildest ? sample : 0
                }
                if let truePeak {
                    truePeak.raise(&peak, line, frames: count)
                } else {
                    peak = max(peak, TruePeakFilter.greatest(fresh, count))
                }
            }
            if weighted { weigh(base, count) }
            for channel in 0..<channels {
                let line = base + channel * Self.lineLength
                line.update(from: line + count, count: TruePeakFilter.start)
            }
        }
        swap(&lines, &self.lines)
    }

    private mutating func weigh(_ lines: UnsafePointer<Float>, _ count: Int) {
        let fresh = lines + TruePeakFilter.start
        for pair in pairs.indices {
            let (one, two) = (2 * pair, min(2 * pair + 1, channels - 1))
            guard weights[one] > 0 || weights[two] > 0 else { continue }
            weighting.run(
                fresh + one * Self.lineLength, fresh + two * Self.lineLength, frames: count,
                &pairs[pair])
        }
    }
}
