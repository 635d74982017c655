// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Finds where a sound is silent: every channel below a level for long enough.
///
/// The rule of ffmpeg's `silencedetect=n=-60dB:d=0.5` (a sample is silent below the level, not at it),
/// counted in whole frames. The answer is in order and covers head, tail and what lies between.
public struct SilenceFinder: SampleConsumer, Sendable {
    private let format: AudioFormat
    private let level: Float
    /// Frames that a silence has at least.
    private let shortest: Int
    private var spans: [TimeSpan] = []
    private var frames = 0
    /// The first frame after the last that sounded.
    private var quietSince = 0

    /// Below −60 dBFS for half a second, unless told otherwise.
    public init(format: AudioFormat, decibels: Double = -60, seconds: Double = 0.5) {
        precondition(format.channels >= 1 && format.sampleRate >= 1 && seconds >= 0)
        self.format = format
        level = Float(pow(10, decibels / 20))
        shortest = max(1, Int((seconds * Double(format.sampleRate)).rounded(.up)))
    }

    public mutating func add(_ samples: Span<Float>) {
        samples.withUnsafeBufferPointer { samples in
            precondition(samples.count % format.channels == 0, "a frame is torn")
            guard let base = samples.baseAddress else { return }
            let count = samples.count / format.channels
            // A block that is shorter than any silence: only its two ends need be looked at.
            let block = min(64, shortest)
            for start in stride(from: 0, to: count, by: block) {
                look(base + start * format.channels, min(block, count - start))
            }
        }
    }

    public mutating func finish() -> [TimeSpan] {
        close(at: frames)
        return spans
    }

    private mutating func look(_ start: UnsafePointer<Float>, _ count: Int) {
        let first = frames
        frames += count
        guard greatestMagnitude(start, count * format.channels) >= level else { return }
        var index = 0
        while !sounds(start, index) { index += 1 }
        close(at: first + index)
        index = count - 1
        while !sounds(start, index) { index -= 1 }
        quietSince = first + index + 1
    }

    @inline(__always) private func sounds(_ start: UnsafePointer<Float>, _ frame: Int) -> Bool {
        for channel in 0..<format.channels
        where abs(start[frame * format.channels + channel]) >= level { return true }
        return false
    }

    /// Ends the silence before a frame that sounds, or before the end.
    private mutating func close(at frame: Int) {
        guard frame - quietSince >= shortest else { return }
        let rate = Double(format.sampleRate)
        spans.append(TimeSpan(start: Double(quietSince) / rate, end: Double(frame) / rate))
    }
}
