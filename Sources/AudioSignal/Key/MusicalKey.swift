// SPDX-License-Identifier: Apache-2.0

/// A tonic and a mode.
public struct MusicalKey: Sendable, Hashable, Codable {
    public enum Scale: String, Sendable, Hashable, Codable, CaseIterable { case major, minor }

    /// `C`, `C#` … `B`: sharps only, as tools for disc jockeys write it.
    public var key: String
    public var scale: Scale

    public init(key: String, scale: Scale) {
        self.key = key
        self.scale = scale
    }
}

/// The key of a piece, and how sure that is.
public struct KeyEstimate: Sendable, Hashable, Codable {
    public var key: String
    public var scale: MusicalKey.Scale
    /// The place on the wheel of mixing: `8B` is C major, `8A` A minor.
    public var camelot: String
    /// How well the profile fits: the correlation, from 0 to 1.
    public var strength: Double
    /// The next best.
    public var runnerUp: MusicalKey

    public init(
        key: String, scale: MusicalKey.Scale, camelot: String, strength: Double,
        runnerUp: MusicalKey
    ) {
        self.key = key
        self.scale = scale
        self.camelot = camelot
        self.strength = strength
        self.runnerUp = runnerUp
    }

    enum CodingKeys: String, CodingKey {
        case key, scale, camelot, strength
        case runnerUp = "runner_up"
    }
}
