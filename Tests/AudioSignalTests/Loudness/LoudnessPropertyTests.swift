// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

@Suite struct `What holds for any loudness` {
    /// Noise whose level jumps every so often; whole frames.
    private static func noise(
        _ frames: Int, channels: Int, every: Int = 9_000, _ random: inout Dice
    ) -> [Float] {
        var gain: Float = 0.2
        var samples: [Float] = []
        for frame in 0..<frames {
            if frame % every == 0 {
                gain = pow(10, Float.random(in: -1.6 ... -0.4, using: &random))
            }
            for _ in 0..<channels {
                samples.append(gain * Float.random(in: -1...1, using: &random))
            }
        }
        return samples
    }

    @Test(arguments: UInt64(1)...12)
    func `how the samples were cut changes no bit`(_ seed: UInt64) {
        var random = Dice(seed)
        let channels = Int.random(in: 1...7, using: &random)
        let rate = [8_000, 11_025, 22_050, 44_100, 69_313].randomElement(using: &random) ?? 8_000
        let samples = Self.noise(rate * 4, channels: channels, &random)
        let format = AudioFormat(sampleRate: rate, channels: channels, samples: .float)
        var meter = LoudnessMeter(format: format)
        var at = 0
        while at < samples.count {
            let most = Bool.random(using: &random) ? 7 : 5000
            let end = min(samples.count, at + channels * Int.random(in: 0...most, using: &random))
            meter.add(Array(samples[at..<end]).span)
            at = end
        }
        let cut = meter.finish()
        #expect(cut == loudness(samples, rate: rate, channels: channels))
        #expect(cut.integrated != nil && cut.shortTermMax != nil && cut.range != nil)
    }

    @Test(arguments: UInt64(1)...8)
    func `a gain moves every level by itself and leaves the range`(_ seed: UInt64) throws {
        var random = Dice(seed)
        let samples = Self.noise(8_000 * 12, channels: 2, &random)
        let gain = Double.random(in: -20...20, using: &random)
        let factor = Float(pow(10, gain / 20))
        let before = loudness(samples, rate: 8_000, channels: 2)
        let after = loudness(samples.map { $0 * factor }, rate: 8_000, channels: 2)
        // A gate may fall into a bin otherwise than before.
        #expect(after.integrated.isNear(try #require(before.integrated) + gain, 0.005))
        #expect(after.range.isNear(try #require(before.range), 0.02))
        #expect(after.momentaryMax.isNear(try #require(before.momentaryMax) + gain, 1e-4))
        #expect(after.shortTermMax.isNear(try #require(before.shortTermMax) + gain, 1e-4))
        #expect(after.truePeak.isNear(try #require(before.truePeak) + gain, 1e-4))
    }

    /// BS.1770-5 and Tech 3342 word by word, from M and S as the meter shows them.
    @Test(arguments: UInt64(1)...8)
    func `the gates are those of the standards`(_ seed: UInt64) throws {
        var random = Dice(seed)
        var (momentary, shortTerm): ([Double], [Double]) = ([], [])
        var hops = 0
        var programme = Programme(rate: 8_000, channels: 1) { meter, _ in
            hops += 1
            guard hops % 10 == 0 else { return }
            if let level = meter.momentary { momentary.append(level) }
            if let level = meter.shortTerm { shortTerm.append(level) }
        }
        for _ in 0..<30 {
            // Whole hops, so that each piece is one.
            programme.tone(
                Double(Int.random(in: 20...250, using: &random)) / 100,
                .random(in: -75 ... -10, using: &random))
        }
        let found = programme.finish()
        func power(_ levels: [Double]) -> Double {
            levels.map { pow(10, $0 / 10) }.reduce(0, +) / Double(levels.count)
        }
        func gated(_ levels: [Double], _ relative: Double) -> [Double] {
            let loud = levels.filter { $0 > -70 }
            return loud.filter { $0 > 10 * log10(power(loud)) + relative }
        }
        #expect(found.integrated.isNear(10 * log10(power(gated(momentary, -10))), 0.02))
        let levels = gated(shortTerm, -20).sorted()
        let low = levels[Int(Double(levels.count - 1) * 0.1 + 0.5)]
        let high = levels[Int(Double(levels.count - 1) * 0.95 + 0.5)]
        #expect(found.range.isNear(high - low, 0.02))
    }

