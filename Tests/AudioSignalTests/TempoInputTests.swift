// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

/// Whatever is fed in: an answer or none, never a wrong one with confidence, never a trap.
@Suite struct `Tempo of odd input` {
    static let mono = AudioFormat(sampleRate: 44_100, channels: 1)

    @Test(arguments: [0, 1, 44_100, 132_000])
    func `too short tells nothing`(_ frames: Int) {
        #expect(estimate(Array(clicks(120).prefix(frames))) == nil)
    }

    @Test func `silence, a constant and one click have no tempo`() {
        let count = 15 * 44_100
        #expect(estimate(Array(repeating: 0, count: count)) == nil)
        #expect(estimate(Array(repeating: 0.5, count: count)) == nil)
        for place in [0, count / 3, count - 1] {
            var click = [Float](repeating: 0, count: count)
            click[place] = 1
            #expect(estimate(click) == nil)
        }
    }

    @Test(arguments: 1...8)
    func `noise, white or brown, has no tempo that one would believe`(_ seed: Int) {
        var dice = Dice(UInt64(seed))
        let white = (0..<15 * 44_100).map { _ in dice.noise() * 0.3 }
        #expect((estimate(white)?.confidence ?? 0) < 0.1)
        var level: Float = 0
        let brown = white.map { step in
            level = 0.995 * level + 0.1 * step
            return level
        }
        #expect((estimate(brown)?.confidence ?? 0) < 0.1)
    }

    @Test(arguments: 1...5)
    func `clicks at random have none either`(_ seed: Int) {
        var dice = Dice(UInt64(seed))
        var sound = [Float](repeating: 0, count: 20 * 44_100)
        for _ in 0..<40 { sound[dice.below(sound.count)] = 1 }
        #expect((estimate(sound)?.confidence ?? 0) < 0.5)
    }

    @Test func `what is no number counts as silence`() throws {
        let clean = clicks(100)
        var dirty = clean
        for (index, value) in [Float.nan, .infinity, -.infinity, 1e38, -.greatestFiniteMagnitude]
            .enumerated()
        {
            for place in stride(from: 1_000 * (index + 1), to: dirty.count, by: 44_100) {
                if clean[place] == 0 { dirty[place] = value }
            }
        }
        #expect(estimate(dirty) == estimate(clean))
        #expect(estimate(clean) != nil)
        #expect(estimate(Array(repeating: .nan, count: 500_000)) == nil)
    }

