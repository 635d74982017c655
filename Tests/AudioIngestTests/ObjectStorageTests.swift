// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

/// From S3 by way of SQS to S3, with the command as it is shipped; moto is both.
@Suite(.serialized) struct ObjectStorageTests {
    static let keys = ["in/a b+c.wav", "in/Ünï/日本 %41&?.flac", "in/plain.mp3"]

    private func arguments(_ bed: Bed, _ broker: String) -> [String] {
        [
            "watch", "--source", "sqs://\(bed.queue)", "--out", "s3://\(bed.bucket)/out",
            "--broker", "sqlite:\(broker)", "--quiet", "--events", "--set",
            "transcode.profiles=opus", "--set", "lease.seconds=2", "--set",
            "input.buckets=\(bed.bucket)",
        ]
    }

    private func published(_ bed: Bed) async throws -> [String] {
        try await bed.list("out/").keys.filter { $0.hasSuffix("/result.json") }.sorted()
    }

    @Test func `What S3 announces through SQS becomes results in S3, and again changes nothing`()
        async throws
    {
        try await withFolder { folder in
            let bed = try await Bed()
            let files = try await Corpus.make(3, seconds: 2, in: folder, at: "in")
            for (file, key) in zip(files, Self.keys) { try await bed.put(file, key) }
            // Gone again, ours, and no announcement at all.
            try await bed.put(Data("x".utf8), "in/gone.wav")
            try await bed.delete("in/gone.wav")
            try await bed.put(files[0], "out/mine.wav")
            try await bed.announce("garbage {")

            let out = folder.new("out")
            let first = try Command.start(
                arguments(bed, "\(folder.path)/one.db"), environment: bed.environment, in: folder,
                out: out, err: folder.new("err"))
            let isDone = try await holds {
                let (waiting, dead) = (try await bed.waiting(), try await bed.dead())
                let results = try await published(bed)
                return waiting == 0 && dead == 1 && results.count == 3
            }
            first.terminate()
            #expect(await first.end() == .exit(0))
            #expect(isDone)
            #expect(try await bed.deadBodies() == ["garbage {"])
            let said = try String(contentsOfFile: out, encoding: .utf8)
            #expect(!said.contains("mine.wav") && !said.contains("gone.wav"), "\(said)")

            // Each result names the object as S3 knows it.
            let before = try await bed.list("out/")
            var named: Set<String> = []
            for place in try await published(bed) {
                let object =
                    try JSONSerialization.jsonObject(with: try await bed.get(place))
                    as? [String: Any]
                let input = object?["input"] as? [String: Any]
                if let key = input?["key"] as? String { named.insert(key) }
            }
            #expect(named == Set(Self.keys))

            // Announced again, to a queue of ours that knows of nothing.
            for (file, key) in zip(files, Self.keys) { try await bed.put(file, key) }
            let again = folder.new("out")
            let second = try Command.start(
                arguments(bed, "\(folder.path)/two.db"), environment: bed.environment, in: folder,
                out: again, err: folder.new("err"))
            // Why so long: moto does not see that the first one's poll was broken off, and hands it one of
            // these; that one comes again when its visibility runs out.
            let isDoneAgain = try await holds(within: .seconds(75)) {
                let text = (try? String(contentsOfFile: again, encoding: .utf8)) ?? ""
                let ends = text.split(separator: "\n").filter {
                    $0.hasPrefix("audio.publish") && $0.hasSuffix("made audio.publish")
                }
                let waiting = try await bed.waiting()
                return ends.count == 3 && waiting == 0
            }
            second.terminate()
            #expect(await second.end() == .exit(0))
            #expect(isDoneAgain)
            #expect(try await bed.list("out/") == before)
            #expect(folder.tree("temp").keys.filter { $0 != ".lock" }.isEmpty)
        }
    }

    @Test func `Killed when SQS has forgotten the messages, another process ends what was taken`()
        async throws
    {
        try await withFolder { folder in
            let bed = try await Bed()
            let files = try await Corpus.make(4, seconds: 15, in: folder, at: "in")
            for (index, file) in files.enumerated() {
                try await bed.put(file, "in/track \(index)")
            }
            let arguments = arguments(bed, "\(folder.path)/queue.db")
            let victim = try Command.start(
                arguments, environment: bed.environment, in: folder, out: folder.new("out"),
                err: folder.new("err"))
            // From here on only our own queue knows of them.
            let isTaken = try await holds { try await bed.waiting() == 0 }
            await victim.kill()
            #expect(isTaken)
            let heir = try Command.start(
                arguments, environment: bed.environment, in: folder, out: folder.new("out"),
                err: folder.new("err"))
            let isDone = try await holds { try await published(bed).count == 4 }
            heir.terminate()
            #expect(await heir.end() == .exit(0))
            #expect(isDone)
            #expect(folder.tree("temp").keys.filter { $0 != ".lock" }.isEmpty)
            #expect(strayTools(below: [victim.pid], temp: folder.path).isEmpty)
        }
    }

    @Test func `A bucket is taken in once, and what lies under its own output is no input`()
        async throws
    {
        try await withFolder { folder in
            let bed = try await Bed()
            let files = try await Corpus.make(2, seconds: 2, in: folder, at: "in")
            for (file, key) in zip(files, Self.keys) { try await bed.put(file, key) }
            // Its name begins as that of the output, and it is none.
            try await bed.put(files[0], "outside.wav")
            let words = { (broker: String) in
                [
                    "watch", "--source", "s3://\(bed.bucket)", "--out", "s3://\(bed.bucket)/out",
                    "--broker", "sqlite:\(folder.path)/\(broker).db", "--quiet", "--once",
                    "--set", "transcode.profiles=opus",
                ]
            }
            let first = try await Command.run(
                words("one"), environment: bed.environment, in: folder)
            #expect(first.status == 0, "\(first)")
            let before = try await bed.list("out/")
            #expect(before.keys.filter { $0.hasSuffix("/result.json") }.count == 3)
            let second = try await Command.run(
                words("two"), environment: bed.environment, in: folder)
            #expect(second.status == 0, "\(second)")
            #expect(try await bed.list("out/") == before)
            let mad = try await Command.run(
                ["watch", "--source", "s3://\(bed.bucket)/in", "--out", "s3://\(bed.bucket)"],
                environment: bed.environment, in: folder)
            #expect(mad.status != 0 && mad.err.contains("name another prefix or bucket"), "\(mad)")
        }
    }
}
