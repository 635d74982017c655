// SPDX-License-Identifier: Apache-2.0
public import AudioSignal

/// What a probe found in a file.
public struct MediaInfo: Sendable, Hashable, Codable {
    /// The demuxer's name, one of those that are let in: `wav`, `mp3`, `flac`, `ogg`, `mov` …
    public var container: String
    public var codec: String
    /// Seconds, as the container says; nil when it does not.
    public var duration: Double?
    public var format: AudioFormat
    /// Bits of a sample where the codec has such a thing.
    public var bitDepth: Int?
    /// As written in the file, with names in lower case; hostile text.
    public var tags: [String: String]
    public var hasCover: Bool

    public init(
        container: String, codec: String, duration: Double?, format: AudioFormat, bitDepth: Int?,
        tags: [String: String], hasCover: Bool
    ) {
        self.container = container
        self.codec = codec
        self.duration = duration
        self.format = format
        self.bitDepth = bitDepth
        self.tags = tags
        self.hasCover = hasCover
    }
}
