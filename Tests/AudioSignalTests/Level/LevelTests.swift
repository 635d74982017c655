// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

@Suite struct `Silence` {
    private func spans(
        _ sound: [Float], rate: Int = 1_000, channels: Int = 1, pieces: Int = 1_000
    ) -> [TimeSpan] {
        var finder = SilenceFinder(format: AudioFormat(sampleRate: rate, channels: channels))
        return finder.consume(sound, channels: channels, pieces: pieces)
    }

    private func level(_ value: Float, _ frames: Int) -> [Float] {
        (0..<frames).map { $0 % 2 == 0 ? value : -value }
    }

    @Test(arguments: [1, 7, 64, 10_000])
    func `is found at the head, inside and at the tail`(_ pieces: Int) {
        let sound =
            level(0, 600) + level(0.5, 1_000) + level(0.000_9, 700) + level(0.5, 100)
            + level(0, 499) + level(0.5, 100) + level(0.000_1, 500)
        #expect(
            spans(sound, pieces: pieces) == [
                TimeSpan(start: 0, end: 0.6), TimeSpan(start: 1.6, end: 2.3),
                TimeSpan(start: 2.999, end: 3.499),
            ])
    }

    @Test func `needs every channel below the level, not at it`() {
        let quiet = level(0, 1_000)
        let one = zip(quiet, level(0.001, 1_000)).flatMap { [$0, $1] }
        #expect(spans(one, channels: 2).isEmpty)
        let both = zip(quiet, level(0.000_99, 1_000)).flatMap { [$0, $1] }
        #expect(spans(both, channels: 2) == [TimeSpan(start: 0, end: 1)])
        #expect(spans(level(0, 499)).isEmpty)
        #expect(spans([]).isEmpty)
        #expect(spans([Float](repeating: .nan, count: 600)).count == 1)
    }

    @Test(.enabled(if: Self.hasFFmpeg, "needs ffmpeg"))
    func `is where ffmpeg finds it`() throws {
        var dice = Dice(20)
        let rate = 8_000
        var sound: [Float] = []
        for _ in 0..<40 {
            let loud = Bool.random(using: &dice) ? Float(0.3) : 0.000_8
            let frames = Int.random(in: 1_000...9_000, using: &dice)
            sound += (0..<2 * frames).map { _ in Float.random(in: -loud...loud, using: &dice) }
        }
        let file = FileManager.default.temporaryDirectory
            .appending(path: "silence-\(UUID().uuidString).f32")
        try sound.withUnsafeBytes { Data($0) }.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let text = try Self.run([
            "ffmpeg", "-nostdin", "-hide_banner", "-f", "f32le", "-ar", "\(rate)", "-ac", "2", "-i",
            file.path, "-af", "silencedetect=n=-60dB:d=0.5", "-f", "null", "-",
        ])
        func times(_ word: String) -> [Double] {
            text.components(separatedBy: "silence_\(word): ").dropFirst().compactMap {
                Double($0.prefix { "0123456789.-e".contains($0) })
            }
        }
        let found = spans(sound, rate: rate, channels: 2)
        #expect(found.count > 5)
        #expect(found.count == times("start").count && found.count == times("end").count)
        for (span, (start, end)) in zip(found, zip(times("start"), times("end"))) {
            #expect(abs(span.start - start) < 2.0 / Double(rate), "\(span) \(start)")
            #expect(abs(span.end - end) < 2.0 / Double(rate), "\(span) \(end)")
        }
    }

    static let hasFFmpeg: Bool = (try? run(["ffmpeg", "-version"])) != nil

    private struct Failed: Error {}

    /// What a program wrote to standard error.
    private static func run(_ arguments: [String]) throws -> String {
        let (process, errors) = (Process(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = errors
        try process.run()
        let text = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed() }
        return String(decoding: text, as: UTF8.self)
    }
}

