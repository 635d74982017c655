// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import FFmpeg
import Foundation
import Synchronization
import SystemPackage
import Testing

@Suite struct `Transcode` {
    private func info(
        _ channels: Int = 2, rate: Int = 44_100,
        _ samples: AudioFormat.Samples = .integer(bits: 16),
        bitRate: Int? = nil, container: String = "flac", duration: Double? = 100
    ) -> MediaInfo {
        MediaInfo(
            container: container, codec: "flac", duration: duration,
            format: AudioFormat(sampleRate: rate, channels: channels, samples: samples),
            bitDepth: 16, tags: [:], hasCover: false, bitRate: bitRate)
    }

    @Test func `two runs make the same bytes, segments before their playlists`() async throws {
        try await withFolder { folder in
            try await plain(
                "-f", "lavfi", "-i", "anoisesrc=d=20:r=44100:a=0.2:seed=1", "-ac", "2", "-metadata",
                "title=Kept", "-metadata", "comment=HushHush", "-metadata", "location=+48.1+11.5/",
                "x.flac", in: folder)
            let ffmpeg = try await makeFFmpeg()
            let file = folder.appending("x.flac")
            let info = try await ffmpeg.probe(file)
            let told = Mutex<[Double]>([])
            let first = try await ffmpeg.transcode(file, info, to: .standard, in: folder) {
                fraction in told.withLock { $0.append(fraction) }
            }
            let again = folder.appending("again")
            try FileManager.default.createDirectory(
                atPath: again.string, withIntermediateDirectories: true)
            let second = try await ffmpeg.transcode(file, info, to: .standard, in: again)
            #expect(first.map(\.name) == second.map(\.name))
            #expect(first.map(\.sha256) == second.map(\.sha256))
            #expect(first.allSatisfy { $0.sha256.count == 64 && $0.size > 0 })
            let names = first.map(\.name)
            #expect(names.last == "hls/master.m3u8")
            #expect(
                Set(["opus.ogg", "preview.mp3", "original.flac", "download.m4a"]).isSubset(
                    of: names))
            #expect(names.filter { $0.hasPrefix("hls/seg_128k_") }.count == 4)
            #expect(told.withLock { $0 == $0.sorted() && !$0.isEmpty })
            for (index, made) in first.enumerated() where made.name.hasSuffix(".m3u8") {
                let text = String(decoding: try FilePath(made.path).bytes, as: UTF8.self)
                for line in text.split(separator: "\n") {
                    let named =
                        line.hasPrefix("#EXT-X-MAP")
                        ? String(line.split(separator: "\"")[1]) : String(line)
                    guard !named.hasPrefix("#") else { continue }
                    #expect(names[..<index].contains("hls/" + named))
                }
            }
            for made in first {
                let bytes = Data(try FilePath(made.path).bytes)
                let isOwn = made.name == "original.flac"
                #expect((bytes.range(of: Data("HushHush".utf8)) != nil) == isOwn, "\(made.name)")
                #expect((bytes.range(of: Data("+48.1".utf8)) != nil) == isOwn, "\(made.name)")
                let isNamed = isOwn || made.name == "download.m4a"
                #expect((bytes.range(of: Data("Kept".utf8)) != nil) == isNamed, "\(made.name)")
            }
            let preview = try await ffmpeg.probe(
                FilePath(first.first { $0.name == "preview.mp3" }!.path))
            #expect(abs((preview.duration ?? 0) - 20) < 0.1)
        }
    }

    @Test(arguments: [16, 24])
    func `the FLAC holds the very samples`(_ bits: Int) async throws {
        try await withFolder { folder in
            var noise = Noise()
            let file = folder.appending("x")
            try file.write(
                wave(rate: 96_000, channels: 2, bits: bits, noise.bytes(50_000 * 2 * bits / 8)))
            let ffmpeg = try await makeFFmpeg()
            let info = try await ffmpeg.probe(file)
            let made = try await ffmpeg.transcode(
                file, info, to: TranscodePlan([.flac], gain: .init(decibels: -6, truePeak: 0)),
                in: folder)
            let path = FilePath(try #require(made.first).path)
            let copy = try await ffmpeg.probe(path)
            #expect(copy.format.sampleRate == 96_000)
            #expect(copy.bitDepth == bits)
            var sums: [[Float]] = [[], []]
            _ = try await ffmpeg.decode(file, info) { span in
                for index in span.indices { sums[0].append(span[index]) }
            }
            _ = try await ffmpeg.decode(path, copy) { span in
                for index in span.indices { sums[1].append(span[index]) }
            }
            #expect(sums[0] == sums[1])
            #expect(sums[0].count == 100_000)
        }
    }

    @Test func `gain is applied, and held by the true peak`() async throws {
        #expect(TranscodePlan.Gain(decibels: 6, truePeak: -3).applied == 2)
        #expect(TranscodePlan.Gain(decibels: 1, truePeak: -3).applied == 1)
        #expect(TranscodePlan.Gain(decibels: 6, truePeak: nil).applied == 0)
        #expect(TranscodePlan.Gain(decibels: -4, truePeak: nil).applied == -4)
        #expect(TranscodePlan.Gain(decibels: -2, truePeak: 3).applied == -4)
        #expect(TranscodePlan.Gain(decibels: .nan, truePeak: 0).applied == 0)
        try await withFolder { folder in
            try await plain("-f", "lavfi", "-i", "sine=d=3:r=48000", "x.wav", in: folder)
            let ffmpeg = try await makeFFmpeg()
            let file = folder.appending("x.wav")
            let info = try await ffmpeg.probe(file)
            var peaks: [Float] = []
            for decibels in [0.0, 6.0] {
                let plan = TranscodePlan(
                    [.opus(kilobits: 128)], gain: .init(decibels: decibels, truePeak: -18))
                let made = try await ffmpeg.transcode(file, info, to: plan, in: folder)
                let path = FilePath(made[0].path)
                var peak: Float = 0
                _ = try await ffmpeg.decode(path, try await ffmpeg.probe(path)) { span in
                    for index in span.indices { peak = max(peak, abs(span[index])) }
                }
                peaks.append(peak)
            }
            #expect(abs(peaks[1] / peaks[0] - 1.995) < 0.1)
        }
    }

    @Test func `renditions that would only be larger are left out`() {
        let all = [64, 128, 256]
        #expect(TranscodeScript.ladder(all, for: info()) == all)
        #expect(TranscodeScript.ladder([256, 64, 64, 128], for: info()) == all)
        #expect(TranscodeScript.ladder(all, for: info(1)) == [64, 128])
        #expect(TranscodeScript.ladder(all, for: info(1, .lossy, bitRate: 64_000)) == [64])
        #expect(TranscodeScript.ladder(all, for: info(.lossy, bitRate: 128_000)) == [64, 128])
        #expect(TranscodeScript.ladder(all, for: info(.lossy, bitRate: 16_000)) == [64])
        #expect(TranscodeScript.ladder(all, for: info(.lossy, bitRate: 320_000)) == all)
        #expect(TranscodeScript(.init([.flac]), for: info(12)).branches.isEmpty)
        for (rate, to) in [
            (192_000, 48_000), (176_400, 44_100), (88_200, 44_100), (69_313, 48_000),
            (44_100, 44_100), (7350, 8000), (37_800, 44_100),
        ] {
            #expect(TranscodeScript.rate(info(rate: rate)) == to)
        }
    }

    private func info(_ samples: AudioFormat.Samples, bitRate: Int) -> MediaInfo {
        info(2, samples, bitRate: bitRate)
    }

    @Test func `the arguments hold every wall, and nothing that the file says`() async throws {
        try await withFolder { folder in
            let (file, _) = try sample(in: folder)
            let options = quietOptions()
            let input = try InputFile(file)
            var hostile = info(2, container: "ogg")
            hostile.codec = "EVIL"
            hostile.tags = ["title": "EVIL"]
            hostile.layoutName = "EVIL"
            let lists = [
                FFmpeg.probeArguments(input, options),
                FFmpeg.decodeArguments(input, hostile, .gapless, options),
                FFmpeg.fingerprintArguments(input, options),
                TranscodeScript(.standard, for: hostile).arguments(input, options),
            ]
            for list in lists {
                func value(_ name: String) -> String? {
                    list.firstIndex(of: name).map { list[$0 + 1] }
                }
                #expect(value("-protocol_whitelist") == "file")
                #expect(value("-format_whitelist") == "wav")
                #expect(value("-f") == "wav")
                #expect(value("-codec_whitelist")?.contains("mp3float") == true)
                #expect(value("-i") == "file:" + file.string)
                #expect(value("-threads") == "1")
                #expect(!list.contains { $0.contains("EVIL") })
                let i = try #require(list.firstIndex(of: "-i"))
                #expect(list.firstIndex(of: "-format_whitelist").map { $0 < i } == true)
            }
        }
    }

    @Test(arguments: [(1, 8000), (1, 11_025), (6, 48_000), (2, 192_000), (10, 44_100), (2, 7350)])
    func `odd rates and channels have renditions too`(_ channels: Int, _ rate: Int) async throws {
        try await withFolder { folder in
            var noise = Noise()
            let file = folder.appending("x")
            try file.write(
                wave(rate: rate, channels: channels, bits: 16, noise.bytes(rate * channels * 2 * 2))
            )
            let ffmpeg = try await makeFFmpeg()
            let info = try await ffmpeg.probe(file)
            let made = try await ffmpeg.transcode(file, info, to: .standard, in: folder)
            #expect(made.contains { $0.name == "hls/master.m3u8" })
            for name in ["opus.ogg", "preview.mp3", "download.m4a"] {
                let one = try #require(made.first { $0.name == name })
                let copy = try await ffmpeg.probe(FilePath(one.path))
                #expect(copy.format.channels == min(channels, 2))
                #expect(abs((copy.duration ?? 0) - 2) < 0.2)
            }
        }
    }

    @Test func `one that fails leaves nothing`() async throws {
        try await withFolder { folder in
            let file = folder.appending("x")
            try file.write(Array("fLaC".utf8) + [UInt8](repeating: 7, count: 5000))
            let ffmpeg = try await makeFFmpeg()
            let end = await failure {
                _ = try await ffmpeg.transcode(file, info(), to: .standard, in: folder)
            }
            #expect(end?.word == "invalid")
            #expect(try folder.names == ["x"])
        }
    }
}
