// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@Suite struct ModeTests {
    @Test
    func `In mode audiowaveform the pipeline draws an MP3's end, and analyses the sound alone`()
        async throws
    {
        try await withFolder { folder in
            let file = try await Corpus.make(3, seconds: 2, in: folder, at: "in")[2]
            var drawn: [String: Data] = [:]
            var analyses: [String: Data] = [:]
            for mode in ["gapless", "audiowaveform"] {
                let common = ["--set", "transcode.profiles=opus", "--set", "waveform.mode=\(mode)"]
                let taken = try await Command.run(
                    ["run", file, "--out", mode] + common, in: folder)
                #expect(taken.status == 0, "\(taken)")
                let alone = try await Command.run(
                    ["waveform", file, "--out", "\(mode).dat", "--zoom", "256", "--mode", mode],
                    in: folder)
                #expect(alone.status == 0, "\(alone)")
                let stored = try #require(
                    folder.tree(mode).keys.first { $0.hasSuffix("/waveform-256-16.dat") })
                drawn[mode] = FileManager.default.contents(
                    atPath: "\(folder.path)/\(mode)/\(stored)")
                #expect(
                    drawn[mode]
                        == FileManager.default.contents(atPath: "\(folder.path)/\(mode).dat"))
                let analysis = try #require(
                    folder.tree(mode).keys.first { $0.hasSuffix("/analysis.json") })
                analyses[mode] = FileManager.default.contents(
                    atPath: "\(folder.path)/\(mode)/\(analysis)")
            }
            let (short, long) = (
                try #require(drawn["gapless"]), try #require(drawn["audiowaveform"])
            )
            #expect(short.count < long.count)
            #expect(analyses["gapless"] != nil)
            #expect(analyses["gapless"] == analyses["audiowaveform"])
        }
    }

    @Test
    func `What lies in --out below --source is no input, and --out that is --source is refused`()
        async throws
    {
        try await withFolder { folder in
            _ = try await Corpus.make(2, seconds: 2, in: folder, at: "in")
            for broker in ["one", "two"] {
                let end = try await Command.run(
                    [
                        "watch", "--source", "in", "--out", "in/out", "--once", "--quiet",
                        "--broker", "sqlite:\(folder.path)/\(broker).db", "--set",
                        "transcode.profiles=opus",
                    ], in: folder)
                #expect(end.status == 0, "\(end)")
                let results = folder.tree("in/out").keys.filter { $0.hasSuffix("/result.json") }
                #expect(results.count == 2)
            }
            let refused = try await Command.run(
                ["watch", "--source", "in", "--out", "./in", "--once"], in: folder)
            #expect(refused.status != 0 && refused.err.contains("same folder"), "\(refused)")
        }
    }
}
