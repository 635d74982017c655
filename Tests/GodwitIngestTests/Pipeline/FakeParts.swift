// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Crypto
import FFmpeg
import Foundation
import Godwit
import GodwitIngest
import GodwitTesting
import Synchronization
import SystemPackage

/// Objects in memory, with the order in which they were put.
final class MemoryStore: ObjectStore {
    struct State {
        var objects: [String: [UInt8]] = [:]
        var puts: [String] = []
        var reads: [String] = []
    }

    let name: String
    let state = Mutex(State())
    /// Asked before each put: throw to fail it.
    let beforePut: @Sendable (String) throws(StoreError) -> Void

    init(
        _ name: String = "memory",
        beforePut: @escaping @Sendable (String) throws(StoreError) -> Void = { _ in }
    ) {
        self.name = name
        self.beforePut = beforePut
    }

    var keys: [String] { state.withLock { $0.objects.keys.sorted() } }
    var puts: [String] { state.withLock { $0.puts } }
    func reads(of key: String) -> Int { state.withLock { $0.reads.filter { $0 == key }.count } }
    func held(_ key: String) -> [UInt8]? { state.withLock { $0.objects[key] } }
    func key(ending end: String) -> String? { keys.first { $0.hasSuffix(end) } }

    func set(_ key: String, _ bytes: [UInt8]) { state.withLock { $0.objects[key] = bytes } }

    private func etag(_ bytes: [UInt8]) -> String {
        Hex.string(Array(Insecure.MD5.hash(data: bytes)))
    }

    func head(_ key: String) async throws(StoreError) -> ObjectInfo? {
        held(key).map { ObjectInfo(key: key, size: UInt64($0.count), etag: etag($0)) }
    }

    func read(
        _ key: String, _ range: Range<UInt64>?, ifMatch: String?,
        _ consume: @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ObjectInfo {
        state.withLock { $0.reads.append(key) }
        guard let bytes = held(key) else { throw StoreError.gone("\(key) is not there") }
        if let ifMatch, ifMatch != etag(bytes) { throw StoreError.changed("\(key) is another one") }
        try await consume(bytes)
        return ObjectInfo(key: key, size: UInt64(bytes.count), etag: etag(bytes))
    }

    func put(
        _ bytes: [UInt8], at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome {
        try beforePut(key)
        return state.withLock { state in
            if options.ifAbsent, state.objects[key] != nil { return .exists }
            state.objects[key] = bytes
            state.puts.append(key)
            return .stored(etag: "")
        }
    }

    func put(
        file: FilePath, at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome {
        try await put(
            Array(FileManager.default.contents(atPath: file.string) ?? Data()), at: key, options)
    }

    func list(_ prefix: String, after: String?, limit: Int) async throws(StoreError)
        -> [ObjectInfo]
    { [] }

    func delete(_ key: String) async throws(StoreError) {
        state.withLock { _ = $0.objects.removeValue(forKey: key) }
    }
}

/// Two seconds of a ramp, or what it is told to do instead.
final class FakeMedia: MediaReader {
    enum Deed: Sendable {
        case plays
        case fails(MediaFailure)
        /// Decodes half, says so, and stands still until it is cancelled.
        case hangs
    }

    let deed: Deed
    let decodes = Mutex(0)
    /// Fired when it hangs.
    let hung = Signal()
    static let frames = 16_000

    init(_ deed: Deed = .plays) { self.deed = deed }

    var toolVersions: [String: String] { ["fake": "1"] }

    func probe(_ file: FilePath) async throws(MediaFailure) -> MediaInfo {
        if case .fails(let failure) = deed { throw failure }
        return MediaInfo(
            container: "wav", codec: "pcm_s16le", duration: 2,
            format: AudioFormat(sampleRate: 8000, channels: 1), bitDepth: 16,
            tags: ["title": "A \"ramp\""], hasCover: false)
    }

    nonisolated(nonsending) func decode(
        _ file: FilePath, _ info: MediaInfo, mode: DecodeMode,
        progress: (@Sendable (Double) async -> Void)?, _ consume: (Span<Float>) throws -> Void
    ) async throws -> DecodeReport {
        decodes.withLock { $0 += 1 }
        let samples = (0..<Self.frames).map { Float($0 % 100) / 200 }
        try consume(samples.span.extracting(0..<8000))
        await progress?(0.5)
        if case .hangs = deed {
            hung.fire()
            let end = Signal()
            await end.wait()
            throw CancellationError()
        }
        try consume(samples.span.extracting(8000..<Self.frames))
        await progress?(1)
        return DecodeReport(frames: Self.frames, errors: 0)
    }

    func fingerprint(_ file: FilePath, _ info: MediaInfo) async throws -> String? { "AQAA" }

    nonisolated(nonsending) func transcode(
        _ file: FilePath, _ info: MediaInfo, to plan: TranscodePlan, in folder: FilePath,
        progress: (@Sendable (Double) async -> Void)?
    ) async throws -> [MadeFile] {
        try ["hls/seg_0.m4s", "hls/master.m3u8", "opus.opus"].enumerated().map { order, name in
            let path = folder.appending("made-\(order)")
            try Data(name.utf8).write(to: URL(fileURLWithPath: path.string))
            return MadeFile(
                name: name, path: path.string, contentType: "audio/x",
                size: UInt64(name.utf8.count),
                sha256: Digest.hex(of: Array(name.utf8)), order: order)
        }
    }
}

/// Counts the samples it hears.
struct Counted: ListeningTask {
    static let name = "count"
    static let version = 1
    struct Output: Codable, Sendable, Hashable { var samples: Int }
    struct Listener: SampleConsumer, Sendable {
        var samples = 0
        mutating func add(_ more: Span<Float>) { samples += more.count }
        mutating func finish() -> Int { samples }
    }

    func listener(for media: MediaInfo) throws -> Listener { Listener() }
    func output(
        of heard: Int, _ report: DecodeReport, _ track: Track, in work: Workspace
    ) async throws -> Output {
        _ = try await work.emit(Array("\(heard)".utf8), as: "count.txt", contentType: "text/plain")
        return Output(samples: heard)
    }
}

/// A new algorithm, as somebody would add it: the loudest sample.
struct Loudest: ListeningTask {
    static let name = "loudest"
    static let version = 1
    struct Output: Codable, Sendable, Hashable { var peak: Float }
    struct Listener: SampleConsumer, Sendable {
        var peak: Float = 0
        mutating func add(_ samples: Span<Float>) {
            for index in samples.indices { peak = max(peak, abs(samples[index])) }
        }
        mutating func finish() -> Float { peak }
    }

    func listener(for media: MediaInfo) throws -> Listener { Listener() }
    func output(
        of heard: Float, _ report: DecodeReport, _ track: Track, in work: Workspace
    ) async throws -> Output { Output(peak: heard) }
}

/// Runs a closure; not a listener.
struct Step: IngestTask {
    static let name = "step"
    static let version = 1
    struct Output: Codable, Sendable, Hashable { var note = "done" }
    let body: @Sendable (Track, Workspace) async throws -> Void

    func run(_ track: Track, in work: Workspace) async throws -> Output {
        try await body(track, work)
        return Output()
    }
}

/// A pipeline on a broker in memory, with a clock that stands still.
struct Scene {
    let test = QueueTest()
    let inputs = MemoryStore("uploads")
    let output: MemoryStore
    let media: FakeMedia
    let root: FilePath
    let scratch: Scratch

    init(_ media: FakeMedia = FakeMedia(), output: MemoryStore = MemoryStore("results")) throws {
        self.media = media
        self.output = output
        root = FilePath(
            FileManager.default.temporaryDirectory.appendingPathComponent(
                "ingest-scene-\(UUID().uuidString)"
            ).path)
        scratch = try Scratch(below: root)
    }

    func close() {
        scratch.close()
        try? FileManager.default.removeItem(atPath: root.string)
    }

    /// What lies in this process's folder for temporary files, its lock aside.
    var leftovers: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: scratch.folder.string))?
            .filter { $0 != ".lock" } ?? []
    }

