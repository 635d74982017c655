// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

@Suite struct `A waveform` {
    /// The generator of the published vectors: 1,000 stereo frames.
    static let vector: [Int] = {
        var x = 0
        return (0..<2_000).map { _ in
            x = (1_103_515_245 * x + 12_345) % (1 << 31)
            return (x >> 15) % 65_536 - 32_768
        }
    }()

    private func file(_ samples: [Int], _ options: WaveformOptions) throws -> [UInt8] {
        try drawn(samples.map { Float($0) / 32_768 }, channels: 2, options).bytes(as: .dat)
    }

    private func drawn(
        _ samples: [Float], channels: Int, _ options: WaveformOptions
    ) throws -> Waveform {
        try AudioSignalTests.drawn(samples, channels: channels, .integer(bits: 16), options)
    }

    @Test func `the checksum of these tests is SHA-256`() {
        #expect(
            sha256(Array("abc".utf8))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func `the published vectors come out byte for byte`() throws {
        let whole = Self.vector
        let third = whole.map { Int((Double($0) / 3).rounded(.down)) }
        #expect(try sha256(file(whole, .init())).hasPrefix("0a32a95e5fa5274d"))
        #expect(try sha256(file(whole, .init(bits: 8))).hasPrefix("f03099d47e045173"))
        #expect(
            try sha256(file(whole, .init(bits: 8, splitChannels: true))).hasPrefix(
                "fa476a5f399c972d"))
        #expect(try sha256(file(third, .init(amplitude: .auto))).hasPrefix("d13fc600d0ccbe71"))
    }

    @Test func `the published pairs come out`() throws {
        let mix = try drawn(Self.vector.map { Float($0) / 32_768 }, channels: 2, .init())
        #expect(mix.length == 4)
        #expect(mix.pair(0) == (-31_775, 28_546))
        #expect(mix.pair(1) == (-26_442, 30_939))
    }

    @Test func `a mean of two samples is cut toward zero`() throws {
        let pairs: [(Int, Int, Int16)] = [
            (3, 0, 1), (-3, 0, -1), (-1, 0, 0), (1, 0, 0), (-32_768, -32_767, -32_767),
            (32_767, 32_766, 32_766), (-32_768, 32_767, 0), (-32_768, -32_768, -32_768),
        ]
        for (left, right, mean) in pairs {
            let mix = try drawn(
                [Float(left) / 32_768, Float(right) / 32_768], channels: 2, .init())
            #expect(mix.pair(0) == (mean, mean), "\(left), \(right)")
        }
    }

    @Test(arguments: [0, 1, 255, 256, 257, 512])
    func `a last pixel that is not full is drawn too`(_ frames: Int) throws {
        let sound = [Float](repeating: 0.5, count: frames)
        let waveform = try drawn(sound, channels: 1, .init())
        #expect(waveform.length == (frames + 255) / 256)
        for pixel in 0..<waveform.length { #expect(waveform.pair(pixel) == (16_384, 16_384)) }
    }

    @Test func `how the sound is cut into pieces changes nothing`() throws {
        var dice = Dice(1)
        for channels in [1, 2, 3, 4, 6, 8] {
            let format = AudioFormat(sampleRate: 8_000, channels: channels, samples: .lossy)
            let sound = dice.samples(5_000 * channels, .lossy)
            for split in [false, true] {
                let options = WaveformOptions(zoom: .samplesPerPixel(100), splitChannels: split)
                var (whole, torn) = (
                    try WaveformBuilder(format: format, options: options),
                    try WaveformBuilder(format: format, options: options)
                )
                var left = sound[...]
                while !left.isEmpty {
                    let count = min(left.count, Int.random(in: 0...300, using: &dice) * channels)
                    torn.add(Array(left.prefix(count)).span)
                    left = left.dropFirst(count)
                }
                #expect(whole.consume(sound, channels: channels, pieces: 5_000) == torn.finish())
            }
        }
    }

    @Test func `frames are skipped whatever pieces they come in`() throws {
        var dice = Dice(2)
        let sound = dice.samples(4_000, .integer(bits: 16))
        for pieces in [1, 7, 104, 105, 106, 2_000] {
            var builder = try WaveformBuilder(
                format: AudioFormat(sampleRate: 44_100, channels: 2),
                options: .init(skippedFrames: 105))
            let expected = try drawn(Array(sound[210...]), channels: 2, .init())
            #expect(builder.consume(sound, channels: 2, pieces: pieces) == expected)
        }
    }

    @Test func `a file that is written while the sound runs is the same file`() throws {
        var dice = Dice(3)
        let sound = dice.samples(200_000, .integer(bits: 16))
        for channels in [1, 2] {
            for form in Waveform.FileFormat.allCases {
                let options = WaveformOptions(
                    zoom: .samplesPerPixel(2), bits: 8, splitChannels: true, amplitude: .factor(0.7)
                )
                var stream = try WaveformStream(
                    format: AudioFormat(sampleRate: 44_100, channels: channels), options: options,
                    as: form)
                var (body, pieces) = ([UInt8](), 0)
                func keep(_ bytes: Span<UInt8>) {
                    bytes.withUnsafeBufferPointer { body.append(contentsOf: $0) }
                    pieces += 1
                }
                for start in stride(from: 0, to: sound.count, by: 10_000) {
                    stream.add(sound.span.extracting(start..<start + 10_000), keep)
                }
                #expect(pieces > 1)
                let head = stream.finish(keep)
                if form == .dat { #expect(head.count == stream.headLength) }
                var builder = try WaveformBuilder(
                    format: AudioFormat(sampleRate: 44_100, channels: channels), options: options)
                let whole = builder.consume(sound, channels: channels)
                let same = head + body == whole.bytes(as: form)
                #expect(same, "\(channels) \(form)")
            }
        }
        #expect(throws: WaveformError.self) {
            try WaveformStream(
                format: AudioFormat(sampleRate: 44_100, channels: 1),
                options: .init(amplitude: .auto), as: .dat)
        }
    }

    @Test func `one channel is version 1 and more are version 2`() throws {
        let sound = [Float](repeating: 0.25, count: 600)
        #expect(try drawn(sound, channels: 2, .init()).bytes(as: .dat)[0] == 1)
        #expect(try drawn(sound, channels: 1, .init(splitChannels: true)).bytes(as: .dat)[0] == 1)
        let split = try drawn(sound, channels: 2, .init(bits: 8, splitChannels: true))
        #expect(
            split.bytes(as: .dat) == [
                2, 0, 0, 0, 1, 0, 0, 0, 0x44, 0xAC, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0,
                32, 32, 32, 32, 32, 32, 32, 32,
            ])
        let text = """
            {"version":2,"channels":2,"sample_rate":44100,"samples_per_pixel":256,"bits":16,\
            "length":2,"data":[8192,8192,8192,8192,8192,8192,8192,8192]}

            """
        #expect(String(decoding: split.bytes(as: .json, bits: 16), as: UTF8.self) == text)
    }
}

