// SPDX-License-Identifier: Apache-2.0
import FFmpeg
import Foundation
import SystemPackage
import Testing

@Suite(.serialized) struct `Attack corpus` {
    /// Twelve bytes, so that the sound's six samples repeat.
    static let secret = "CANARY7f3a9c"

    /// Whether the samples, as 16 bits, hold the secret.
    private static func holdsSecret(_ samples: [Float]) -> Bool {
        var bytes: [UInt8] = []
        for sample in samples.prefix(100_000) {
            let value = Int16(truncatingIfNeeded: Int(sample * 32768))
            bytes += [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)]
        }
        return Data(bytes).range(of: Data(secret.utf8)) != nil
    }

    private static func canary(in folder: FilePath) throws -> String {
        let file = folder.appending("canary.wav")
        let text = Array(String(repeating: secret, count: 4000).utf8)
        try file.write(wave(rate: 8000, channels: 1, bits: 16, text))
        return file.string
    }

    /// Probes and decodes; the end, what was heard, and all that was said.
    private static func hear(
        _ ffmpeg: FFmpeg, _ file: FilePath
    ) async -> (end: String, samples: [Float], said: String) {
        var samples: [Float] = []
        do {
            let info = try await ffmpeg.probe(file)
            _ = try await ffmpeg.decode(file, info) { span in
                for index in span.indices where samples.count < 100_000 {
                    samples.append(span[index])
                }
            }
            return ("decoded", samples, "\(info)")
        } catch let failure as MediaFailure {
            return (failure.word, samples, "\(failure)")
        } catch { return ("\(error)", samples, "\(error)") }
    }

    @Test func `the corpus bites a ffmpeg without walls`() async throws {
        try await withFolder { folder in
            let canary = try Self.canary(in: folder)
            let listener = try Listener()
            var stolen: [String] = []
            for attack in attacks(canary: canary, port: listener.port).prefix(30) {
                let file = folder.appending("x.mp3")
                try file.write(attack.bytes)
                try await plain(
                    ["-t", "5", "-i", "x.mp3", "-f", "s16le", "out"], in: folder, mayFail: true)
                let out = (try? folder.appending("out").bytes) ?? []
                if Data(out).range(of: Data(Self.secret.utf8)) != nil { stolen.append(attack.name) }
                try? FileManager.default.removeItem(atPath: folder.appending("out").string)
            }
            #expect(stolen.count >= 2, "\(stolen)")
        }
    }

    @Test(arguments: [Cage.Walls?.none, Cage.Walls.none])
    func `each ends in its class, reads nothing else, connects to nobody and leaves nothing`(
        _ walls: Cage.Walls?
    ) async throws {
        try await withFolder { outer in
            let listener = try Listener()
            let folder = outer.appending("in")
            try FileManager.default.createDirectory(
                atPath: folder.string, withIntermediateDirectories: true)
            let canary = try Self.canary(in: folder)
            let ffmpeg = try await makeFFmpeg {
                $0.walls = walls
                $0.maxDuration = .seconds(3600)
            }
            let corpus = attacks(canary: canary, port: listener.port)
            #expect(corpus.count >= 40)
            for attack in corpus {
                let file = folder.appending("input")
                try file.write(attack.bytes)
                let heard = await Self.hear(ffmpeg, file)
                #expect(heard.end == attack.end.rawValue, "\(attack.name): \(heard.said)")
                #expect(!Self.holdsSecret(heard.samples), "\(attack.name)")
                #expect(!heard.said.contains(Self.secret), "\(attack.name)")
                #expect(listener.connections() == 0, "\(attack.name)")
                #expect(try folder.names == ["canary.wav", "input"], "\(attack.name)")
            }
            #expect(try Processes.naming(folder.string).isEmpty)
        }
    }

    /// One wall at a time: the sniffing is gone, and the demuxer is left to ffmpeg to choose.
    @Test func `the whitelist alone keeps playlists out`() async throws {
        try await withFolder { folder in
            let canary = try Self.canary(in: folder)
            let listener = try Listener()
            let ffmpeg = try await makeFFmpeg { $0.walls = Cage.Walls.none }
            let (file, info) = try sample(in: folder)
            let input = try InputFile(file)
            let limits = Limits(ffmpeg.options, time: .seconds(20), duration: 0, share: 0)
            for attack in attacks(canary: canary, port: listener.port).prefix(30) {
                try file.write(attack.bytes)
                var arguments = FFmpeg.decodeArguments(input, info, .gapless, ffmpeg.options)
                let i = try #require(arguments.firstIndex(of: "-i"))
                #expect(arguments[i - 2...i - 1] == ["-f", "wav"])
                arguments.removeSubrange(i - 2...i - 1)
                let (end, heard) = try await ffmpeg.run(arguments, limits)
                #expect(end.failure(of: "ffmpeg") != nil, "\(attack.name)")
                #expect(heard.isEmpty, "\(attack.name)")
                #expect(listener.connections() == 0, "\(attack.name)")
            }
        }
    }

    @Test func `what is no regular file is not opened`() async throws {
        try await withFolder { folder in
            let (file, _) = try sample(in: folder)
            let ffmpeg = try await makeFFmpeg()
            let link = folder.appending("link")
            try FileManager.default.createSymbolicLink(
                atPath: link.string, withDestinationPath: file.string)
            let pipe = folder.appending("pipe")
            mkfifo(pipe.string, 0o600)
            for path in [link, pipe, folder, folder.appending(String(repeating: "x", count: 4096))]
            {
                let end = await failure { _ = try await ffmpeg.probe(path) }
                #expect(end?.word == "invalid", "\(path)")
            }
            let end = await failure { _ = try await ffmpeg.probe(folder.appending("absent")) }
            #expect(end?.word == "retry")
        }
    }

    @Test(arguments: [
        "-i", "a\nb", "%03d", "concat:a|b", "http:\\\\evil", "pipe:0", "x;rm -rf", "$(id)", "a b+c",
        "ü♪.mp3",
        String(repeating: "n", count: 255), "-f lavfi", "file:x", "'", "\"", "[0:a]", "data:,",
    ])
    func `a name is only a name`(_ name: String) async throws {
        try await withFolder { folder in
            let (file, _) = try sample(in: folder)
            let odd = folder.appending(name)
            try FileManager.default.moveItem(atPath: file.string, toPath: odd.string)
            let ffmpeg = try await makeFFmpeg()
            let info = try await ffmpeg.probe(odd)
            let report = try await ffmpeg.decode(odd, info) { _ in }
            #expect(report.frames == 8000)
        }
    }

    @Test func `hours in a few bytes end at the limit, whatever the header says`() async throws {
        try await withFolder { folder in
            try await plain(
                "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "7200", "-c:a", "flac",
                "x.flac",
                in: folder)
            let file = folder.appending("x.flac")
            let ffmpeg = try await makeFFmpeg { $0.maxDuration = .seconds(3600) }
            let open = await failure { _ = try await ffmpeg.probe(file) }
            #expect(open?.word == "limit")
            // STREAMINFO's count of samples, 36 bits: one second instead, then "unknown".
            for count: UInt8 in [1, 0] {
                var bytes = try file.bytes
                bytes[21] &= 0xF0
                bytes.replaceSubrange(
                    22...25, with: count == 1 ? [0, 0, 0x1F, 0x40] : [0, 0, 0, 0])
                let liar = folder.appending("liar")
                try liar.write(bytes)
                let end = await failure {
                    let info = try await ffmpeg.probe(liar)
                    _ = try await ffmpeg.decode(liar, info) { _ in }
                }
                #expect(end?.word == "limit", "\(count)")
            }
        }
    }

    @Test func `what is cut off or named wrongly is decoded as far as it goes`() async throws {
        try await withFolder { folder in
            try await plain(
                "-f", "lavfi", "-i", "sine=d=4:r=44100", "x.flac", "x.mp3", "x.ogg", "x.m4a",
                in: folder)
            let ffmpeg = try await makeFFmpeg()
            for name in ["x.flac", "x.mp3", "x.ogg"] {
                let file = folder.appending(name + ".wav")
                let bytes = try folder.appending(name).bytes
                try file.write(bytes.prefix(bytes.count / 2))
                let info = try await ffmpeg.probe(file)
                let report = try await ffmpeg.decode(file, info) { _ in }
                #expect((44_100...136_000).contains(report.frames), "\(name)")
                // Its middle overwritten: packets fail and are counted.
                var noise = Noise()
                var broken = bytes
                let middle = bytes.count / 2
                broken.replaceSubrange(middle..<middle + 500, with: noise.bytes(500))
                try file.write(broken)
                let other = try await ffmpeg.decode(file, try await ffmpeg.probe(file)) { _ in }
                #expect(other.frames > 44_100, "\(name)")
                if name == "x.flac" { #expect(other.errors > 0) }
            }
            let whole = try folder.appending("x.m4a").bytes
            let file = folder.appending("y")
            try file.write(whole.prefix(whole.count / 2))
            let end = await failure { _ = try await ffmpeg.probe(file) }
            #expect(end?.word == "invalid")
        }
    }

    @Test func `subtitles, pictures and many streams harm nobody`() async throws {
        try await withFolder { folder in
            try folder.appending("s.srt").write(
                (0..<20_000).map { "\($0)\n00:00:00,000 --> 00:00:01,000\n\(Self.secret)\n\n" }
                    .joined())
            try await plain("-f", "lavfi", "-i", "sine=d=1", "x.flac", in: folder)
            try await plain("-i", "x.flac", "-i", "s.srt", "subs.mkv", in: folder)
            try await plain(
                "-f", "lavfi", "-i", "testsrc=d=1:s=4000x4000", "-frames:v", "1", "c.png",
                in: folder)
            try await plain(
                "-i", "x.flac", "-i", "c.png", "-map", "0", "-map", "1", "-c:v", "copy",
                "-disposition:v", "attached_pic", "cover.flac", in: folder)
            try await plain(
                ["-i", "x.flac"] + (0..<100).flatMap { _ in ["-map", "0:a"] } + [
                    "-c", "copy", "many.mka",
                ],
                in: folder)
            let ffmpeg = try await makeFFmpeg()
            let cover = try await ffmpeg.probe(folder.appending("cover.flac"))
            #expect(cover.hasCover)
            let report = try await ffmpeg.decode(folder.appending("cover.flac"), cover) { _ in }
            #expect(report == DecodeReport(frames: 44_100, errors: 0))
            let many = await failure { _ = try await ffmpeg.probe(folder.appending("many.mka")) }
            #expect(many?.word == "limit")
            let heard = await Self.hear(ffmpeg, folder.appending("subs.mkv"))
            #expect(heard.end == "invalid", "\(heard.said)")
            #expect(!heard.said.contains(Self.secret))
        }
    }
}
