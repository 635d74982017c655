// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation

extension Dice {
    /// Samples as a decoder would give them for this kind of file.
    mutating func samples(_ count: Int, _ kind: AudioFormat.Samples) -> [Float] {
        (0..<count).map { _ in
            switch kind {
            case .integer(let bits):
                let top = Int64(1) << Int64(bits - 1)
                return Float(Int64.random(in: -top..<top, using: &self)) / Float(top)
            case .float, .lossy: return Float.random(in: -1.1...1.1, using: &self)
            }
        }
    }
}

extension SampleConsumer {
    /// Fed in pieces of at most so many frames.
    mutating func consume(_ samples: [Float], channels: Int, pieces: Int = 1_000) -> Result {
        for start in stride(from: 0, to: samples.count, by: pieces * channels) {
            add(samples.span.extracting(start..<min(samples.count, start + pieces * channels)))
        }
        return finish()
    }
}

/// A waveform of samples, at once.
func drawn(
    _ samples: [Float], rate: Int = 44_100, channels: Int = 1,
    _ kind: AudioFormat.Samples = .integer(bits: 16), _ options: WaveformOptions = .init()
) throws -> Waveform {
    var builder = try WaveformBuilder(
        format: AudioFormat(sampleRate: rate, channels: channels, samples: kind), options: options)
    return builder.consume(samples, channels: channels)
}
