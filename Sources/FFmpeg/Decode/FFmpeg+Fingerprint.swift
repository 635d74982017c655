// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

extension FFmpeg {
    /// The Chromaprint fingerprint of the first 120 s, as `fpcalc -length 120` prints it; nil where
    /// the sound is too short for one.
    ///
    /// It is computed here: nobody is asked whose it is.
    public func fingerprint(
        _ file: FilePath, _ info: MediaInfo
    ) async throws(MediaFailure) -> String? {
        let input = try InputFile(file)
        let limits = Limits(options, time: options.time, duration: 0, share: 0)
        let command = Launcher.Command(
            ffmpeg, Self.fingerprintArguments(input, options), limits: limits)
        let text = try await launcher.text(command, limit: 1 << 16)
        return text.isEmpty ? nil : text
    }

    package static func fingerprintArguments(
        _ input: InputFile, _ options: FFmpegOptions
    ) -> [String] {
        Whitelist.input(input, options, codecs: Whitelist.codecs, before: ["-nostdin"]) + [
            "-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1", "-filter_threads", "1", "-t",
            "120", "-f", "chromaprint", "-fp_format", "base64", "pipe:1",
        ]
    }
}