@Suite struct `Clipping counter` {
    private func clipping(
        _ sound: [Float], channels: Int = 1, _ kind: AudioFormat.Samples = .integer(bits: 16),
        pieces: Int = 1_000
    ) -> Clipping {
        var counter = ClippingCounter(
            format: AudioFormat(sampleRate: 44_100, channels: channels, samples: kind))
        return counter.consume(sound, channels: channels, pieces: pieces)
    }

    private func sine(_ amplitude: Float, hertz: Float = 440, _ count: Int = 44_100) -> [Float] {
        (0..<count).map { amplitude * sin(2 * .pi * hertz * Float($0) / 44_100) }
    }

    @Test(arguments: [1, 2, 63, 64, 1_000])
    func `counts runs of three and more, each channel for itself`(_ pieces: Int) {
        let left: [Float] = [1, 1, 0, 1, 1, 1, 0, -1, -1, -1, -0.9991, 0, 0.9989, 1, 1]
        let right: [Float] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 1, -1]
        let sound = zip(left, right).flatMap { [$0, $1] }
        #expect(
            clipping(sound, channels: 2, pieces: pieces) == Clipping(count: 3, longest: 4))
    }

    @Test func `follows a run over quiet blocks and long ones`() {
        let sound =
            [Float](repeating: 0, count: 100) + [Float](repeating: 1, count: 1_000)
            + [Float](repeating: 0, count: 100) + [1, 1, 1] + [Float](repeating: 0, count: 200)
        for pieces in [1, 10, 5_000] {
            #expect(clipping(sound, pieces: pieces) == Clipping(count: 2, longest: 1_000))
        }
    }

    @Test func `agrees with counting one by one`() {
        var dice = Dice(21)
        for _ in 0..<50 {
            let sound = (0..<3_000).map { _ in
                Float.random(in: 0...1, using: &dice) < 0.05
                    ? Float(0) : Bool.random(using: &dice) ? 1 : -0.9995
            }
            var (runs, longest, run) = (0, 0, 0)
            for sample in sound + [0] {
                if abs(sample) >= 0.999 { run += 1; continue }
                if run >= 3 { (runs, longest) = (runs + 1, max(longest, run)) }
                run = 0
            }
            #expect(clipping(sound) == Clipping(count: runs, longest: longest))
        }
    }

    @Test func `leaves a clean sine alone, lossy or not`() {
        for hertz in [Float(30), 100, 440, 5_000] {
            for kind in [AudioFormat.Samples.integer(bits: 16), .lossy] {
                #expect(clipping(sine(0.9, hertz: hertz), kind).count == 0, "\(hertz) \(kind)")
            }
        }
    }

    @Test func `finds flat tops below full scale after a lossy codec only`() {
        let flat = sine(1.2).map { min(0.7, max(-0.7, $0)) }
        #expect(clipping(flat).count == 0)
        let found = clipping(flat, .lossy)
        #expect(found.count >= 878 && found.count <= 880, "\(found)")
        // A quiet flat stretch after a loud sound is no clipping.
        #expect(clipping(sine(0.9) + [Float](repeating: 0.3, count: 500), .lossy).count == 0)
        #expect(clipping([Float](repeating: 0, count: 500), .lossy).count == 0)
        // Beyond full scale it is.
        #expect(clipping(sine(1.3), .lossy).count == 880)
    }

    @Test func `finds nothing in nothing`() {
        #expect(clipping([]) == Clipping(count: 0, longest: 0))
        #expect(clipping([Float](repeating: .nan, count: 500)).count == 0)
    }
}

@Suite struct `Level meter` {
    private func report(
        _ sound: [Float], channels: Int, _ kind: AudioFormat.Samples = .integer(bits: 16),
        pieces: Int = 1_000
    ) -> LevelReport {
        var meter = LevelMeter(
            format: AudioFormat(sampleRate: 44_100, channels: channels, samples: kind))
        return meter.consume(sound, channels: channels, pieces: pieces)
    }

