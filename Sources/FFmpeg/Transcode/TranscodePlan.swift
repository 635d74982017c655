// SPDX-License-Identifier: Apache-2.0

/// What is to be made of a file, in one decode.
public struct TranscodePlan: Sendable, Hashable, Codable {
    public enum Rendition: Sendable, Hashable, Codable {
        /// AAC-LC in fragmented MP4 with a playlist for each rate and a master playlist (RFC 8216).
        case hls(kilobits: [Int], segmentSeconds: Int = 6)
        /// Ogg Opus at 48 kHz.
        case opus(kilobits: Int)
        /// A piece as MP3, faded in and out.
        case preview(kilobits: Int, start: Double = 0, seconds: Double = 30, fade: Double = 1)
        /// Lossless, with the rate, the depth (at most 24 bits) and the tags of the original; never with gain.
        case flac
        /// AAC-LC in one file that plays while it loads, with the harmless tags.
        case m4a(kilobits: Int)
    }

    public var renditions: [Rendition]
    /// Applied to all but FLAC.
    public var gain: Gain?

    public init(_ renditions: [Rendition], gain: Gain? = nil) {
        self.renditions = renditions
        self.gain = gain
    }

    public static let standard = TranscodePlan([
        .hls(kilobits: [64, 128, 256]), .opus(kilobits: 96), .preview(kilobits: 128), .flac,
        .m4a(kilobits: 256),
    ])

    /// How much louder, so that nothing clips.
    public struct Gain: Sendable, Hashable, Codable {
        public var decibels: Double
        /// The original's, in dBTP; without it nothing is made louder.
        public var truePeak: Double?
        /// What the true peak may come to.
        public var ceiling: Double

        public init(decibels: Double, truePeak: Double?, ceiling: Double = -1) {
            self.decibels = decibels
            self.truePeak = truePeak
            self.ceiling = ceiling
        }

        /// The gain that is applied: the wanted one, or the largest that keeps the ceiling.
        public var applied: Double {
            guard decibels.isFinite else { return 0 }
            guard let truePeak, truePeak.isFinite else { return min(decibels, 0) }
            return max(min(decibels, ceiling - truePeak), -60)
        }
    }
}

/// One file that a transcode made.
public struct MadeFile: Sendable, Hashable {
    /// Its place among the others: `hls/seg_128k_00003.m4s`.
    public var name: String
    /// Where it lies now, absolute.
    public var path: String
    public var contentType: String
    public var size: UInt64
    /// In hexadecimal.
    public var sha256: String
    /// Files of a lower number are stored first: what a playlist names before it, the master at the end.
    public var order: Int

    public init(
        name: String, path: String, contentType: String, size: UInt64, sha256: String, order: Int
    ) {
        self.name = name
        self.path = path
        self.contentType = contentType
        self.size = size
        self.sha256 = sha256
        self.order = order
    }
}
