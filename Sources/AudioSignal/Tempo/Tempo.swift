// SPDX-License-Identifier: Apache-2.0

/// How fast the beat goes.
public struct Tempo: Sendable, Hashable, Codable {
    /// Beats per minute.
    public var bpm: Double
    /// From 0 (a guess) to 1.
    public var confidence: Double
    /// What a listener may tap instead, likeliest first: half, double, two thirds.
    public var alternatives: [Double]

    public init(bpm: Double, confidence: Double, alternatives: [Double]) {
        self.bpm = bpm
        self.confidence = confidence
        self.alternatives = alternatives
    }
}
