// SPDX-License-Identifier: Apache-2.0
public import Logging
public import SystemPackage

/// Which tools run, and what a file may cost.
public struct FFmpegOptions: Sendable {
    /// The decoder; nil: the first `ffmpeg` in PATH. A name of the settings, never of a message.
    public var ffmpeg: FilePath?
    /// The prober; nil: the first `ffprobe` in PATH.
    public var ffprobe: FilePath?

    /// Longer files are refused, whether their header says so or their samples do.
    public var maxDuration: Duration = .seconds(12 * 3600)
    public var maxChannels = 24
    /// Streams of any kind, pictures included.
    public var maxStreams = 64
    /// Address space of one run, in bytes (`RLIMIT_AS`).
    public var maxMemory: UInt64 = 1 << 30
    /// Bytes of one written file (`RLIMIT_FSIZE`). Decoding and probing write no file at all.
    public var maxFileBytes: UInt64 = 8 << 30

    /// Wall clock and processor time of a run on a short file. A decode may take a tenth of the
    /// file's length besides, a transcode as much again for each output.
    public var time: Duration = .seconds(60)
    /// Wall clock and processor time of a probe.
    public var probeTime: Duration = .seconds(20)
    /// How long nothing may come out: at the start, between two signs of progress, at the end.
    public var quiet: Duration = .seconds(30)
    /// Between SIGTERM and SIGKILL.
    public var grace: Duration = .seconds(1)

    public var logger: Logger

    public init(logger: Logger = Logger(label: "ffmpeg")) {
        self.logger = logger
    }
}
