// SPDX-License-Identifier: Apache-2.0
public import FFmpeg
import Godwit

/// Makes the renditions that listeners get: all of a plan from one decode.
///
/// What a playlist names is stored before the playlist, and the master playlist after those, so that a
/// player that finds one finds all that it leads to.
public struct Transcoder: IngestTask {
    public static let name = "transcode"
    public static let version = 1

    public struct Output: Codable, Sendable, Hashable {
        /// What a listener is pointed at: playlists and whole files, not the segments.
        public var renditions: [ResultDocument.Rendition]
    }

    public let plan: TranscodePlan

    public init(_ plan: TranscodePlan = .standard) { self.plan = plan }

    public var options: String {
        (try? String(decoding: StableJSON.line(of: plan), as: UTF8.self)) ?? "\(plan)"
    }

    /// Twice the size for what is made of it, and a FLAC may be larger than a lossy original.
    public func cost(of track: Track) -> Cost {
        let size = track.size.multipliedReportingOverflow(by: 3)
        let sum = size.partialValue.addingReportingOverflow(64 << 20)
        return Cost(
            cpuSlots: 1, tempBytes: size.overflow || sum.overflow ? .max : sum.partialValue)
    }

    public func run(_ track: Track, in work: Workspace) async throws -> Output {
        let made = try await work.transcode(to: plan)
        var output = Output(renditions: [])
        for file in made {
            let stored = try await work.emit(file)
            if !file.name.hasPrefix("hls/") || file.name.hasSuffix(".m3u8") {
                output.renditions.append(
                    ResultDocument.Rendition(
                        name: file.name, key: stored.key, size: stored.size,
                        sha256: stored.sha256))
            }
        }
        return output
    }
}
