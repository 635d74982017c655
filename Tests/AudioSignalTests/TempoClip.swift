// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A synthesised clip of music whose tempo is known, made of nothing but its number.
///
/// Drums of noise and sines, most often chords, in 4/4 or 3/4, straight or swung, played a little
/// unevenly, in noise, some of it getting faster or slower, some after a silence.
struct TempoClip {
    let number: Int
    let bpm: Double
    let style: Style
    let seconds: Double
    let leadIn: Double
    /// The tempo at the end less the tempo at the beginning, in parts of the tempo: −0.01…0.01.
    let drift: Double
    /// Where the off-beat eighth lies between two beats: 0.5 straight, 0.66 a triplet's third.
    let swing: Double
    /// Of the noise that lies over it, in dB.
    let signalToNoise: Double
    let chords: Bool
    let sineDrums: Bool
    private let seed: UInt64

    static let sampleRate = 44_100

    /// What the drummer plays, hits per bar: places in beats, and how loud.
    enum Style: String, CaseIterable {
        case rock, pop, house, sixteenths, hipHop, tresillo, ballad
        case waltz, waltzEighths

        var beatsPerBar: Int { self == .waltz || self == .waltzEighths ? 3 : 4 }
    }

    /// Clip `number` of the set that `seed` names: the same bytes every time.
    init(_ number: Int, seed: UInt64, steady: Bool = false) {
        self.number = number
        self.seed = seed &* 1_000_003 &+ UInt64(number)
        var dice = Dice(self.seed)
        bpm = 60 + (0.37 * Double(number)).truncatingRemainder(dividingBy: 140)
        let styles = Style.allCases
        style = styles[dice.below(styles.count)]
        seconds = dice.between(10, 20)
        leadIn = dice.below(4) == 0 ? dice.between(0.2, 2.5) : 0
        let drifts = dice.below(3) == 0
        let drift = dice.between(-0.01, 0.01)
        self.drift = drifts && !steady ? drift : 0
        let swings = dice.below(3) == 0
        let swing = dice.between(0.5, 0.66)
        self.swing = swings ? swing : 0.5
        signalToNoise = dice.between(0, 30)
        chords = dice.below(10) < 7
        sineDrums = dice.below(3) == 0
    }

    /// Mono, 44.1 kHz.
    func render() -> [Float] {
        var dice = Dice(seed ^ 0x5EED)
        let count = Int(seconds * Double(Self.sampleRate))
        var sound = [Float](repeating: 0, count: count)
        let kit = Kit(sine: sineDrums, &dice)
        let extras = (0..<3).map { _ in dice.below(2) == 0 }
        var bar = 0
        while time(Double(bar * style.beatsPerBar)) < seconds {
            for hit in hits(extras, bar, &dice) {
                let place = swung(hit.beat) + Double(bar * style.beatsPerBar)
                let at = leadIn + time(place) + dice.between(-0.003, 0.003)
                let loud = hit.loud * Float(dice.between(0.8, 1.1))
                mix(kit.sound(hit.drum), loud, at, into: &sound)
            }
            if chords { addChord(bar, &dice, into: &sound) }
            bar += 1
        }
        let first = min(count, Int(leadIn * Double(Self.sampleRate)))
        let energy = sound.reduce(0) { $0 + $1 * $1 } / Float(max(1, count - first))
        let noise = (energy * 3).squareRoot() * Float(pow(10, -signalToNoise / 20))
        for index in first..<count { sound[index] += noise * dice.noise() }
        let peak = max(1e-9, sound.lazy.map { $0.magnitude }.max() ?? 0)
        return sound.map { $0 * 0.7 / peak }
    }

    /// When beat `beat` sounds, in seconds after the lead-in: the tempo changes evenly over the clip.
    private func time(_ beat: Double) -> Double {
        // beats(t) = bpm/60 · (t·(1 − d/2) + d·t²/(2·L)), and t out of it by Newton.
        let length = seconds - leadIn
        var t = beat * 60 / bpm
        for _ in 0..<4 {
            let beats = bpm / 60 * (t * (1 - drift / 2) + drift * t * t / (2 * length))
            let slope = bpm / 60 * (1 - drift / 2 + drift * t / length)
            t -= (beats - beat) / slope
        }
        return t
    }

    private func swung(_ beat: Double) -> Double {
        let (whole, part) = (beat.rounded(.down), beat - beat.rounded(.down))
        return whole + (part < 0.5 ? part * 2 * swing : swing + (part - 0.5) * 2 * (1 - swing))
    }

    enum Drum: CaseIterable { case kick, snare, hat }
    private typealias Hit = (drum: Drum, beat: Double, loud: Float)