    @Test func `silence has no loudness and no peak`() {
        let found = loudness([Float](repeating: 0, count: 48_000 * 5))
        let nothing = Loudness(
            integrated: nil, range: nil, truePeak: nil, momentaryMax: nil, shortTermMax: nil)
        #expect(found == nothing)
        #expect(loudness([]) == nothing)
    }

    @Test func `one sample has a peak and nothing else`() {
        let found = loudness([0.5])
        #expect(found.truePeak.isNear(-6.02, 0.001))
        #expect(found.integrated == nil && found.range == nil)
        #expect(found.momentaryMax == nil && found.shortTermMax == nil)
    }

    @Test(arguments: Programme.rates)
    func `400 ms are needed for momentary, 3 s for short-term loudness`(_ rate: Int) {
        func found(_ seconds: Double, less frames: Int) -> Loudness {
            var programme = Programme(rate: rate)
            programme.play(Int(seconds * Double(rate)) - frames) { frame, _ in
                Float(0.1 * sin(2 * .pi * 1000 * Double(frame) / Double(rate)))
            }
            return programme.finish()
        }
        #expect(found(0.4, less: 1).momentaryMax == nil)
        #expect(found(0.4, less: 1).integrated == nil)
        #expect(found(0.4, less: 0).momentaryMax.isNear(-20))
        #expect(found(0.4, less: 0).integrated.isNear(-20))
        #expect(found(3, less: 1).shortTermMax == nil)
        #expect(found(3, less: 1).range == nil)
        #expect(found(3, less: 0).shortTermMax.isNear(-20))
        #expect(found(3, less: 0).range == 0)
    }

    @Test func `an incomplete last block does not count`() {
        // 0.99 s: blocks end at 0.4 … 0.9 s. The loud last 90 ms are in none of them.
        var programme = Programme(rate: 48_000)
        programme.tone(0.9, -40)
        programme.tone(0.09, -10)
        #expect(programme.finish().integrated.isNear(-40, 0.01))
    }

    @Test func `24 channels without a layout count alike`() {
        var programme = Programme(rate: 48_000, channels: 24)
        programme.tone(4, -40)
        let found = programme.finish()
        let expected = -40 + 10 * log10(12.0)  // Twelve times the two channels of −40.
        #expect(found.integrated.isNear(expected, 0.02))
        #expect(found.shortTermMax.isNear(expected, 0.02))
        #expect(found.truePeak.isPeak(-40))
    }

    @Test func `a mono file is one channel`() {
        var programme = Programme(rate: 48_000, channels: 1)
        programme.tone(4, -20)
        #expect(programme.finish().integrated.isNear(-23.01, 0.02))
    }

    @Test(arguments: [
        Float.nan, .infinity, -.infinity, .greatestFiniteMagnitude, -0x1p65, .signalingNaN,
    ])
    func `a sample that cannot be counts as silence`(_ wild: Float) {
        var random = Dice(7)
        var good = Self.noise(48_000 * 4, channels: 2, &random)
        var bad = good
        for _ in 0..<50 {
            let place = Int.random(in: good.indices, using: &random)
            (good[place], bad[place]) = (0, wild)
        }
        #expect(loudness(bad, channels: 2) == loudness(good, channels: 2))
        #expect(loudness([wild]).truePeak == nil)
    }

    @Test func `samples far over full scale give finite figures`() {
        let loud = (0..<48_000 * 4).map { Float(0x1p60 * sin(Double($0) / 8)) }
        let found = loudness(loud)
        #expect(found.truePeak.isNear(20 * log10(0x1p60), 1))
        #expect(found.integrated?.isFinite == true && found.range == 0)
    }

    @Test func `a loud passage leaves no floor under a quiet one`() {
        var programme = Programme(rate: 48_000)
        programme.tone(5, 60)
        programme.tone(5, -140)
        #expect(programme.meter.momentary.isNear(-140))
        #expect(programme.meter.shortTerm.isNear(-140))
    }

    @Test(arguments: [1, 50, 99, 101, 500, 3_000])
    func `absurdly low rates end and give figures`(_ rate: Int) {
        var random = Dice(UInt64(rate))
        let samples = Self.noise(rate * 20, channels: 3, every: max(1, rate / 5), &random)
        let found = loudness(samples, rate: rate, channels: 3)
        #expect(found.truePeak?.isFinite == true)
        #expect(found.integrated?.isFinite == true)
    }

    @Test func `a second finish says the same`() {
        var programme = Programme(rate: 44_100)
        programme.tone(3.5, -12)
        let found = programme.finish()
        #expect(programme.finish() == found)
    }
}
