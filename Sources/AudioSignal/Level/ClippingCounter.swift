// SPDX-License-Identifier: Apache-2.0

/// Counts the places where a sound was cut off at full scale: runs of 3 samples or more of one channel at
/// 0.999 of full scale or above, of either sign.
///
/// In what a lossy codec decoded a cut wave overshoots, so runs beyond full scale count as well
/// (any player of integers cuts them), and so do flat tops: 8 samples or more within one step
/// of 16 bits, at the greatest magnitude so far and not below −12 dBFS. A sine of 15 Hz or less looks like
/// that too.
public struct ClippingCounter: SampleConsumer, Sendable {
    private static let fullScale: Float = 0.999
    private static let step: Float = 1 / 32_768
    private let format: AudioFormat
    private let isLossy: Bool
    private var channels: [Channel]

    private struct Channel: Sendable {
        /// Samples at full scale up to here.
        var run = 0
        /// Samples up to here that stand as high as the first of them.
        var flat = 0
        var top: Float = 0
        var greatest: Float = 0
        var count = 0
        var longest = 0
    }

    public init(format: AudioFormat) {
        precondition(format.channels >= 1)
        self.format = format
        isLossy = format.samples == .lossy
        channels = Array(repeating: Channel(), count: format.channels)
    }

    public mutating func add(_ samples: Span<Float>) {
        samples.withUnsafeBufferPointer { samples in
            precondition(samples.count % format.channels == 0, "a frame is torn")
            guard let base = samples.baseAddress else { return }
            let count = samples.count / format.channels
            for start in stride(from: 0, to: count, by: 64) {
                let (part, frames) = (base + start * format.channels, min(64, count - start))
                // Most blocks reach nothing that counts and end nothing that was begun.
                let quiet = greatestMagnitude(part, frames * format.channels) < lowestOfInterest
                for index in channels.indices {
                    var channel = channels[index]
                    if quiet {
                        guard channel.run > 0 || channel.flat > 0 else { continue }
                        end(&channel)
                    } else {
                        for frame in 0..<frames {
                            look(part[frame * format.channels + index], &channel)
                        }
                    }
                    channels[index] = channel
                }
            }
        }
    }

    public mutating func finish() -> Clipping {
        for channel in channels.indices { end(&channels[channel]) }
        return Clipping(
            count: channels.reduce(0) { $0 + $1.count },
            longest: channels.reduce(0) { max($0, $1.longest) })
    }

    /// No sample below it changes anything but by ending a run.
    private var lowestOfInterest: Float {
        guard isLossy else { return Self.fullScale }
        var quietest = Float.infinity
        for channel in channels { quietest = min(quietest, channel.greatest) }
        return min(Self.fullScale, max(0.25, Self.fullScale * quietest))
    }

    @inline(__always) private func look(_ sample: Float, _ channel: inout Channel) {
        let size = abs(sample)
        if size >= Self.fullScale {
            channel.run += 1
        } else {
            endRun(&channel)
        }
        guard isLossy else { return }
        if channel.flat > 0, abs(sample - channel.top) <= Self.step {
            channel.flat += 1
        } else {
            endFlat(&channel)
            (channel.flat, channel.top) = (1, sample)
        }
        if size > channel.greatest { channel.greatest = size }
    }

    @inline(__always) private func end(_ channel: inout Channel) {
        endRun(&channel)
        endFlat(&channel)
    }

    @inline(__always) private func endRun(_ channel: inout Channel) {
        if channel.run >= 3 { note(channel.run, &channel) }
        channel.run = 0
    }

    @inline(__always) private func endFlat(_ channel: inout Channel) {
        let size = abs(channel.top)
        if channel.flat >= 8, size >= 0.25, size >= Self.fullScale * channel.greatest,
            size + Self.step < Self.fullScale
        {
            note(channel.flat, &channel)
        }
        channel.flat = 0
    }

    private func note(_ length: Int, _ channel: inout Channel) {
        channel.count += 1
        channel.longest = max(channel.longest, length)
    }
}