@Suite struct `Waveform options` {
    @Test func `a zoom is said in three ways`() throws {
        #expect(try WaveformOptions().samplesPerPixel(at: 44_100) == 256)
        #expect(
            try WaveformOptions(zoom: .pixelsPerSecond(100)).samplesPerPixel(at: 44_100) == 441)
        #expect(
            try WaveformOptions(zoom: .pixelsPerSecond(1_000)).samplesPerPixel(at: 44_100) == 44)
        #expect(
            try WaveformOptions(zoom: .width(800, start: 1.5, end: 11.5)).samplesPerPixel(at: 8_000)
                == 100)
        #expect(
            try WaveformOptions(zoom: .width(1_000, start: 0, end: 0.99999))
                .samplesPerPixel(at: 44_100) == 44)
    }

    @Test(arguments: [
        WaveformOptions(zoom: .samplesPerPixel(1)), .init(zoom: .samplesPerPixel(-5)),
        .init(zoom: .samplesPerPixel(1 << 31)), .init(zoom: .pixelsPerSecond(0)),
        .init(zoom: .pixelsPerSecond(44_100)), .init(zoom: .width(0, start: 0, end: 1)),
        .init(zoom: .width(10, start: 2, end: 1)), .init(zoom: .width(10, start: 0, end: 1e300)),
        .init(zoom: .width(10, start: 0, end: .nan)), .init(bits: 12),
        .init(amplitude: .factor(-1)), .init(amplitude: .factor(.nan)),
        .init(amplitude: .factor(.infinity)), .init(skippedFrames: -1),
    ])
    func `what cannot be is refused with a reason`(_ options: WaveformOptions) {
        #expect(throws: WaveformError.self) {
            try WaveformBuilder(
                format: AudioFormat(sampleRate: 44_100, channels: 2), options: options)
        }
    }

    @Test func `a thousand channels can be mixed but not split`() throws {
        let format = AudioFormat(sampleRate: 44_100, channels: 1_000)
        var builder = try WaveformBuilder(format: format)
        let sound = (0..<3_000).map { Float($0 % 1_000) / 32_768 }
        #expect(builder.consume(sound, channels: 1_000).pair(0) == (499, 499))
        #expect(throws: WaveformError.self) {
            try WaveformBuilder(format: format, options: .init(splitChannels: true))
        }
        #expect(throws: WaveformError.self) {
            try WaveformBuilder(format: AudioFormat(sampleRate: 0, channels: 1))
        }
        #expect(throws: WaveformError.self) {
            try WaveformBuilder(format: AudioFormat(sampleRate: 44_100, channels: 0))
        }
    }
}
