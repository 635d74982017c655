// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Reads the tempo off an onset envelope: the steps of the method in their order.
package struct TempoReading: Sendable {
    private let rate: Double
    private let periodicity: Periodicity
    private let stretches: [[Float]]
    /// The metrical levels found, likeliest first; empty when nothing recurs.
    private let levels: [MetricalLevel]

    /// Less than this tells nothing of a tempo.
    static let shortest = 3.0
    /// The slowest and the fastest pulse that is looked for, in pulses per minute.
    private static let pulses = (slowest: 40.0, fastest: 240.0)

    init(_ minutes: [[Onset]], rate: Double) {
        self.rate = rate
        var periodicity = Periodicity(rate: rate)
        var windows: [ArraySlice<Float>] = []
        var stretches: [[Float]] = []
        for minute in minutes where Double(minute.count) >= Self.shortest * rate {
            let registers = Self.smooth(minute, rate)
            let all = registers.map { $0.sum() }
            stretches.append(all)
            for window in Self.windows(minute.count) {
                guard all[window].contains(where: { $0 > 0 }) else { continue }
                periodicity.add(all[window], registers[window])
                windows.append(all[window])
            }
        }
        self.periodicity = periodicity
        self.stretches = stretches
        var trains = PulseTrains(
            periodicity.candidates(60 * rate / Self.pulses.fastest, 60 * rate / Self.pulses.slowest)
        )
        for window in windows { trains.add(window) }
        levels = trains.winner.map { MetricalLevel.all(around: $0, periodicity) } ?? []
    }

    /// nil when nothing recurs more than chance would have it.
    package var tempo: Tempo? {
        guard let level = levels.first else { return nil }
        let clarity = clarity(level.lag)
        guard clarity > 0 else { return nil }
        let lag = BeatPhase(rate: rate).refine(level.lag, stretches)
        let bpm = 60 * rate / lag
        let others = [0.5, 2, 2.0 / 3].map { ratio in
            (bpm: bpm * ratio, score: MetricalLevel.score(lag / ratio, periodicity))
        }
        return Tempo(
            bpm: bpm, confidence: level.probability * clarity,
            alternatives: others.sorted { $0.score > $1.score }.map(\.bpm))
    }

    /// How far the envelope stands out from chance, 0…1: its likeness to itself one to four beats on.
    /// Noise of any colour reaches 0.05, clicks at random 0.1, drums alone 0.3 and more.
    private func clarity(_ lag: Double) -> Double {
        let likeness = (1...4).map { Double(periodicity.near(lag * Double($0))) }.max() ?? 0
        return min(1, max(0, (likeness - 0.05) / 0.2))
    }

    /// What a training or a table wants to know of each level.
    package var described: [(bpm: Double, features: [Double])] {
        levels.map { (60 * rate / $0.lag, MetricalLevel.features($0.lag, periodicity)) }
    }

    /// Windows of ten seconds, half overlapping, the last one flush with the end.
    private static func windows(_ count: Int) -> [Range<Int>] {
        let length = Periodicity.windowLength
        guard count > length else { return [0..<count] }
        return stride(from: 0, to: count - length, by: length / 2).map { $0..<$0 + length }
            + [count - length..<count]
    }

    /// A bell of 70 ms, the paper's low-pass: the onsets of one beat lie a few hundredths apart.
    private static func smooth(
        _ minute: [Onset], _ rate: Double
    ) -> [Onset] {
        let reach = Int(rate * 0.035)
        let weights = (-reach...reach).map {
            Float(0.5 + 0.5 * cos(Double.pi * Double($0) / Double(reach + 1))) / Float(reach + 1)
        }
        return minute.indices.map { index in
            var sum = Onset()
            for place in max(0, index - reach)...min(minute.count - 1, index + reach) {
                sum += minute[place] * weights[place - index + reach]
            }
            return sum
        }
    }
}
