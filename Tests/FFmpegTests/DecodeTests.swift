// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import FFmpeg
import Foundation
import SystemPackage
import Testing

@Suite struct `Decode` {
    @Test(arguments: [8, 16, 24])
    func `an integer sample is exact in the float that comes`(_ bits: Int) async throws {
        try await withFolder { folder in
            var noise = Noise()
            let bytes = noise.bytes(1000 * 2 * bits / 8)
            try folder.appending("x").write(wave(rate: 44_100, channels: 2, bits: bits, bytes))
            let ffmpeg = try await makeFFmpeg()
            let file = folder.appending("x")
            let info = try await ffmpeg.probe(file)
            #expect(info.container == "wav")
            #expect(info.format.samples == .integer(bits: bits))
            #expect(info.format.channels == 2)
            #expect(info.format.sampleRate == 44_100)
            var samples: [Float] = []
            let report = try await ffmpeg.decode(file, info) { span in
                for index in span.indices { samples.append(span[index]) }
            }
            #expect(report == DecodeReport(frames: 1000, errors: 0))
            let expected = stride(from: 0, to: bytes.count, by: bits / 8).map { at -> Float in
                if bits == 8 { return (Float(bytes[at]) - 128) / 128 }
                var value = 0
                for byte in 0..<bits / 8 { value |= Int(bytes[at + byte]) << (8 * byte) }
                if value >= 1 << (bits - 1) { value -= 1 << bits }
                return Float(value) / Float(1 << (bits - 1))
            }
            #expect(samples == expected)
        }
    }

    @Test(arguments: [1, 2, 3, 6, 7, 9, 13, 24])
    func `as many channels come as there are, in whole frames`(_ channels: Int) async throws {
        try await withFolder { folder in
            var noise = Noise()
            let bytes = noise.bytes(20_000 * channels * 2)
            let file = folder.appending("x")
            try file.write(wave(rate: 8000, channels: channels, bits: 16, bytes))
            let ffmpeg = try await makeFFmpeg()
            let info = try await ffmpeg.probe(file)
            #expect(info.format.channels == channels)
            var position = 0
            var wrong = 0
            let report = try await ffmpeg.decode(file, info) { span in
                if span.count % channels != 0 { wrong += 1 }
                for index in span.indices {
                    let at = 2 * position
                    let value = Int16(truncatingIfNeeded: Int(bytes[at]) | Int(bytes[at + 1]) << 8)
                    if span[index] != Float(value) / 32768 { wrong += 1 }
                    position += 1
                }
            }
            #expect(wrong == 0)
            #expect(position == 20_000 * channels)
            #expect(report.frames == 20_000)
        }
    }

    @Test func `what the reader throws comes out, and nothing is left running`() async throws {
        struct Enough: Error {}
        try await withFolder { folder in
            try await plain("-f", "lavfi", "-i", "anoisesrc=d=60", "x.wav", in: folder)
            let ffmpeg = try await makeFFmpeg()
            let file = folder.appending("x.wav")
            let info = try await ffmpeg.probe(file)
            await #expect(throws: Enough.self) {
                _ = try await ffmpeg.decode(file, info) { _ in throw Enough() }
            }
            #expect(try Processes.naming(file.string).isEmpty)
        }
    }

    @Test func `pieces of any length become whole frames`() throws {
        let values = (0..<999).map { Float($0) }
        let bytes = values.withUnsafeBytes { Array($0) }
        for piece in [1, 2, 3, 5, 7, 11, 12, 13, 24, 100, 1000, 4000] {
            var cutter = FrameCutter(channels: 3)
            var out: [Float] = []
            for start in stride(from: 0, to: bytes.count, by: piece) {
                let part = Array(bytes[start..<min(start + piece, bytes.count)])
                cutter.add(part.span.bytes) { span in
                    #expect(span.count % 3 == 0)
                    for index in span.indices { out.append(span[index]) }
                }
            }
            #expect(out == values)
            #expect(!cutter.isBroken)
        }
    }
}
