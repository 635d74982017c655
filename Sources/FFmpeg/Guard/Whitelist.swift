// SPDX-License-Identifier: Apache-2.0

/// The options that stand before every input, and the codecs that are let in.
package enum Whitelist {
    /// Decoders by ffmpeg's names. Nothing that decodes pictures or text, or that nobody uploads.
    package static let codecs = [
        "mp3float", "mp3", "mp2float", "mp2", "mp1float", "mp1", "aac", "flac", "alac", "vorbis", "opus",
        "libopus", "wmav1", "wmav2", "wmapro", "wmalossless", "adpcm_ms", "adpcm_ima_wav",
        "adpcm_ima_qt", "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be",
        "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le",
        "pcm_f64be",
    ]

    /// Why ffprobe has more: it opens a decoder for every stream and gives up where one is refused, so
    /// that no file with a cover could be probed. They get no further than the size of a picture.
    package static let covers = ["png", "mjpeg", "gif", "bmp", "webp"]

    /// For both tools, before `-i`.
    package static func input(
        _ file: InputFile, _ options: FFmpegOptions, codecs: [String], before: [String] = []
    ) -> [String] {
        [
            "-hide_banner", "-v", "error", "-max_alloc", "\(options.maxMemory / 4)", "-threads", "1",
            "-protocol_whitelist", "file", "-format_whitelist", file.kind.rawValue,
            "-codec_whitelist", codecs.joined(separator: ","), "-max_streams",
            "\(options.maxStreams)", "-max_pixels", "1",
        ] + before + ["-f", file.kind.rawValue, "-i", file.url]
    }
}
