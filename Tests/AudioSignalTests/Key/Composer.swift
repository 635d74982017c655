// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Plays cadences in a known key: what the key estimator is measured on. The same seed, the same samples.
struct Composer {
    enum Timbre: CaseIterable { case sine, saw, organ, plucked, drums }

    struct Piece: CustomStringConvertible {
        var tonic: Int
        var minor: Bool
        var progression: Int
        var harmonic: Bool
        var timbre: Timbre
        var cents: Double
        /// Signal to white noise, decibels.
        var clean: Double
        var description: String {
            "tonic \(tonic)\(minor ? " minor" : "") #\(progression)\(harmonic ? " harmonic" : "") "
                + "\(timbre) \(Int(cents)) cent \(clean) dB"
        }
    }

    static let rate = 22_050
    /// Roots in semitones over the tonic; every piece ends on its tonic, as pieces do.
    static let majorProgressions = [[0, 5, 7, 0], [0, 9, 5, 7], [2, 7, 0, 0], [0, 7, 5, 0]]
    static let minorProgressions = [[0, 5, 7, 0], [0, 8, 5, 7], [2, 7, 0, 0], [0, 8, 10, 0]]

    var random: Dice

    init(seed: UInt64) { random = Dice(seed) }

    /// All keys, so many times each: timbres and noise in turn, the rest drawn.
    mutating func pieces(perKey: Int) -> [Piece] {
        (0..<24 * perKey).map { index in
            let turn = index / 24
            return Piece(
                tonic: index % 12, minor: index % 24 >= 12, progression: Int(random.next() % 4),
                harmonic: random.unit() < 0.6, timbre: Timbre.allCases[turn % 5],
                cents: 80 * random.unit() - 40, clean: [30, 20, 10, 0][(turn / 5 + turn) % 4])
        }
    }

    /// The piece as mono samples of about eight seconds.
    mutating func play(_ piece: Piece) -> [Float] {
        let roots = (piece.minor ? Self.minorProgressions : Self.majorProgressions)[
            piece.progression]
        let beat = 0.4 + 0.2 * random.unit()
        let length = Int(Double(Self.rate) * beat * 2)
        let base = 130.812_782_65 * pow(2, (Double(piece.tonic) + piece.cents / 100) / 12)
        var sound: [Float] = []
        for root in roots + roots + [0] {
            var bar = [Float](repeating: 0, count: length)
            for step in Self.triad(root, piece) {
                note(base * pow(2, Double(step > 9 ? step - 12 : step) / 12), 1, piece.timbre, &bar)
            }
            note(base * pow(2, Double(root - 12) / 12), 1.2, piece.timbre, &bar)
            sound += bar
        }
        if piece.timbre == .drums { drum(beat, &sound) }
        let power = sound.reduce(0) { $0 + Double($1) * Double($1) } / Double(sound.count)
        let noise = Float(power.squareRoot() * pow(10, -piece.clean / 20))
        for index in sound.indices { sound[index] = 0.1 * (sound[index] + noise * random.normal()) }
        return sound
    }

    private static func triad(_ root: Int, _ piece: Piece) -> [Int] {
        let scale =
            piece.minor
            ? [0, 2, 3, 5, 7, 8, root == 7 && piece.harmonic ? 11 : 10]
            : [0, 2, 4, 5, 7, 9, 11]
        guard let place = scale.firstIndex(of: root) else { return [root] }
        return [0, 2, 4].map { scale[(place + $0) % 7] + (place + $0) / 7 * 12 }
    }

    private mutating func note(
        _ frequency: Double, _ loudness: Double, _ timbre: Timbre, _ bar: inout [Float]
    ) {
        let partials: [(Double, Double)] =
            switch timbre {
            case .sine: [(1, 1)]
            case .organ:
                [(0.5, 0.5), (1, 1), (1.5, 0.3), (2, 0.7), (3, 0.4), (4, 0.3), (6, 0.15), (8, 0.1)]
            case .saw, .drums, .plucked: (1...16).map { (Double($0), 1 / Double($0)) }
            }
        for (number, amplitude) in partials where frequency * number < 9_000 {
            // Why: a string is stiff, its partials lie higher than they should.
            let stiff = timbre == .plucked ? (1 + 1e-4 * number * number).squareRoot() : 1
            let fade = timbre == .plucked ? exp(-(1.5 + number) / Double(Self.rate)) : 1
            let turn = 2 * Double.pi * frequency * number * stiff / Double(Self.rate)
            let (c, s) = (fade * cos(turn), fade * sin(turn))
            let phase = 2 * Double.pi * random.unit()
            var (x, y) = (loudness * amplitude * cos(phase), loudness * amplitude * sin(phase))
            let edge = Self.rate / 50
            for index in bar.indices {
                let rim = min(1, Double(min(index, bar.count - index)) / Double(edge))
                bar[index] += Float(y * rim)
                (x, y) = (x * c - y * s, x * s + y * c)
            }
        }
    }

    /// Bass drum and snare in turn, a hi-hat after each, as loud as the music.
    private mutating func drum(_ beat: Double, _ sound: inout [Float]) {
        var drums = [Float](repeating: 0, count: sound.count)
        let step = Int(beat * Double(Self.rate))
        for (number, start) in stride(from: 0, to: sound.count, by: step).enumerated() {
            for index in 0..<min(Self.rate / 6, sound.count - start) {
                let t = Double(index) / Double(Self.rate)
                drums[start + index] +=
                    number % 2 == 0
                    ? Float(sin(2 * Double.pi * (50 * t + 8 * (1 - exp(-30 * t)))) * exp(-20 * t))
                        * 1.5
                    : random.normal() * Float(exp(-25 * t))
                if start + index + step / 2 < sound.count {
                    drums[start + index + step / 2] += 0.4 * random.normal() * Float(exp(-80 * t))
                }
            }
        }
        func loudness(_ samples: [Float]) -> Float {
            (samples.reduce(0) { $0 + $1 * $1 } / Float(samples.count)).squareRoot()
        }
        let gain = loudness(sound) / loudness(drums)
        for index in sound.indices { sound[index] += gain * drums[index] }
    }
}

extension Dice {
    /// From 0 to 1.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Mean 0, variance 1: twelve uniform numbers make one that is normal enough.
    mutating func normal() -> Float {
        var sum: Float = -6
        for _ in 0..<12 { sum += Float(next() >> 40) * 0x1p-24 }
        return sum
    }
}
