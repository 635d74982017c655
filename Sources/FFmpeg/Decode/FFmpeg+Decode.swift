// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Subprocess
public import SystemPackage

extension FFmpeg {
    /// Decodes the first audio stream to Float, interleaved, at its own rate and with its own channels,
    /// and hands it out in whole frames as it comes.
    ///
    /// - Memory: a pipe's and one buffer's, whatever the length; while `consume` works, ffmpeg waits.
    /// - Progress: told the fraction that is decoded, at each new hundredth and at least every second
    ///   while samples come, and only then: who renews a lease with it does not renew a hung one's.
    /// - Throws: what `consume` threw; `CancellationError`; ``MediaFailure``. By then no process is left.
    /// - Repeated: hands out the same samples.
    public nonisolated(nonsending) func decode(
        _ file: FilePath, _ info: MediaInfo, mode: DecodeMode = .gapless,
        progress: (@Sendable (Double) async -> Void)? = nil,
        _ consume: (Span<Float>) throws -> Void
    ) async throws -> DecodeReport {
        let input = try InputFile(file)
        let limits = Limits(options, time: options.time, duration: info.duration, share: 0.1)
        let command = Launcher.Command(
            ffmpeg, Self.decodeArguments(input, info, mode, options), limits: limits)
        let most = Int(options.maxDuration.seconds * Double(info.format.sampleRate))
        let watch = Watch(limits)
        var cutter = FrameCutter(channels: info.format.channels)
        var steps = ProgressSteps(
            whole: info.duration.map { $0 * Double(info.format.sampleRate) })
        let end = try await launcher.run(command, watch: watch) { chunk in
            watch.advance()
            try cutter.add(chunk.bytes, consume)
            guard cutter.frames <= most else {
                throw MediaFailure.limit(
                    MediaFault("it is longer than \(options.maxDuration), whatever it says"))
            }
            if let progress, let fraction = steps.reach(Double(cutter.frames), at: .now) {
                await progress(fraction)
            }
        }
        if let failure = end.failure(of: "ffmpeg") { throw failure }
        guard cutter.frames > 0 else {
            throw MediaFailure.invalid(
                MediaFault(
                    "not one frame of it could be decoded", exitCode: 0, errorText: end.errorText))
        }
        return DecodeReport(frames: cutter.frames, errors: end.decodeErrors)
    }

    package static func decodeArguments(
        _ input: InputFile, _ info: MediaInfo, _ mode: DecodeMode, _ options: FFmpegOptions
    ) -> [String] {
        var before = ["-nostdin"]
        if mode == .untrimmed { before += ["-flags2", "+skip_manual"] }
        // A stream may change its rate or channels on the way, and the pipe can not say so: it is
        // brought back to what was probed, or refused where that has no name.
        var shape = "aformat=sample_fmts=flt:sample_rates=\(info.format.sampleRate)"
        if let layout = ChannelLayout(info.layoutName, channels: info.format.channels) {
            shape += ":channel_layouts=\(layout.name)"
        } else {
            before += ["-reinit_filter", "0"]
        }
        return Whitelist.input(input, options, codecs: Whitelist.codecs, before: before) + [
            "-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1", "-filter_threads", "1", "-af",
            shape, "-t", "\(Int(options.maxDuration.seconds) + 1)", "-c:a", "pcm_f32le", "-f",
            "f32le", "pipe:1",
        ]
    }
}