    @Test(arguments: [8_000, 11_025, 22_050, 32_000, 48_000, 69_313, 96_000, 192_000])
    func `every sample rate tells the same`(_ rate: Int) throws {
        let tempo = try #require(
            estimate(clicks(110, rate: rate), AudioFormat(sampleRate: rate, channels: 1)))
        let truth = 110 * exp2(log2(tempo.bpm / 110).rounded())
        #expect(abs(tempo.bpm - truth) < 0.05)
    }

    @Test(arguments: [0, -1, 1, 100, 3_999])
    func `a sample rate too low for onsets tells nothing`(_ rate: Int) {
        #expect(estimate(clicks(120), AudioFormat(sampleRate: rate, channels: 1)) == nil)
    }

    @Test(arguments: [2, 6, 24])
    func `channels are mixed`(_ channels: Int) throws {
        let one = TempoClip(100, seed: 3).render()
        var many = [Float](repeating: 0, count: one.count * channels)
        for (index, value) in one.enumerated() {
            for channel in 0..<channels { many[index * channels + channel] = value }
        }
        let format = AudioFormat(sampleRate: 44_100, channels: channels)
        let (mono, mixed) = (try #require(estimate(one)), try #require(estimate(many, format)))
        #expect(abs(mono.bpm - mixed.bpm) < 0.01)
        #expect(abs(mono.confidence - mixed.confidence) < 0.01)
    }

    @Test(arguments: [1, 2, 7, 441, 4_096, 100_003])
    func `pieces of any length give the same`(_ piece: Int) throws {
        let samples = TempoClip(7, seed: 3).render()
        let format = AudioFormat(sampleRate: 44_100, channels: 2)
        let even = Array(samples.prefix(samples.count / 2 * 2))
        let whole = try #require(estimate(even, format))
        var estimator = TempoEstimator(format: format)
        var start = 0
        while start < even.count {
            let end = min(even.count, start + 2 * piece)
            estimator.add(even.span.extracting(start..<end))
            start = end
        }
        #expect(estimator.finish() == whole)
    }

    @Test func `a silent lead-in changes nothing`() throws {
        let clip = TempoClip(200, seed: 3)
        let sound = Array(clip.render().dropFirst(Int(clip.leadIn * 44_100)))
        let plain = try #require(estimate(sound))
        // A minute less a little, so that the sound would lie across two of the minutes kept.
        for seconds in [0.5, 3, 9.7, 55] {
            let late = try #require(
                estimate(Array(repeating: 0, count: Int(seconds * 44_100)) + sound))
            #expect(abs(late.bpm - plain.bpm) < 0.02, "\(seconds) s")
            #expect(abs(late.confidence - plain.confidence) < 0.05, "\(seconds) s")
        }
    }

    @Test func `a quiet recording tells the same as a loud one`() throws {
        let sound = TempoClip(150, seed: 3).render()
        let loud = try #require(estimate(sound))
        let quiet = try #require(estimate(sound.map { $0 * 0.01 }))
        #expect(abs(loud.bpm - quiet.bpm) < 0.01)
        #expect(abs(loud.confidence - quiet.confidence) < 0.01)
    }

    private func estimate(_ samples: [Float], _ format: AudioFormat = mono) -> Tempo? {
        var estimator = TempoEstimator(format: format)
        estimator.add(samples.span)
        return estimator.finish()
    }
}

@Suite struct `Tempo's parts` {
    @Test func `ten hours of envelope become at most 32 evenly spread minutes`() {
        var history = OnsetHistory(rate: 10)
        for minute in 0..<600 {
            for _ in 0..<600 { history.append(Onset(repeating: Float(minute))) }
        }
        #expect(history.minutes.count <= OnsetHistory.most)
        #expect(history.minutes.count > OnsetHistory.most / 2)
        #expect(history.minutes.allSatisfy { $0.count == 600 })
        let kept = history.minutes.map { Int($0[0].x) }
        #expect(kept == (0..<kept.count).map { $0 * 32 })
    }

    @Test func `half an hour is kept whole`() {
        var history = OnsetHistory(rate: 10)
        for index in 0..<32 * 600 { history.append(Onset(repeating: Float(index))) }
        #expect(history.minutes.joined().map(\.x) == (0..<32 * 600).map(Float.init))
    }

    @Test func `of two lags the one that returns at twice and four times itself leads`() throws {
        // A beat every 80 frames, and at moments without order loud pairs 130 frames apart: theirs is the
        // highest single peak, but it does not return.
        var envelope = [Float](repeating: 0, count: Periodicity.windowLength)
        func strike(_ place: Int, _ loud: Float) {
            for offset in -3...3 { envelope[place + offset] += loud * Float(4 - abs(offset)) }
        }
        for place in stride(from: 5, to: envelope.count - 5, by: 80) { strike(place, 1) }
        var dice = Dice(11)
        for _ in 0..<10 {
            let place = 10 + dice.below(envelope.count - 150)
            strike(place, 2)
            strike(place + 130, 2)
        }
        var periodicity = Periodicity(rate: 200)
        periodicity.add(envelope[...], envelope.map { Onset($0, 0, 0, 0) }[...])
        let first = try #require(periodicity.candidates(50, 300).first)
        #expect(abs(first / 80 - (first / 80).rounded()) < 0.02, "\(first)")
        #expect(periodicity.at(130) > periodicity.at(80))
    }
}
