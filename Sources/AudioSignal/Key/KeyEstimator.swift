// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Finds the key of a piece: which of the 24 scales its pitches, taken together, fit best.
///
/// - Moves: samples are mixed to one channel, lowered to 10–20 kHz, cut into frames of 0.26–0.52 s,
///   each half over the one before, and only the weights of their pitches are kept; so the memory is
///   the same for a second and for ten hours, and the answer is the same however the samples were cut.
/// - Answers: the key, with the correlation as `strength` and the second best as `runnerUp`.
/// - Nil: less than 1.5 s of sound; silence; no tone in it (noise, drums): peaks hold less than 10 % of
///   the power, or their pitches agree on no tuning; fewer than three pitch classes; a rate outside
///   2 kHz–10 MHz.
/// - What is no number counts as silence.
///
/// The parts are by others: the pitch class profile after Gómez 2006, the correlation after Krumhansl
/// and Schmuckler 1990, the profiles of Albrecht and Shanahan 2013.
public struct KeyEstimator: SampleConsumer, Sendable {
    private var decimator: Decimator
    private var histogram: PitchHistogram
    private let transform: FourierTransform
    private let window: [Float]
    private let channels: Int
    private let usable: Bool
    /// At the lower rate: what is not yet a whole frame.
    private var held: [Float] = []
    private var (windowed, power): ([Float], [Float])

    public init(format: AudioFormat) {
        usable =
            (2_000...10_000_000).contains(format.sampleRate) && (1...4096).contains(format.channels)
        let format = usable ? format : AudioFormat(sampleRate: 44_100, channels: 1)
        channels = format.channels
        decimator = Decimator(format: format, least: 10_000)
        var length = 512
        while Double(length) < 0.26 * decimator.rate { length *= 2 }
        transform = FourierTransform(length: length)
        histogram = PitchHistogram(rate: decimator.rate, length: length)
        window = (0..<length).map { [length] in
            Float(0.5 - 0.5 * cos(2 * Double.pi * Double($0) / Double(length)))
        }
        windowed = [Float](repeating: 0, count: length)
        power = [Float](repeating: 0, count: length / 2 + 1)
    }

    public mutating func add(_ samples: Span<Float>) {
        guard usable else { return }
        let whole = samples.count - samples.count % channels
        for start in stride(from: 0, to: whole, by: 4096 * channels) {
            let piece = samples.extracting(start..<min(whole, start + 4096 * channels))
            decimator.add(piece, to: &held)
            while held.count >= window.count { takeFrame() }
        }
    }

    public mutating func finish() -> KeyEstimate? {
        let seconds = Double(histogram.frames * window.count / 2) / decimator.rate
        let (cents, agreement) = histogram.tuning
        guard seconds >= 1.5, histogram.tonalShare >= 0.1, agreement >= 0.08 else { return nil }
        let classes = histogram.classes(tuning: cents)
        let strongest = classes.max() ?? 0
        guard classes.count(where: { $0 > 0.05 * strongest }) >= 3 else { return nil }
        let fits = KeyProfile.correlations(classes)
        let order = fits.indices.sorted { (fits[$0], $1) > (fits[$1], $0) }
        let (best, next) = (MusicalKey(place: order[0]), MusicalKey(place: order[1]))
        guard let camelot = best.camelot, fits[order[0]] > 0 else { return nil }
        return KeyEstimate(
            key: best.key, scale: best.scale, camelot: camelot,
            strength: min(1, fits[order[0]]), runnerUp: next)
    }

    /// What was measured, for tests and for setting the limits above.
    package var evidence: (tonalShare: Double, cents: Double, agreement: Double, classes: [Double])
    {
        let (cents, agreement) = histogram.tuning
        return (histogram.tonalShare, cents, agreement, histogram.classes(tuning: cents))
    }

    private mutating func takeFrame() {
        for index in window.indices { windowed[index] = held[index] * window[index] }
        held.removeFirst(window.count / 2)
        windowed.withUnsafeBufferPointer { samples in
            power.withUnsafeMutableBufferPointer { transform.power(of: samples, into: $0) }
        }
        power.withUnsafeBufferPointer { histogram.add($0) }
    }
}
