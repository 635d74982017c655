// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Tells how fast the beat of a recording goes: near-constant tempo, 50 to 250 beats per minute.
///
/// After G. Percival and G. Tzanetakis, "Streamlined tempo estimation based on autocorrelation and
/// cross-correlation with pulses", IEEE/ACM TASLP 22(12), 2014: `OnsetEnvelope` → `Periodicity` →
/// `PulseTrains` → `MetricalLevel`, and then `BeatPhase`, a regression that the paper does not have.
///
/// All channels are mixed to one and thinned to about 20 kHz (means of whole groups of samples: for
/// onsets that is low-pass enough). What is kept of the sound is its onset envelope, at most 32
/// minutes of it (`OnsetHistory`), so memory stays below 10 MB whatever the length. Pieces of any
/// length give the very same answer; so does a silent lead-in, since listening begins with the sound.
///
/// The answer is nil when less than three seconds sound, when nothing recurs more than chance would have
/// it, and below 4 kHz of sample rate. Samples that are no numbers count as silence.
///
/// The confidence is the probability of the chosen metrical level among its neighbours (is it this or its
/// half?) times how clearly anything recurs at all. On synthesised clips 99 % of those above 0.8 were
/// right within 1 %.
public struct TempoEstimator: SampleConsumer, Sendable {
    private let channels: Int
    /// Frames that become one sample.
    private let step: Int
    private var envelope: OnsetEnvelope?
    private var history: OnsetHistory
    private var sum: Float = 0
    private var summed = 0
    private var mono: [Float] = []
    /// Moments of the envelope since sound began; 0 in a silent lead-in.
    private var sounding = 0

    /// That sound begins is no beat: until the first frames are past the start, everything rises.
    private static let start = 6

    public init(format: AudioFormat) {
        channels = max(1, format.channels)
        step = max(1, format.sampleRate / 20_000)
        let rate = Double(format.sampleRate) / Double(step)
        envelope = format.sampleRate >= 4_000 ? OnsetEnvelope(sampleRate: rate) : nil
        history = OnsetHistory(rate: envelope?.rate ?? 200)
    }

    public mutating func add(_ samples: Span<Float>) {
        guard envelope != nil else { return }
        let group = channels * step
        let scale = 1 / Float(group)
        var index = 0
        while index < samples.count {
            let end = min(samples.count, index + group - summed)
            summed += end - index
            while index < end {
                let sample = samples[index]
                // No number, or nothing that a file can mean: ±1 is full scale.
                sum += sample.magnitude <= 64 ? sample : 0
                index += 1
            }
            if summed == group {
                mono.append(sum * scale)
                (sum, summed) = (0, 0)
                if mono.count == 4096 { listen() }
            }
        }
    }

    public mutating func finish() -> Tempo? {
        listen()
        return reading?.tempo
    }

    /// All that can be told so far, for training and for tables.
    package var reading: TempoReading? {
        envelope.map { TempoReading(history.minutes, rate: $0.rate) }
    }

    private mutating func listen() {
        let sound = mono
        mono.removeAll(keepingCapacity: true)
        envelope?.add(sound.span) { onset, sounds in
            guard sounds || sounding > 0 else { return }
            sounding += 1
            history.append(sounding > Self.start ? onset : Onset())
        }
    }
}
