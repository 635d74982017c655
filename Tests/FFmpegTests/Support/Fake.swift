// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import FFmpeg
import SystemPackage

/// A script in ffmpeg's place: tells a version when asked for one, else does what it is made for.
func fake(
    _ body: String, in folder: FilePath, walls: Cage.Walls? = nil,
    _ change: (inout FFmpegOptions) -> Void = { _ in }
)
    async throws -> FFmpeg
{
    let program = try folder.appending("fake").script(
        "case \"$1\" in -version) echo 'ffmpeg version fake'; exit 0;; esac\n" + body + "\n")
    return try await makeFFmpeg {
        $0.ffmpeg = program
        $0.ffprobe = program
        $0.walls = walls
        $0.quiet = .seconds(60)
        $0.grace = .milliseconds(200)
        change(&$0)
    }
}

/// A small WAV file, and what a probe of it says.
func sample(in folder: FilePath) throws -> (file: FilePath, info: MediaInfo) {
    let file = folder.appending("sample")
    try file.write(wave(rate: 8000, channels: 1, bits: 16, [UInt8](repeating: 0, count: 16_000)))
    let info = MediaInfo(
        container: "wav", codec: "pcm_s16le", duration: 1,
        format: AudioFormat(sampleRate: 8000, channels: 1), bitDepth: 16, tags: [:], hasCover: false
    )
    return (file, info)
}

/// The failure that the work ended in.
func failure(_ work: () async throws -> Void) async -> MediaFailure? {
    do {
        try await work()
        return nil
    } catch { return error as? MediaFailure }
}

extension MediaFailure {
    var word: String {
        switch self {
        case .invalid: "invalid"
        case .limit: "limit"
        case .retry: "retry"
        case .config: "config"
        }
    }
}