    func pipeline(output: (any ObjectStore)? = nil) -> Pipeline {
        let inputs = inputs
        return Pipeline(
            "audio", on: test.broker,
            with: Workshop(
                input: { bucket in
                    guard bucket == "uploads" else {
                        throw TaskFailure.config("no such bucket: \(bucket)")
                    }
                    return inputs
                },
                output: output ?? self.output, media: media, scratch: scratch,
                admission: Admission(cpuSlots: 2, tempBytes: 1 << 30)))
    }

    /// Puts an object there and announces it.
    @discardableResult
    func upload(
        _ pipeline: Pipeline, _ key: String = "a.wav", _ text: String = "sound"
    ) async throws -> Track {
        inputs.set(key, Array(text.utf8))
        let info = try await inputs.head(key)
        let track = Track(
            bucket: "uploads", key: key, etag: info?.etag ?? "", size: UInt64(text.utf8.count))
        try await pipeline.enqueue(track)
        return track
    }

    /// Runs what is ready, stage by stage; the verdicts of each.
    @discardableResult
    func drain(_ pipeline: Pipeline) async throws -> [[Verdict]] {
        var verdicts: [[Verdict]] = []
        for stage in pipeline.stages {
            let report = try await test.drain(test.queue(stage.name)) { jobs in
                pipeline.handle(stage, &jobs)
            }
            verdicts.append(report.runs.map(\.verdict))
        }
        return verdicts
    }
}

func withScene<R>(
    _ media: FakeMedia = FakeMedia(), output: MemoryStore = MemoryStore("results"),
    _ body: (Scene) async throws -> R
) async throws -> R {
    let scene = try Scene(media, output: output)
    defer { scene.close() }
    return try await body(scene)
}

extension [UInt8] {
    var text: String { String(decoding: self, as: UTF8.self) }
    func object() throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: Data(self)) as? [String: Any] ?? [:]
    }
}
