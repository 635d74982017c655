// SPDX-License-Identifier: Apache-2.0

/// What the samples of a sound say of its making.
public struct LevelReport: Sendable, Hashable, Codable {
    /// One of each for a channel.
    public struct Channel: Sendable, Hashable, Codable {
        /// The mean, as a part of full scale: 0 for a sound that stands level.
        public var dcOffset: Double
        /// dBFS, where a full-scale square wave is 0; nil for digital silence.
        public var rms: Double?
        /// dBFS of the greatest sample; nil for digital silence.
        public var peak: Double?
        /// dB between the two; nil for digital silence.
        public var crest: Double?

        enum CodingKeys: String, CodingKey {
            case dcOffset = "dc_offset"
            case rms, peak, crest
        }
    }

    public var channels: [Channel]
    /// Bits that ever changed, of integer PCM: 16 in a 24-bit file that was padded. Nil for other samples
    /// and for digital silence.
    public var bitsUsed: Int?
    /// Of the first two channels, from −1 (mirrored) through 0 (unrelated) to 1 (the same); nil where there
    /// is one channel or one is silent.
    public var correlation: Double?
    /// Two channels whose samples are the same, one for one. Nil where there are not two.
    public var isDualMono: Bool?

    enum CodingKeys: String, CodingKey {
        case channels, correlation
        case bitsUsed = "bits_used"
        case isDualMono = "dual_mono"
    }
}
