// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Tells how fast the beat of a recording goes.
public struct TempoEstimator: SampleConsumer, Sendable {
    private let channels: Int
    private let step: Int
    private var envelope: OnsetEnvelope?
    private var history: OnsetHistory
    private var sum: Float = 0
    private var summed = 0
    private var mono: [Float] = []
    /// Frames that sound so far, 0 in a silent lead-in.
    private var sounding = 0

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
        mono.removeAll(keepingCapacity: true)
        while index < samples.count {
            let end = min(samples.count, index + group - summed)
            summed += end - index
            while index < end {
                let sample = samples[index]
                // What is no number, or no sound that a file can mean, counts as silence.
                sum += sample.magnitude <= 64 ? sample : 0
                index += 1
            }
            if summed == group {
                mono.append(sum * scale)
                (sum, summed) = (0, 0)
                if mono.count == 4096 { flush() }
            }
        }
        flush()
    }

    private mutating func flush() {
        let sound = mono
        mono.removeAll(keepingCapacity: true)
        envelope?.add(sound.span) { onset, sounds in
            if sounding == 0 && !sounds { return }
            sounding += 1
            history.append(sounding > 6 ? onset : OnsetEnvelope.Onset())
        }
    }

    public mutating func finish() -> Tempo? { reading?.tempo }

    package var reading: TempoReading? {
        envelope.map { TempoReading(history.minutes, rate: $0.rate) }
    }
}
