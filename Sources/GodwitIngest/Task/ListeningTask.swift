// SPDX-License-Identifier: Apache-2.0
public import AudioSignal
public import FFmpeg

/// A task that listens to the decoded sound. All of a stage that want to hear the same share one decode:
/// each is handed the same samples in turn, and the next ones are decoded when all have taken them.
public protocol ListeningTask: IngestTask {
    associatedtype Listener: SampleConsumer & Sendable where Listener.Result: Sendable

    /// What it wants to hear of a file like this; listeners of one mode share a decode.
    func decodeMode(for media: MediaInfo) -> DecodeMode

    /// What listens, for a file like this.
    func listener(for media: MediaInfo) throws -> Listener

    /// Makes the output of what was heard.
    func output(
        of heard: Listener.Result, _ report: DecodeReport, _ track: Track, in work: Workspace
    ) async throws -> Output
}

extension ListeningTask {
    /// The sound without what an encoder put around it.
    public func decodeMode(for media: MediaInfo) -> DecodeMode { .gapless }

    /// Alone, with a decode of its own.
    public func run(_ track: Track, in work: Workspace) async throws -> Output {
        let media = try await work.media()
        var listener = try listener(for: media)
        let report = try await work.decode(decodeMode(for: media)) { listener.add($0) }
        return try await output(of: listener.finish(), report, track, in: work)
    }
}

/// One who listens, whatever it is.
package protocol Ear: Sendable {
    var mode: DecodeMode { get }
    mutating func add(_ samples: Span<Float>)
    /// Makes the output and stores it.
    mutating func finish(_ report: DecodeReport, in work: Workspace) async throws
}

struct ListeningEar<T: ListeningTask>: Ear {
    let task: T
    let mode: DecodeMode
    var listener: T.Listener

    init(_ task: T, _ media: MediaInfo) throws {
        self.task = task
        mode = task.decodeMode(for: media)
        listener = try task.listener(for: media)
    }

    mutating func add(_ samples: Span<Float>) { listener.add(samples) }

    mutating func finish(_ report: DecodeReport, in work: Workspace) async throws {
        let output = try await task.output(of: listener.finish(), report, work.track, in: work)
        try await work.finish(output)
    }
}

extension ListeningTask {
    func ear(for media: MediaInfo) throws -> any Ear { try ListeningEar(self, media) }
}
