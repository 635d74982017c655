// SPDX-License-Identifier: Apache-2.0

public struct Transcoder: IngestTask {
    public static let name = "transcode"
    public static let version = 1

    public struct Output: Codable, Sendable, Hashable {
        public var renditions: [ResultDocument.Rendition]
    }

    public init() {}

    public func run(_ track: Track, in work: Workspace) async throws -> Output {
        Output(renditions: [])
    }
}
