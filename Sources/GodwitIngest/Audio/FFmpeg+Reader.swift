// SPDX-License-Identifier: Apache-2.0
public import FFmpeg
public import SystemPackage

extension FFmpeg: MediaReader {
    public var toolVersions: [String: String] { ["ffmpeg": version] }

    public func decode(
        _ file: FilePath, _ info: MediaInfo, progress: (@Sendable (Double) async -> Void)?,
        _ consume: (Span<Float>) throws -> Void
    ) async throws -> DecodeReport {
        try await decode(file, info, mode: .gapless, progress: progress, consume)
    }
}
