// SPDX-License-Identifier: Apache-2.0

/// What a decode came to.
public struct DecodeReport: Sendable, Hashable, Codable {
    /// Frames that were handed out: one sample of each channel.
    public var frames: Int
    /// Packets that the decoder gave up on; what they held is missing.
    public var errors: Int

    public init(frames: Int, errors: Int) {
        self.frames = frames
        self.errors = errors
    }
}

/// What becomes of the silence that an encoder put around the sound.
public enum DecodeMode: Sendable, Hashable {
    /// Taken away at both ends, where the file tells how much: ffmpeg's way, and that of the transcodes.
    case gapless
    /// Kept: for who does the trimming, or needs audiowaveform's numbers (see ``Gapless``).
    case untrimmed
}
