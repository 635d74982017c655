// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@Suite struct RunTests {
    @Test func `A file is taken in with nothing else running, and again changes nothing`()
        async throws
    {
        try await withFolder { folder in
            let files = try await Corpus.make(2, seconds: 3, in: folder, at: "in")
            let first = try await Command.run(["run"] + files + ["--out", "out"], in: folder)
            #expect(first.status == 0, "\(first)")
            #expect(first.out.contains("2 of 2 tracks"))
            let before = folder.tree("out", changed: true)
            #expect(before.keys.filter { $0.hasSuffix("/result.json") }.count == 2)
            #expect(before.keys.contains { $0.hasSuffix("/waveform-512-8.dat") })
            #expect(before.keys.contains { $0.hasSuffix("/hls/master.m3u8") })
            let second = try await Command.run(["run"] + files + ["--out", "out"], in: folder)
            #expect(second.status == 0)
            #expect(folder.tree("out", changed: true) == before)
            #expect(folder.tree("temp").keys.filter { $0 != ".lock" }.isEmpty)
        }
    }

    @Test func `Files with odd names work, and what is no audio is told and left`() async throws {
        try await withFolder { folder in
            let made = try await Corpus.make(1, seconds: 2, in: folder, at: "in")
            let bytes = try #require(FileManager.default.contents(atPath: made[0]))
            let odd = ["-i", "%03d", "a\nb", "concat:x", "é+ &'\""]
            for name in odd {
                try bytes.write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
            }
            try Data("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n".utf8).write(
                to: URL(fileURLWithPath: "\(folder.path)/list.mp3"))
            try Data().write(to: URL(fileURLWithPath: "\(folder.path)/empty.wav"))
            let outcome = try await Command.run(
                ["run", "--out", "out", "--set", "transcode.profiles=opus", "--"] + odd
                    + ["list.mp3", "empty.wav", "absent.wav"], in: folder)
            #expect(outcome.status == 1)
            #expect(outcome.out.contains("5 of 8 tracks"), "\(outcome)")
            #expect(outcome.out.contains("list.mp3  failed  media-invalid"))
            #expect(outcome.out.contains("empty.wav  failed  media-invalid"))
            #expect(outcome.out.contains("absent.wav  failed"))
            #expect(!outcome.out.contains("a\nb"))
            #expect(folder.tree("temp").keys.filter { $0 != ".lock" }.isEmpty)
        }
    }

    @Test func `Settings that can't stand end it at once, all of them told`() async throws {
        try await withFolder { folder in
            let outcome = try await Command.run(
                [
                    "run", "x.wav", "--out", "s4://x", "--set", "cpu.slots=0", "--set",
                    "webhook.secret=hidden",
                ], in: folder)
            #expect(outcome.status == 78)
            for part in ["out is", "cpu.slots is", "webhook.secret is <redacted>"] {
                #expect(outcome.err.contains(part), "\(outcome.err)")
            }
            #expect(!outcome.err.contains("hidden"))
        }
    }

    @Test func `A waveform, an analysis and a picture of one file`() async throws {
        try await withFolder { folder in
            let file = try await Corpus.make(1, seconds: 3, in: folder, at: "in")[0]
            let drawn = try await Command.run(
                ["waveform", file, "--out", "x.dat", "--zoom", "512", "--bits", "8"], in: folder)
            #expect(drawn.status == 0, "\(drawn)")
            let bytes = try #require(FileManager.default.contents(atPath: "\(folder.path)/x.dat"))
            #expect(Array(bytes.prefix(8)) == [1, 0, 0, 0, 1, 0, 0, 0])
            let split = try await Command.run(
                ["waveform", file, "--out", "x.json", "--split"], in: folder)
            #expect(split.status == 0, "\(split)")
            let text = try String(contentsOfFile: "\(folder.path)/x.json", encoding: .utf8)
            #expect(text.hasPrefix("{\"version\":2,\"channels\":2,\"sample_rate\":44100,"))
            let analysis = try await Command.run(["analyze", file, "-o", "json"], in: folder)
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(analysis.out.utf8)) as? [String: Any])
            #expect((object["loudness"] as? [String: Any])?["integrated"] is Double)
            let shown = try await Command.run(["show", file, "--width", "80"], in: folder)
            #expect(shown.out.contains("LUFS"))
            for command in ["run", "watch", "waveform", "analyze", "show", "settings"] {
                let help = try await Command.run([command, "--help"], in: folder)
                #expect(help.status == 0 && help.out.contains("OVERVIEW"))
            }
        }
    }
}
