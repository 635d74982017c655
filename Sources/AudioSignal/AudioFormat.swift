// SPDX-License-Identifier: Apache-2.0

/// What decoded samples are: how many channels, how fast, and what they were before they became floats.
public struct AudioFormat: Sendable, Hashable, Codable {
    /// What a sample was in the file. A float of ±1 stands for full scale, and for integers of up to
    /// 24 bits it is exact, so that who needs the integer gets the very one.
    public enum Samples: Sendable, Hashable, Codable {
        /// Integer PCM of so many bits: WAV, FLAC, ALAC, AIFF.
        case integer(bits: Int)
        /// Floating point PCM.
        case float
        /// What a lossy codec's decoder computed.
        case lossy
    }

    /// Frames per second.
    public var sampleRate: Int
    public var channels: Int
    public var samples: Samples
    /// What each channel is for; empty when the file does not say.
    public var layout: [Channel]

    public init(
        sampleRate: Int, channels: Int, samples: Samples = .integer(bits: 16),
        layout: [Channel] = []
    ) {
        self.sampleRate = sampleRate
        self.channels = channels
        self.samples = samples
        self.layout = layout
    }

    /// A channel's place, by the names that ffmpeg and ITU-R BS.775 use.
    public enum Channel: String, Sendable, Hashable, Codable {
        case left = "FL"
        case right = "FR"
        case centre = "FC"
        case lowFrequency = "LFE"
        case backLeft = "BL"
        case backRight = "BR"
        case sideLeft = "SL"
        case sideRight = "SR"
        case other = "?"
    }
}
