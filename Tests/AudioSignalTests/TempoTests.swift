// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

@Suite struct `Tempo of known clips` {
    /// A seed that nothing was tuned on; the whole 400 are in docs/audio.md.
    static let seed: UInt64 = 20_261_122

    @Test func `seventy-five clips: nine of ten right, nearly all but for half or double`() {
        let numbers = (0..<75).map { $0 * 5 }
        let found = numbers.map { number in
            let clip = TempoClip(number, seed: Self.seed)
            return (bpm: estimate(clip.render())?.bpm ?? 0, truth: clip.bpm)
        }
        func share(_ tolerance: Double, _ multiples: [Double]) -> Double {
            let right = found.filter { found in
                multiples.contains { abs(found.bpm / (found.truth * $0) - 1) <= tolerance }
            }
            return Double(right.count) / Double(found.count)
        }
        let any = [1, 2, 0.5, 3, 1.0 / 3]
        #expect(share(0.04, [1]) >= 0.9)
        #expect(share(0.01, [1]) >= 0.9)
        #expect(share(0.04, any) >= 0.97)
        #expect(share(0.01, any) >= 0.97)
    }

    @Test func `steady loops to a tenth of a beat per minute`() {
        for number in stride(from: 3, to: 379, by: 16) {
            let clip = TempoClip(number, seed: Self.seed, steady: true)
            guard clip.signalToNoise > 6, let bpm = estimate(clip.render())?.bpm else { continue }
            // Half and double have their own bar above.
            let truth = clip.bpm * exp2(log2(bpm / clip.bpm).rounded())
            guard abs(bpm / truth - 1) < 0.04 else { continue }
            #expect(abs(bpm - truth) <= 0.1, "clip \(number), \(clip.style)")
        }
    }

    @Test(arguments: [61.0, 90, 120, 128.5, 174.25, 199])
    func `a metronome to a fiftieth`(_ bpm: Double) throws {
        let tempo = try #require(estimate(clicks(bpm)))
        let truth = bpm * exp2(log2(tempo.bpm / bpm).rounded())
        #expect(abs(tempo.bpm - truth) < 0.02)
        #expect(tempo.confidence > 0.3)
    }

    @Test func `the alternatives are half, double and two thirds, likeliest first`() throws {
        let tempo = try #require(estimate(TempoClip(160, seed: Self.seed).render()))
        let ratios = tempo.alternatives.map { $0 / tempo.bpm }
        #expect(ratios.count == 3)
        for ratio in [0.5, 2, 2.0 / 3] {
            #expect(ratios.contains { abs($0 - ratio) < 1e-9 })
        }
        // A click that comes in pairs is felt at the pair or at the click, not at two of three.
        let even = try #require(estimate(clicks(120)))
        #expect(abs((even.alternatives.last ?? 0) / even.bpm - 2.0 / 3) < 1e-9)
    }

    @Test func `confidence says how often it is right`() {
        var sure: [Bool] = []
        for number in stride(from: 2, to: 379, by: 9) {
            let clip = TempoClip(number, seed: Self.seed &+ 1)
            guard let tempo = estimate(clip.render()) else { continue }
            #expect((0...1).contains(tempo.confidence))
            if tempo.confidence > 0.8 { sure.append(abs(tempo.bpm / clip.bpm - 1) < 0.01) }
        }
        #expect(sure.count > 20)
        #expect(sure.count { !$0 } <= 1)
    }

    private func estimate(_ samples: [Float]) -> Tempo? {
        var estimator = TempoEstimator(
            format: AudioFormat(sampleRate: TempoClip.sampleRate, channels: 1))
        estimator.add(samples.span)
        return estimator.finish()
    }
}

/// Clicks of 5 ms noise, `seconds` long.
func clicks(_ bpm: Double, seconds: Double = 12, rate: Int = 44_100) -> [Float] {
    var sound = [Float](repeating: 0, count: Int(seconds * Double(rate)))
    var dice = Dice(1)
    for beat in 0..<Int(seconds * bpm / 60) {
        let start = Int((0.2 + Double(beat) * 60 / bpm) * Double(rate))
        for index in start..<min(sound.count, start + rate / 200) { sound[index] = dice.noise() }
    }
    return sound
}
