// SPDX-License-Identifier: Apache-2.0

/// Every file of a track, as `manifest.json` beside the result document.
public struct Manifest: Sendable, Hashable, Codable {
    public struct Task: Sendable, Hashable, Codable {
        public var name: String
        public var version: Int
        /// The key of its `output.json`.
        public var key: String
    }

    public var schemaVersion = 1
    /// The hash of the input.
    public var input: String
    public var tasks: [Task]
    public var files: [StoredFile]

    enum CodingKeys: String, CodingKey {
        case input, tasks, files
        case schemaVersion = "schema_version"
    }
}

/// Puts together what the tasks made of a track: the manifest, then, as the very last thing, the result
/// document. Whoever finds `result.json` finds everything that it and the manifest name.
///
/// - Order: a playlist is emitted behind every segment that it names, a task's record behind its files,
///   and this runs in a stage behind those of the tasks.
/// - Repeated: changes nothing once the result document is there; a manifest without one is replaced.
/// - Another chain of tasks, another version or other options: another place, beside the old one.
public struct Publication: Sendable {
    public init() {}

    public func publish(_ track: Track, _ work: Workspace) async throws {
        let store = work.stage.shop.output
        let place = Self.folder(of: track, work)
        let options = PutOptions(contentType: "application/json", ifAbsent: true)
        guard try await store.head("\(place)/\(Self.resultName)") == nil else { return }

        var manifest = Manifest(input: work.inputHash, tasks: [], files: [])
        var document = ResultDocument(
            input: ResultDocument.Input(
                bucket: track.bucket, key: track.key, etag: track.etag,
                versionID: track.versionID, size: track.size, sha256: work.inputHash))
        for key in work.stage.shop.chain {
            let place = key.record(for: work.inputHash)
            guard let bytes = try await store.bytes(at: place) else {
                throw TaskFailure.retry(
                    "\(place) is not in \(store.name): the stage of task \(key.name) comes before this one and stored it; was it removed?"
                )
            }
            let record = try work.stage.shop.decode(
                OutputRecord<AnyOutput>.self, bytes, key, work.inputHash)
            manifest.tasks.append(Manifest.Task(name: key.name, version: key.version, key: place))
            manifest.files += record.files
            manifest.files.append(
                StoredFile(
                    name: "\(key.name)/\(TaskKey.recordName)", key: place,
                    size: UInt64(bytes.count), sha256: Digest.hex(of: bytes),
                    contentType: "application/json"))
            document.toolVersions[key.name] = "\(key.version)"
            let timings = "\(key.folder(for: work.inputHash))/\(TaskKey.timingsName)"
            if let bytes = try await store.bytes(at: timings),
                let timing = try? StableJSON.decode(TaskTiming.self, from: bytes)
            {
                document.timings[key.name] = timing.seconds
            }
        }
        if let analysis = try await work.output(of: TrackAnalyzer.self) { document.take(analysis) }
        if let made = try await work.output(of: WaveformGenerator.self) {
            document.waveform = made.best
        }
        if let made = try await work.output(of: Transcoder.self) {
            document.renditions = made.renditions
        }
        let result = try StableJSON.bytes(of: document)
        manifest.files.append(
            StoredFile(
                name: Self.resultName, key: "\(place)/\(Self.resultName)",
                size: UInt64(result.count), sha256: Digest.hex(of: result),
                contentType: "application/json"))
        manifest.files.sort { $0.key < $1.key }
        // Why over an old one: without a result it is of a run that died, perhaps under another etag.
        _ = try await store.put(
            try StableJSON.bytes(of: manifest), at: "\(place)/manifest.json",
            PutOptions(contentType: "application/json", ifAbsent: false))
        _ = try await store.put(result, at: "\(place)/\(Self.resultName)", options)
        work.stage.watch.moved()
    }

    static let resultName = "result.json"

    /// Where the result document of a track lies.
    package static func resultKey(of track: Track, _ work: Workspace) -> String {
        resultKey(of: track, inputHash: work.inputHash, chain: work.stage.shop.chain)
    }

    package static func resultKey(of track: Track, inputHash: String, chain: [TaskKey]) -> String {
        "\(folder(of: track, inputHash, chain))/\(resultName)"
    }

    private static func folder(of track: Track, _ work: Workspace) -> String {
        folder(of: track, work.inputHash, work.stage.shop.chain)
    }

    /// Below the input's hash, by where it came from and what was done with it. Why not the etag: the same
    /// bytes under a new one are the same track.
    private static func folder(of track: Track, _ inputHash: String, _ chain: [TaskKey]) -> String {
        let parts = [track.bucket, track.key] + chain.map(\.folder)
        let text = parts.map { "\($0.utf8.count):\($0)" }.joined()
        return "\(inputHash)/track.\(Digest.hex(of: text).prefix(16))"
    }
}
