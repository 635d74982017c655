// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import FFmpeg
import Foundation
import SystemPackage
import Testing

@Suite struct `Probe` {
    @Test(arguments: [
        ("x.wav", "wav", "pcm_s16le", AudioFormat.Samples.integer(bits: 16)),
        ("x.w64", "w64", "pcm_s16le", .integer(bits: 16)),
        ("x.flac", "flac", "flac", .integer(bits: 16)),
        ("x.aiff", "aiff", "pcm_s16be", .integer(bits: 16)),
        ("x.caf", "caf", "pcm_s16be", .integer(bits: 16)),
        ("x.mp3", "mp3", "mp3", .lossy), ("x.ogg", "ogg", "vorbis", .lossy),
        ("x.opus", "ogg", "opus", .lossy),
        ("x.m4a", "mov", "aac", .lossy), ("x.aac", "aac", "aac", .lossy),
        ("x.mka", "matroska", "vorbis", .lossy),
        ("x.webm", "matroska", "opus", .lossy), ("x.wma", "asf", "wmav2", .lossy),
        ("x.mp2", "mp3", "mp2", .lossy),
    ])
    func `each kind is told by its bytes, and decoded`(
        _ name: String, _ container: String, _ codec: String, _ samples: AudioFormat.Samples
    ) async throws {
        try await withFolder { folder in
            try await plain(
                "-f", "lavfi", "-i", "sine=d=2:r=48000", "-ac", "2", "-metadata", "TITLE=Über",
                name, in: folder)
            let ffmpeg = try await makeFFmpeg()
            // Whatever it is named.
            let file = folder.appending("upload")
            try FileManager.default.moveItem(
                atPath: folder.appending(name).string, toPath: file.string)
            let info = try await ffmpeg.probe(file)
            #expect(info.container == container)
            #expect(info.codec == codec)
            #expect(info.format.samples == samples)
            #expect(info.format.channels == 2)
            #expect(info.format.sampleRate == 48_000)
            let frames = try await ffmpeg.decode(file, info) { _ in }.frames
            #expect(abs(frames - 96_000) < 5_000)
            if !["w64", "aac", "caf"].contains(container), codec != "mp2" {
                #expect(info.tags["title"] == "Über", "\(info.tags)")
            }
            if container != "wav", container != "aiff", container != "w64", container != "asf" {
                #expect(info.format.layout == [.left, .right])
            }
        }
    }

    @Test func `tags are in lower case, few and short`() throws {
        let many = (0..<500).map { "\"K\($0)\":\"v\"" }.joined(separator: ",")
        let long = String(repeating: "é", count: 5000)
        let text = """
            {"streams":[{"codec_name":"flac","codec_type":"audio","sample_rate":"44100","channels":2,
            "tags":{"TITLE":"\(long)","\(long)":"x"}}],"format":{"duration":"1.5","tags":{"Artist":"A","title":"no",\(many)}}}
            """
        try withInput { input in
            let info = try ProbeDocument(text).info(of: input, within: quietOptions())
            #expect(info.tags.count == ProbeDocument.maxTags)
            #expect(info.tags["artist"] == "A")
            #expect(info.tags.keys.allSatisfy { $0 == $0.lowercased() && $0.utf8.count <= 64 })
            #expect(info.tags.values.allSatisfy { $0.utf8.count <= 1026 })
            #expect(info.duration == 1.5)
        }
    }

    @Test(arguments: [
        ("{}", "invalid"), ("nonsense", "invalid"),
        ("{\"streams\":[{\"codec_type\":\"video\"}]}", "invalid"),
        (
            "{\"streams\":[{\"codec_type\":\"audio\",\"codec_name\":\"a;b\",\"sample_rate\":\"1000\",\"channels\":1}]}",
            "invalid"
        ),
        (
            "{\"streams\":[{\"codec_type\":\"audio\",\"codec_name\":\"flac\",\"sample_rate\":\"44100\",\"channels\":25}]}",
            "limit"
        ),
        (
            "{\"streams\":[{\"codec_type\":\"audio\",\"codec_name\":\"flac\",\"sample_rate\":\"44100\",\"channels\":-1}]}",
            "invalid"
        ),
        (
            "{\"streams\":[{\"codec_type\":\"audio\",\"codec_name\":\"flac\",\"sample_rate\":\"44100\",\"channels\":2}],\"format\":{\"duration\":\"90000\"}}",
            "limit"
        ),
        ("{\"streams\":[\((0..<65).map { _ in "{}" }.joined(separator: ","))]}", "limit"),
    ])
    func `a description that can not be is refused`(_ text: String, _ word: String) throws {
        try withInput { input in
            do {
                _ = try ProbeDocument(text).info(of: input, within: quietOptions())
                Issue.record("it was let in")
            } catch let failure as MediaFailure { #expect(failure.word == word) }
        }
    }

    private func withInput(_ body: (InputFile) throws -> Void) throws {
        let file = FilePath(NSTemporaryDirectory()).appending("godwit-probe-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: file.string) }
        try file.write(wave(rate: 8000, channels: 1, bits: 16, [0, 0]))
        try body(try InputFile(file))
    }

    @Test(arguments: [44_100, 48_000, 22_050])
    func `what an encoder put around the sound is known to the frame`(_ rate: Int) async throws {
        try await withFolder { folder in
            try await plain(
                "-f", "lavfi", "-i", "anoisesrc=d=3:r=\(rate):a=0.3", "-ac", "2", "-c:a",
                "libmp3lame",
                "-b:a", "128k", "x.mp3", in: folder)
            let ffmpeg = try await makeFFmpeg()
            let file = folder.appending("x.mp3")
            let info = try await ffmpeg.probe(file)
            let gapless = try #require(info.gapless)
            #expect(gapless.leading == 1105)
            var trimmed: [Float] = []
            var whole: [Float] = []
            _ = try await ffmpeg.decode(file, info) { span in
                for index in span.indices { trimmed.append(span[index]) }
            }
            _ = try await ffmpeg.decode(file, info, mode: .untrimmed) { span in
                for index in span.indices { whole.append(span[index]) }
            }
            #expect(trimmed.count == 3 * rate * 2)
            let inner = whole.dropFirst(gapless.leading * 2).dropLast(gapless.trailing * 2)
            #expect(Array(inner) == trimmed)
        }
    }

    @Test func `the fingerprint is that of fpcalc`() async throws {
        try await withFolder { folder in
            try await plain(
                "-f", "lavfi", "-i", "sine=d=140:f=300:r=44100,tremolo=f=3", "-ac", "2", "x.flac",
                in: folder)
            let ffmpeg = try await makeFFmpeg()
            let file = folder.appending("x.flac")
            let print = try await ffmpeg.fingerprint(file, try await ffmpeg.probe(file))
            let oracle = try await plain("-length", "120", "x.flac", tool: "fpcalc", in: folder)
            let line = try #require(
                oracle.split(separator: "\n").first { $0.hasPrefix("FINGERPRINT=") })
            #expect(print == String(line.dropFirst(12)))
            try await plain("-f", "lavfi", "-i", "sine=d=0.2:r=44100", "y.flac", in: folder)
            let short = folder.appending("y.flac")
            #expect(try await ffmpeg.fingerprint(short, try await ffmpeg.probe(short)) == nil)
        }
    }
}