    @Test func `measures a sine that stands off`() throws {
        let sound = (0..<44_100).map { 0.1 + 0.5 * sin(2 * .pi * 441 * Float($0) / 44_100) }
        let channel = try #require(report(sound, channels: 1, .float, pieces: 333).channels.first)
        #expect(abs(channel.dcOffset - 0.1) < 1e-6)
        let rms = 20 * log10((0.125 + 0.01).squareRoot())
        #expect(abs((channel.rms ?? 0) - rms) < 1e-4)
        #expect(abs((channel.peak ?? 0) - 20 * log10(0.6)) < 1e-4)
        #expect(abs((channel.crest ?? 0) - (20 * log10(0.6) - rms)) < 2e-4)
    }

    @Test func `tells channels that are the same, mirrored, unrelated`() throws {
        var dice = Dice(22)
        let one = dice.samples(30_000, .integer(bits: 16))
        let other = dice.samples(30_000, .integer(bits: 16))
        func stereo(_ a: [Float], _ b: [Float]) -> [Float] { zip(a, b).flatMap { [$0, $1] } }
        let same = report(stereo(one, one), channels: 2, pieces: 101)
        #expect(same.isDualMono == true && abs((same.correlation ?? 0) - 1) < 1e-6)
        let mirrored = report(stereo(one, one.map { -$0 }), channels: 2)
        #expect(mirrored.isDualMono == false && abs((mirrored.correlation ?? 0) + 1) < 1e-6)
        let unrelated = report(stereo(one, other), channels: 2)
        #expect(unrelated.isDualMono == false && abs(unrelated.correlation ?? 1) < 0.03)
        var nearly = stereo(one, one)
        nearly[40_001] = nearly[40_001] == 0 ? 1 / 32_768 : 0
        #expect(report(nearly, channels: 2).isDualMono == false)
        #expect(report(one, channels: 1).correlation == nil)
        #expect(report(one, channels: 1).isDualMono == nil)
        let silent = report(stereo(one, one.map { _ in 0 }), channels: 2)
        #expect(silent.correlation == nil && silent.channels[1].rms == nil)
        // Of more channels the first two.
        let three = report(zip(one, other).flatMap { [$0, $0, $1] }, channels: 3)
        #expect(abs((three.correlation ?? 0) - 1) < 1e-6 && three.isDualMono == nil)
        #expect(abs((three.channels[2].rms ?? 0) - (unrelated.channels[1].rms ?? 1)) < 1e-3)
    }

    @Test func `counts the bits in use`() {
        var dice = Dice(23)
        let short = dice.samples(2_000, .integer(bits: 16))
        #expect(report(short, channels: 1).bitsUsed == 16)
        #expect(report(short, channels: 1, .integer(bits: 24)).bitsUsed == 16)
        #expect(report(dice.samples(500, .integer(bits: 8)), channels: 1).bitsUsed == 8)
        let deep = dice.samples(2_000, .integer(bits: 24))
        #expect(report(deep, channels: 2, .integer(bits: 24)).bitsUsed == 24)
        #expect(report(deep, channels: 2, .float).bitsUsed == nil)
        #expect(report([0, 0], channels: 2).bitsUsed == nil)
        #expect(report([-1, -1], channels: 1).bitsUsed == 1)
    }

    @Test func `survives what is no number, and nothing at all`() throws {
        let odd = report([.nan, .infinity, -.infinity, 1e30], channels: 2, .integer(bits: 32))
        #expect(odd.channels.allSatisfy { $0.dcOffset.isFinite && $0.rms?.isFinite ?? true })
        let none = report([], channels: 2)
        #expect(none.channels.map(\.rms) == [nil, nil] && none.isDualMono == nil)
        #expect(
            String(decoding: try JSONEncoder().encode(odd), as: UTF8.self).contains("dc_offset"))
    }
}
