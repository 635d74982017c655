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
    /// ffmpeg's name of the channel layout, one that ``AudioFormat/layout`` was made of; nil: not known.
    public var layoutName: String?
    /// Bits per second, as the file says.
    public var bitRate: Int?
    /// What an MP3's encoder put before and behind the sound.
    public var gapless: Gapless?

    public init(
        container: String, codec: String, duration: Double?, format: AudioFormat, bitDepth: Int?,
        tags: [String: String], hasCover: Bool, layoutName: String? = nil, bitRate: Int? = nil,
        gapless: Gapless? = nil
    ) {
        self.container = container
        self.codec = codec
        self.duration = duration
        self.format = format
        self.bitDepth = bitDepth
        self.tags = tags
        self.hasCover = hasCover
        self.layoutName = layoutName
        self.bitRate = bitRate
        self.gapless = gapless
    }
}
