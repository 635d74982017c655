// SPDX-License-Identifier: Apache-2.0
import FFmpeg
import Foundation
import Godwit
import GodwitIngest
import GodwitTesting
import Synchronization
import SystemPackage
import Testing

@Suite struct StageTests {
    @Test func `A track goes through all stages, and its results are told by one document`()
        async throws
    {
        try await withScene { scene in
            let pipeline = scene.pipeline()
                .stage("analyse", WaveformGenerator(), TrackAnalyzer())
                .stage("transcode", Transcoder())
                .stage("publish") { track, work in
                    try await Publication().publish(track, work)
                }
            let track = try await scene.upload(pipeline)
            let verdicts = try await scene.drain(pipeline)
            #expect(
                verdicts == [[.forward(to: "transcode")], [.forward(to: "publish")], [.ack]])
            let (document, key) = try #require(try await pipeline.result(of: track))
            #expect(document.media?.duration == 2)
            #expect(document.renditions?.map(\.name) == ["hls/master.m3u8", "opus.opus"])
            #expect(document.waveform?.samplesPerPixel == 512)
            let object = try #require(scene.output.held(key)).object()
            #expect(
                Set(object.keys).isSuperset(of: [
                    "schema_version", "input", "media", "loudness", "tempo", "key", "silence",
                    "clipping", "fingerprint", "renditions", "waveform", "timings",
                    "tool_versions",
                ]))
            let input = try #require(object["input"] as? [String: Any])
            #expect(
                Set(input.keys).isSuperset(of: ["bucket", "key", "etag", "size", "sha256"]))
            // The manifest names every file that lies there, but for the timings and itself.
            let place = try #require(scene.output.key(ending: "/manifest.json"))
            let listed = try #require(scene.output.held(place))
            let manifest = try JSONDecoder().decode(Manifest.self, from: Data(listed))
            let named = Set(manifest.files.map(\.key))
            let rest = Set(scene.output.keys).subtracting(named).filter {
                !$0.hasSuffix("/timings.json") && !$0.hasPrefix("inputs/")
                    && !$0.hasSuffix("/manifest.json")
            }
            #expect(rest.isEmpty)
            for file in manifest.files {
                let bytes = try #require(scene.output.held(file.key))
                #expect(file.size == UInt64(bytes.count))
                #expect(file.sha256 == Digest.hex(of: bytes))
            }
            #expect(scene.leftovers.isEmpty)
        }
    }

    @Test func `A new algorithm is one type and one line in the chain`() async throws {
        try await withScene { scene in
            let before = scene.pipeline().stage("analyse", Counted())
            let track = try await scene.upload(before)
            try await scene.drain(before)
            let old = Dictionary(
                uniqueKeysWithValues: scene.output.keys.map { ($0, scene.output.held($0)) })

            let after = scene.pipeline().stage("analyse2", Counted(), Loudest())
            try await after.enqueue(track)
            try await scene.drain(after)
            for (key, bytes) in old { #expect(scene.output.held(key) == bytes) }
            let record = try #require(
                scene.output.keys.first {
                    $0.contains("/loudest.1.") && $0.hasSuffix("output.json")
                })
            let bytes = try #require(scene.output.held(record))
            let made = try JSONDecoder().decode(
                OutputRecord<Loudest.Output>.self, from: Data(bytes))
            #expect(made.output.peak == Float(99) / 200)
        }
    }

    @Test func `All tasks that listen share one decode and hear all of it`() async throws {
        try await withScene { scene in
            let seen = Mutex<Int?>(nil)
            let pipeline = scene.pipeline().stage(
                "analyse", Loudest(), Counted(),
                Step { _, work in
                    let output = try await work.output(of: Counted.self)
                    seen.withLock { $0 = output?.samples }
                })
            try await scene.upload(pipeline)
            try await scene.drain(pipeline)
            #expect(scene.media.decodes.withLock { $0 } == 1)
            #expect(seen.withLock { $0 } == FakeMedia.frames)
        }
    }

    @Test func `A record is put behind every file that it names`() async throws {
        try await withScene { scene in
            let pipeline = scene.pipeline()
                .stage("analyse", WaveformGenerator(), Counted())
                .stage("publish") { try await Publication().publish($0, $1) }
            try await scene.upload(pipeline)
            try await scene.drain(pipeline)
            let puts = scene.output.puts
            var looked = 0
            for (place, key) in puts.enumerated() where key.hasSuffix("/output.json") {
                let record = try JSONDecoder().decode(
                    OutputRecord<AnyOutput>.self, from: Data(scene.output.held(key) ?? []))
                for file in record.files {
                    looked += 1
                    #expect(puts[..<place].contains(file.key), "\(file.key) comes behind \(key)")
                }
            }
            #expect(looked > 3)
            #expect(puts.last?.hasSuffix("/result.json") == true)
        }
    }

    @Test func `Segments are stored before the playlists that name them`() async throws {
        try await withScene { scene in
            let pipeline = scene.pipeline().stage("transcode", Transcoder())
            try await scene.upload(pipeline)
            try await scene.drain(pipeline)
            let puts = scene.output.puts
            let segment = try #require(puts.firstIndex { $0.hasSuffix("seg_0.m4s") })
            let playlist = try #require(puts.firstIndex { $0.hasSuffix("master.m3u8") })
            #expect(segment < playlist)
        }
    }

    @Test func `After a crash only what is not finished is done again`() async throws {
        try await withScene { scene in
            let runs = Mutex(0)
            let pipeline = scene.pipeline().stage(
                "analyse", retry: .constant(.seconds(1)), Counted(),
                Step { _, _ in
                    let run = runs.withLock { runs in
                        runs += 1
                        return runs
                    }
                    if run == 1 { throw TaskFailure.retry("the power went") }
                })
            try await scene.upload(pipeline)
            #expect(
                try await scene.drain(pipeline) == [
                    [.retry(after: .seconds(1), reason: "retry: the power went")]
                ])
            scene.test.advance(by: .seconds(2))
            #expect(try await scene.drain(pipeline) == [[.ack]])
            #expect(scene.media.decodes.withLock { $0 } == 1)
            #expect(runs.withLock { $0 } == 2)
        }
    }

    @Test func `Nothing is handed on before its results are stored`() async throws {
        let output = MemoryStore("results") { key throws(StoreError) in
            if key.hasSuffix("/output.json") { throw .unavailable("503") }
        }
        try await withScene(output: output) { scene in
            let pipeline = scene.pipeline().stage("analyse", Counted())
                .stage("next") { _, _ in }
            try await scene.upload(pipeline)
            let verdicts = try await scene.drain(pipeline)
            guard
                case .retry(_, "unavailable")? = verdicts[0].first.map({ verdict -> Verdict in
                    if case .retry(let after, _) = verdict {
                        return .retry(after: after, reason: "unavailable")
                    }
                    return verdict
                })
            else {
                Issue.record("\(verdicts)")
                return
            }
            #expect(verdicts[1].isEmpty)
        }
    }

    @Test func `A second run of the same file changes nothing`() async throws {
        try await withScene { scene in
            let folder = scene.root.appending("out")
            let store = try DirectoryStore(folder)
            func once(_ queue: String) async throws {
                let pipeline = scene.pipeline(output: store)
                    .stage(try QueueName("a\(queue)"), WaveformGenerator(), TrackAnalyzer())
                    .stage(try QueueName("t\(queue)"), Transcoder())
                    .stage(try QueueName("p\(queue)")) {
                        try await Publication().publish($0, $1)
                    }
                try await scene.upload(pipeline)
                try await scene.drain(pipeline)
            }
            try await once("1")
            let before = try Tree(folder)
            #expect(before.files.count > 10)
            try await once("2")
            #expect(try Tree(folder) == before)
            #expect(scene.media.decodes.withLock { $0 } == 1)
        }
    }

    @Test(arguments: [
        (MediaFailure.invalid(MediaFault("no audio", exitCode: 1)), "reject"),
        (.limit(MediaFault("too long")), "reject"),
        (.retry(MediaFault("disk full")), "retry"),
        (.config(MediaFault("no encoder")), "slow"),
    ])
    func `Each class of failure has its end`(_ failure: MediaFailure, _ end: String) async throws {
        try await withScene(FakeMedia(.fails(failure))) { scene in
            let pipeline = scene.pipeline().stage(
                "analyse", retry: .constant(.seconds(7)), Counted())
            try await scene.upload(pipeline)
            let verdict = try #require(try await scene.drain(pipeline)[0].first)
            switch (end, verdict) {
            case ("reject", .reject(let reason)):
                #expect(reason.hasPrefix("media-invalid:") || reason.hasPrefix("media-limit:"))
            case ("retry", .retry(after: .seconds(7), _)): break
            case ("slow", .retry(let after, _)): #expect(after >= .seconds(300))
            default: Issue.record("\(failure) ended as \(verdict)")
            }
            #expect(scene.leftovers.isEmpty)
        }
    }

    @Test func `An object that is gone is done with, and leaves a note`() async throws {
        try await withScene { scene in
            let note = Mutex<String?>(nil)
            let pipeline = scene.pipeline().stage("analyse", Counted()).stage("next") { _, _ in }
                .observing { event in
                    if case .gone(let reason) = event.outcome { note.withLock { $0 = reason } }
                }
            try await scene.upload(pipeline)
            try await scene.inputs.delete("a.wav")
            #expect(try await scene.drain(pipeline) == [[.ack], []])
            #expect(note.withLock { $0 } == "a.wav is not there")
        }
    }

    @Test func `An object that was replaced begins again as what lies there now`() async throws {
        try await withScene { scene in
            let pipeline = scene.pipeline().stage("analyse", Counted())
                .stage("publish") { try await Publication().publish($0, $1) }
            try await scene.upload(pipeline)
            scene.inputs.set("a.wav", Array("another sound".utf8))
            #expect(try await scene.drain(pipeline) == [[.ack, .forward(to: "publish")], [.ack]])
            let place = try #require(scene.output.key(ending: "/result.json"))
            let result = try #require(scene.output.held(place))
            let input = try #require(try result.object()["input"] as? [String: Any])
            #expect(input["sha256"] as? String == Digest.hex(of: "another sound"))
        }
    }

    @Test func `A run without progress is stopped, and that is a failure to try again`()
        async throws
    {
        try await withScene(FakeMedia(.hangs)) { scene in
            let pipeline = scene.pipeline().stage(
                "analyse", quiet: .seconds(60), retry: .constant(.seconds(1)), Counted())
            try await scene.upload(pipeline)
            async let verdicts = scene.drain(pipeline)
            await scene.media.hung.waitUntilFired()
            scene.test.advance(by: .seconds(61))
            guard case .retry(_, let reason)? = try await verdicts[0].first else {
                Issue.record("not tried again")
                return
            }
            #expect(reason.contains("no progress"))
            #expect(scene.leftovers.isEmpty)
        }
    }

    @Test func `A stage finds its results without fetching the object again`() async throws {
        try await withScene { scene in
            let pipeline = scene.pipeline().stage("analyse", Counted())
                .stage("publish") { try await Publication().publish($0, $1) }
            try await scene.upload(pipeline)
            try await scene.drain(pipeline)
            #expect(scene.inputs.reads(of: "a.wav") == 1)
        }
    }

    @Test func `Two tasks of one name can't be in a chain`() async throws {
        try await withScene { scene in
            let pipeline = scene.pipeline().stage("a", Counted()).stage("b", Counted())
            #expect(throws: PipelineError.self) { try pipeline.service() }
        }
    }
}

/// Every file of a folder with its bytes and its time.
struct Tree: Equatable {
    struct File: Equatable {
        var bytes: Data
        var changed: Date?
    }
    var files: [String: File] = [:]

    init(_ root: FilePath) throws {
        let paths = FileManager.default.enumerator(atPath: root.string)
        while let path = paths?.nextObject() as? String {
            let whole = root.appending(path).string
            let attributes = try FileManager.default.attributesOfItem(atPath: whole)
            guard attributes[.type] as? FileAttributeType == .typeRegular else { continue }
            files[path] = File(
                bytes: FileManager.default.contents(atPath: whole) ?? Data(),
                changed: attributes[.modificationDate] as? Date)
        }
    }
}
