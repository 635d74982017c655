// SPDX-License-Identifier: Apache-2.0
public import FFmpeg
import Foundation
import Godwit
import Synchronization
public import SystemPackage

/// Where a task works: the fetched file, a folder for what it makes, and the way to the store.
///
/// The folder and all in it are removed when the task ends, however it ends.
public struct Workspace: Sendable {
    public let track: Track
    /// Under which the task's results are stored.
    public let key: TaskKey
    /// SHA-256 of the input, in hex.
    public let inputHash: String
    /// A folder of this run's own.
    public let folder: FilePath
    package let stage: StageWork
    /// When the task began, the decode that it shares included.
    package var begin = ContinuousClock.now
    private let made = Made()

    private final class Made: Sendable {
        let files = Mutex<[StoredFile]>([])
    }

    package init(
        _ stage: StageWork, track: Track, key: TaskKey, inputHash: String, folder: FilePath
    ) {
        self.stage = stage
        self.track = track
        self.key = key
        self.inputHash = inputHash
        self.folder = folder
    }

    /// The track's object, under a name of ours. Read it; never change it.
    public var file: FilePath {
        get throws { try stage.fetched().path }
    }

    /// What the file is; looked at once per stage.
    public func media() async throws -> MediaInfo { try await stage.media() }

    /// The versions of the programs that hear the file.
    public var toolVersions: [String: String] { stage.shop.media.toolVersions }

    /// Decodes the file. Tasks that only listen share a decode as ``ListeningTask``.
    public nonisolated(nonsending) func decode(
        _ mode: DecodeMode = .gapless, _ consume: (Span<Float>) throws -> Void
    ) async throws -> DecodeReport {
        try await stage.decode(mode, consume)
    }

    /// Makes all files of a plan in this run's folder; store what comes first first.
    public func transcode(to plan: TranscodePlan) async throws -> [MadeFile] {
        let name = key.name
        return try await stage.shop.media.transcode(
            try file, try await media(), to: plan, in: folder,
            progress: { [stage] fraction in try? await stage.progress(fraction, of: name) })
    }

    /// The Chromaprint fingerprint; nil when the sound is too short for one.
    public func fingerprint() async throws -> String? {
        let print = try await stage.shop.media.fingerprint(try file, try await media())
        stage.watch.moved()
        return print
    }

    /// Which run of the stage on this track it is by reported failures, from 1.
    public var attempt: Int { stage.attempt }

    // MARK: Results

    /// Puts a file into the output store, beside the task's other results, as `name`.
    ///
    /// - Order: what was emitted before is there when this is.
    /// - Repeated, after a crash: it replaces what lies there, so that a record never names files of
    ///   two versions of a tool.
    public func emit(
        file: FilePath, as name: String, contentType: String = "application/octet-stream"
    ) async throws -> StoredFile {
        try await emit(name, contentType) {
            try await InputFile.digest(of: file) { stage.watch.moved() }
        } put: { store, key, options in
            try await store.put(file: file, at: key, options)
        }
    }

    /// The same for a file whose size and hash are known from its making.
    public func emit(_ file: MadeFile) async throws -> StoredFile {
        try await emit(file.name, file.contentType) {
            (file.size, file.sha256)
        } put: { store, key, options in
            try await store.put(file: FilePath(file.path), at: key, options)
        }
    }

    /// The same for bytes that fit in memory.
    public func emit(
        _ bytes: [UInt8], as name: String, contentType: String = "application/json"
    ) async throws -> StoredFile {
        try await emit(name, contentType) {
            (UInt64(bytes.count), Digest.hex(of: bytes))
        } put: { store, key, options in
            try await store.put(bytes, at: key, options)
        }
    }

    private func emit(
        _ name: String, _ contentType: String,
        digest: () async throws -> (size: UInt64, sha256: String),
        put: (any ObjectStore, String, PutOptions) async throws -> PutOutcome
    ) async throws -> StoredFile {
        try Task.checkCancellation()
        try check(name)
        let key = "\(key.folder(for: inputHash))/\(name)"
        let (size, hash) = try await digest()
        // Why: nothing is heard of a put before its end, and a large one takes its time.
        stage.watch.expects(size)
        let store = stage.shop.output
        // Why over what is there: a task runs only where it has no record, so it is of a run that died.
        _ = try await put(store, key, PutOptions(contentType: contentType, ifAbsent: false))
        stage.watch.moved()
        let file = StoredFile(
            name: name, key: key, size: size, sha256: hash, contentType: contentType)
        made.files.withLock { $0.append(file) }
        return file
    }

    private func check(_ name: String) throws {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && part.first != "."
                && part.utf8.allSatisfy {
                    (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == 0x2D
                        || $0 == 0x2E || $0 == 0x5F
                }
        }
        let isTaken = made.files.withLock { $0.contains { $0.name == name } }
        guard isPlain, name.utf8.count <= 200, name != TaskKey.recordName,
            name != TaskKey.timingsName, !isTaken
        else {
            throw TaskFailure.config(
                "task \(key.name) emits '\(name.escapedForDisplay)': a result's name is of letters, digits, '-', '_' and '.', in parts between '/', used once, and not \(TaskKey.recordName)"
            )
        }
    }

    /// What another task of the chain made of this track; nil when none of that type is in the chain
    /// or it has not run.
    public func output<T: IngestTask>(of type: T.Type) async throws -> T.Output? {
        guard let key = stage.shop.keys[ObjectIdentifier(type)],
            let bytes = try await stage.shop.output.bytes(at: key.record(for: inputHash))
        else { return nil }
        return try stage.shop.decode(OutputRecord<T.Output>.self, bytes, key, inputHash).output
    }

    // MARK: Progress

    /// Says how far the run has come, from 0 to 1: shown to operators, and what keeps the run alive.
    ///
    /// Throws ``Godwit/LeaseLost`` when another run may have the track: stop then.
    public func progress(_ fraction: Double) async throws {
        try await stage.progress(fraction, of: key.name)
    }

    /// Keeps up to 2 KiB for the next run of this task on this track.
    public func checkpoint(_ bytes: [UInt8]) async throws {
        try await stage.checkpoint(bytes, of: key.name)
    }

    /// What an earlier run left by ``checkpoint(_:)``.
    public var checkpoint: [UInt8]? { stage.checkpoint(of: key.name) }

    // MARK: The end

    /// Writes the record that says that the task is finished: the last thing, after every file.
    package func finish(_ output: some Codable & Sendable) async throws {
        try Task.checkCancellation()
        let store = stage.shop.output
        let options = PutOptions(contentType: "application/json", ifAbsent: true)
        // Why apart: the record's bytes are the same in every run.
        _ = try await store.put(
            try StableJSON.bytes(of: TaskTiming(seconds: begin.duration(to: .now))),
            at: "\(key.folder(for: inputHash))/\(TaskKey.timingsName)", options)
        let files = made.files.withLock { $0 }.sorted { $0.name < $1.name }
        let record = OutputRecord(key, input: inputHash, output: output, files: files)
        _ = try await store.put(
            try StableJSON.bytes(of: record), at: key.record(for: inputHash), options)
        stage.watch.moved()
    }
}

/// How long a task took, as `timings.json` beside its record.
package struct TaskTiming: Codable, Sendable {
    package var seconds: Double

    init(seconds: Duration) {
        let parts = seconds.components
        let exact = Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
        self.seconds = (exact * 1000).rounded() / 1000
    }
}