    private func hits(_ extras: [Bool], _ bar: Int, _ dice: inout Dice) -> [Hit] {
        func row(_ drum: Drum, _ beats: [Double], _ loud: Float = 1) -> [Hit] {
            beats.map { (drum, $0, loud) }
        }
        func every(_ step: Double, _ loud: Float = 0.4) -> [Hit] {
            stride(from: 0, to: Double(style.beatsPerBar), by: step).map { beat in
                (.hat, beat, beat == beat.rounded() ? loud : loud * 0.7)
            }
        }
        var hits: [Hit]
        switch style {
        case .rock:
            hits = row(.kick, [0, 2] + (extras[0] ? [2.5] : []) + (extras[1] ? [1.5] : []))
            hits += row(.snare, [1, 3]) + every(0.5)
        case .pop:
            hits = row(.kick, [0, 2] + (extras[0] ? [3.5] : [])) + row(.snare, [1, 3])
            hits += every(extras[1] ? 1 : 0.5)
        case .house:
            hits = row(.kick, [0, 1, 2, 3]) + row(.snare, [1, 3], 0.7)
            hits += row(.hat, [0.5, 1.5, 2.5, 3.5], 0.6)
        case .sixteenths:
            hits = row(.kick, [0, 2] + (extras[0] ? [2.75] : [])) + row(.snare, [1, 3])
            hits += every(0.25)
        case .hipHop:
            hits = row(.kick, [0, 1.5] + (extras[0] ? [2.5] : [2.75])) + row(.snare, [1, 3])
            hits += every(0.5)
        case .tresillo:
            hits = row(.kick, [0, 1.5, 3] + (extras[0] ? [2] : [])) + row(.snare, [1, 3], 0.8)
            hits += every(0.5)
        case .ballad:
            hits = row(.kick, [0] + (extras[0] ? [2] : [])) + row(.snare, [1, 3], 0.6)
            hits += every(1, 0.3)
        case .waltz:
            hits = row(.kick, [0]) + row(extras[0] ? .snare : .hat, [1, 2], 0.7) + every(1)
        case .waltzEighths:
            hits = row(.kick, [0] + (extras[0] ? [2.5] : [])) + row(.snare, [1, 2], 0.7)
            hits += every(0.5)
        }
        // Now and then something is left out, or a bar ends in a fill.
        hits = hits.filter { $0.beat == 0 || dice.below(25) != 0 }
        if bar % 4 == 3, extras[2] {
            let end = Double(style.beatsPerBar)
            hits += row(.snare, [end - 0.75, end - 0.5, end - 0.25], 0.5)
        }
        return hits
    }

    private func mix(_ drum: [Float], _ loud: Float, _ at: Double, into sound: inout [Float]) {
        let start = Int(at * Double(Self.sampleRate))
        for (index, value) in drum.enumerated() {
            let place = start + index
            if place >= 0, place < sound.count { sound[place] += value * loud }
        }
    }

    /// A triad that changes with the bar, struck at its beginning, and again at its middle or not.
    private func addChord(_ bar: Int, _ dice: inout Dice, into sound: inout [Float]) {
        let root = [0, 5, 7, 3, 8][dice.below(5)]
        let start = leadIn + time(Double(bar * style.beatsPerBar))
        let end = leadIn + time(Double((bar + 1) * style.beatsPerBar))
        let (first, last) = (max(0, Int(start * 44_100)), min(sound.count, Int(end * 44_100)))
        guard first < last else { return }
        let range = first..<last
        for note in [0, 4, 7] {
            for harmonic in 1...3 {
                let hertz = 220 * pow(2, Double(root + note) / 12) * Double(harmonic)
                let turn = 2 * Double.pi * hertz / 44_100
                // Goertzel's recurrence: one multiplication a sample.
                let (twice, size) = (Float(2 * cos(turn)), Float(0.12) / Float(harmonic))
                var (a, b) = (Float(0), size * Float(sin(turn)))
                let length = Float(range.count)
                for index in range {
                    let age = Float(index - range.lowerBound)
                    let attack = min(1, age / 600)
                    sound[index] += a * attack * (1 - age / length)
                    (a, b) = (b, twice * b - a)
                }
            }
        }
    }

    /// Three drums, each struck once.
    private struct Kit {
        private var sounds: [[Float]] = []

        init(sine: Bool, _ dice: inout Dice) {
            let (kick, snare) = (dice.between(45, 70), dice.between(170, 230))
            sounds.append(
                Self.decay(0.35, 0.09) { t, _ in
                    Float(sin(2 * .pi * (kick * t + 3 * (1 - exp(-t * 40)))))
                })
            var own = dice
            sounds.append(
                Self.decay(0.25, 0.05) { t, noise in
                    Float(sin(2 * .pi * snare * t)) * (sine ? 0.7 : 0.4) + (sine ? 0.1 : 0.5)
                        * noise
                } noise: {
                    own.noise()
                })
            let ring = dice.between(6_000, 9_000)
            var last: Float = 0
            sounds.append(
                Self.decay(0.08, 0.02) { t, noise in
                    defer { last = noise }
                    return sine ? Float(sin(2 * .pi * ring * t)) * 0.6 : (noise - last) * 0.5
                } noise: {
                    own.noise()
                })
            dice = own
        }

        func sound(_ drum: Drum) -> [Float] {
            switch drum {
            case .kick: sounds[0]
            case .snare: sounds[1]
            case .hat: sounds[2]
            }
        }

        private static func decay(
            _ seconds: Double, _ fall: Double, _ voice: (Double, Float) -> Float,
            noise: () -> Float = { 0 }
        ) -> [Float] {
            (0..<Int(seconds * 44_100)).map { index in
                let t = Double(index) / 44_100
                return voice(t, noise()) * Float(exp(-t / fall))
            }
        }
    }
}
