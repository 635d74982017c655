// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

extension FFmpeg {
    /// Looks at a file and says what is in it; nothing is decoded that need not be.
    ///
    /// - Throws: ``MediaFailure/invalid(_:)`` for what is no audio that is let in, ``MediaFailure/limit(_:)``
    ///   for more channels, streams or seconds than allowed.
    public func probe(_ file: FilePath) async throws(MediaFailure) -> MediaInfo {
        let input = try InputFile(file)
        let limits = Limits(options, time: options.probeTime, duration: 0, share: 0)
        let command = Launcher.Command(
            ffprobe, Self.probeArguments(input, options), limits: limits)
        let text = try await launcher.text(command, limit: ProbeDocument.limit)
        return try ProbeDocument(text).info(of: input, within: options)
    }

    package static func probeArguments(
        _ input: InputFile, _ options: FFmpegOptions
    ) -> [String] {
        Whitelist.input(
            input, options, codecs: Whitelist.codecs + Whitelist.covers,
            before: [
                "-analyzeduration", "10000000", "-probesize", "5000000", "-of", "json=compact=1",
                "-show_entries",
                "format=duration,bit_rate:format_tags"
                    + ":stream=codec_name,codec_type,sample_fmt,sample_rate,channels,channel_layout,"
                    + "bits_per_raw_sample,bits_per_sample,duration,bit_rate:stream_tags"
                    + ":stream_disposition=attached_pic",
            ])
    }
}
