// SPDX-License-Identifier: Apache-2.0

/// How loud a programme is, after EBU R128, Tech 3341, Tech 3342 and ITU-R BS.1770-5.
public struct Loudness: Sendable, Hashable, Codable {
    /// LUFS, gated; nil when nothing passed the gate of −70 LUFS.
    public var integrated: Double?
    /// LU; nil when nothing passed the gates.
    public var range: Double?
    /// dBTP; nil for digital silence.
    public var truePeak: Double?
    /// The greatest loudness over 400 ms, in LUFS; nil for digital silence or less than 400 ms.
    public var momentaryMax: Double?
    /// The greatest loudness over 3 s, in LUFS; nil for digital silence or less than 3 s.
    public var shortTermMax: Double?

    public init(
        integrated: Double?, range: Double?, truePeak: Double?, momentaryMax: Double?,
        shortTermMax: Double?
    ) {
        self.integrated = integrated
        self.range = range
        self.truePeak = truePeak
        self.momentaryMax = momentaryMax
        self.shortTermMax = shortTermMax
    }

    enum CodingKeys: String, CodingKey {
        case integrated, range
        case truePeak = "true_peak"
        case momentaryMax = "momentary_max"
        case shortTermMax = "short_term_max"
    }
}
