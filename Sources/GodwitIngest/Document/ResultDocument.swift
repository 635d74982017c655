// SPDX-License-Identifier: Apache-2.0
public import AudioSignal
public import FFmpeg

/// What is known of a track, as `result.json`: the keys are an agreement with whoever reads it, so that
/// fields may be added and none changes its meaning. What is not known is null.
///
/// Seconds, LUFS, LU, dBTP.
public struct ResultDocument: Sendable, Hashable, Codable {
    public struct Input: Sendable, Hashable, Codable {
        /// Nil for a local file that was only looked at.
        public var bucket: String?
        public var key: String?
        public var etag: String?
        public var versionID: String?
        public var size: UInt64
        public var sha256: String

        enum CodingKeys: String, CodingKey {
            case bucket, key, etag, size, sha256
            case versionID = "version_id"
        }
    }

    public struct Media: Sendable, Hashable, Codable {
        /// Of the decoded sound.
        public var duration: Double
        public var container: String
        public var codec: String
        public var sampleRate: Int
        public var channels: Int
        public var bitDepth: Int?
        /// As written in the file: hostile text.
        public var tags: [String: String]

        enum CodingKeys: String, CodingKey {
            case duration, container, codec, channels, tags
            case sampleRate = "sample_rate"
            case bitDepth = "bit_depth"
        }

        public init(_ info: MediaInfo, _ report: DecodeReport) {
            duration = Rounded.to(3, Double(report.frames) / Double(info.format.sampleRate))
            container = info.container
            codec = info.codec
            sampleRate = info.format.sampleRate
            channels = info.format.channels
            bitDepth = info.bitDepth
            tags = info.tags
        }
    }

    public struct Rendition: Sendable, Hashable, Codable {
        public var name: String
        public var key: String
        public var size: UInt64
        public var sha256: String
    }

    public struct Waveform: Sendable, Hashable, Codable {
        public var key: String
        public var samplesPerPixel: Int
        public var bits: Int

        enum CodingKeys: String, CodingKey {
            case key, bits
            case samplesPerPixel = "samples_per_pixel"
        }
    }

    public static let schemaVersion = 1

    public var schemaVersion = Self.schemaVersion
    public var input: Input
    public var media: Media?
    public var loudness: Loudness?
    public var tempo: Tempo?
    public var key: KeyEstimate?
    public var silence: [TimeSpan]?
    public var clipping: Clipping?
    public var levels: LevelReport?
    public var decodeErrors: Int?
    public var fingerprint: String?
    public var renditions: [Rendition]?
    public var waveform: Waveform?
    /// Seconds of each task; a decode that several share counts for each of them.
    public var timings: [String: Double]
    /// What made it: programs, and the version of each task.
    public var toolVersions: [String: String]

    public init(input: Input, timings: [String: Double] = [:], toolVersions: [String: String] = [:])
    {
        self.input = input
        self.timings = timings
        self.toolVersions = toolVersions
    }

    enum CodingKeys: String, CodingKey {
        case input, media, loudness, tempo, key, silence, clipping, levels, fingerprint, renditions,
            waveform, timings
        case schemaVersion = "schema_version"
        case decodeErrors = "decode_errors"
        case toolVersions = "tool_versions"
    }

    /// Takes over what the analysis found.
    public mutating func take(_ analysis: TrackAnalyzer.Output) {
        media = analysis.media
        loudness = analysis.loudness
        tempo = analysis.tempo
        key = analysis.key
        silence = analysis.silence
        clipping = analysis.clipping
        levels = analysis.levels
        decodeErrors = analysis.decodeErrors
        fingerprint = analysis.fingerprint
        toolVersions.merge(analysis.toolVersions) { $1 }
    }

    /// Why by hand: what is not known stands there as null, so that a reader sees that it was asked.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(schemaVersion, forKey: .schemaVersion)
        try container.encode(input, forKey: .input)
        try container.encode(media, forKey: .media)
        try container.encode(loudness, forKey: .loudness)
        try container.encode(tempo, forKey: .tempo)
        try container.encode(key, forKey: .key)
        try container.encode(silence, forKey: .silence)
        try container.encode(clipping, forKey: .clipping)
        try container.encode(levels, forKey: .levels)
        try container.encode(decodeErrors, forKey: .decodeErrors)
        try container.encode(fingerprint, forKey: .fingerprint)
        try container.encode(renditions, forKey: .renditions)
        try container.encode(waveform, forKey: .waveform)
        try container.encode(timings, forKey: .timings)
        try container.encode(toolVersions, forKey: .toolVersions)
    }
}

/// Numbers as people and bytes want them: no digits that mean nothing.
package enum Rounded {
    package static func to(_ digits: Int, _ number: Double) -> Double {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let rounded = (number * scale).rounded() / scale
        return rounded.isFinite ? rounded : 0
    }

    package static func to(_ digits: Int, _ number: Double?) -> Double? {
        number.flatMap { $0.isFinite ? to(digits, $0) as Double : nil }
    }
}
