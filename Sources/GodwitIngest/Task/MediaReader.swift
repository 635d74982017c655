// SPDX-License-Identifier: Apache-2.0
import AudioSignal
public import FFmpeg
public import SystemPackage

/// What tasks need to hear a file: ``FFmpeg/FFmpeg``, or something else in a test.
public protocol MediaReader: Sendable {
    /// What makes results differ, by name: versions of programs.
    var toolVersions: [String: String] { get }

    func probe(_ file: FilePath) async throws(MediaFailure) -> MediaInfo

    /// Hands every sample to `consume` in order, interleaved, not before it took the last one.
    nonisolated(nonsending) func decode(
        _ file: FilePath, _ info: MediaInfo, mode: DecodeMode,
        progress: (@Sendable (Double) async -> Void)?, _ consume: (Span<Float>) throws -> Void
    ) async throws -> DecodeReport

    /// The Chromaprint fingerprint of the first two minutes; nil when it is too short for one.
    func fingerprint(_ file: FilePath, _ info: MediaInfo) async throws -> String?

    /// Makes all files of a plan in `folder`; what it returns first is stored first.
    nonisolated(nonsending) func transcode(
        _ file: FilePath, _ info: MediaInfo, to plan: TranscodePlan, in folder: FilePath,
        progress: (@Sendable (Double) async -> Void)?
    ) async throws -> [MadeFile]
}

extension MediaReader {
    /// Decodes in pieces of one length (``EvenBlocks``), so that what is found does not depend on how a
    /// pipe cut the sound.
    nonisolated(nonsending) func decodeEvenly(
        _ file: FilePath, _ info: MediaInfo, mode: DecodeMode,
        progress: (@Sendable (Double) async -> Void)?, _ consume: (Span<Float>) throws -> Void
    ) async throws -> DecodeReport {
        var blocks = EvenBlocks(channels: info.format.channels)
        let report = try await decode(file, info, mode: mode, progress: progress) {
            try blocks.add($0, consume)
        }
        try blocks.finish(consume)
        return report
    }
}
