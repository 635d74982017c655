// SPDX-License-Identifier: Apache-2.0
public import AudioSignal
public import FFmpeg
public import SystemPackage

/// One file that is only looked at: no queue, no store.
public struct LocalFile: Sendable {
    public let path: FilePath
    public let media: MediaInfo
    private let reader: any MediaReader

    public init(_ path: FilePath, with reader: any MediaReader) async throws {
        self.path = path
        self.reader = reader
        media = try await reader.probe(path)
    }

    /// Feeds a listener with all of it; with `untrimmed` also with what an encoder put around the sound.
    public nonisolated(nonsending) func hear<Listener: SampleConsumer>(
        by listener: Listener, untrimmed: Bool = false
    ) async throws -> (heard: Listener.Result, report: DecodeReport) {
        var listener = listener
        let report = try await reader.decode(
            path, media, mode: untrimmed ? .untrimmed : .gapless, progress: nil
        ) { listener.add($0) }
        return (listener.finish(), report)
    }

    /// The result document, without what only a store knows. `also` hears the same decode.
    public nonisolated(nonsending) func analysis(
        also listen: (Span<Float>) -> Void = { _ in }
    ) async throws -> ResultDocument {
        var analysis = TrackAnalyzer.Listener(format: media.format)
        let report = try await reader.decodeEvenly(path, media, mode: .gapless, progress: nil) {
            analysis.add($0)
            listen($0)
        }
        let output = TrackAnalyzer.Output(
            analysis.finish(), media, report,
            fingerprint: try await reader.fingerprint(path, media),
            toolVersions: reader.toolVersions)
        let (size, sha256) = try await InputFile.digest(of: path)
        var document = ResultDocument(
            input: ResultDocument.Input(size: size, sha256: sha256),
            toolVersions: [TrackAnalyzer.name: "\(TrackAnalyzer.version)"])
        document.take(output)
        return document
    }
}

extension ResultDocument {
    /// As it is stored: keys sorted, the same bytes for the same document.
    public func json() throws -> [UInt8] { try StableJSON.bytes(of: self) }
}
