// SPDX-License-Identifier: Apache-2.0

extension MusicalKey {
    /// The twelve pitch classes from C on.
    package static let names = [
        "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B",
    ]

    /// The place among C major to B major, then C minor to B minor.
    package init(place: Int) {
        self.init(key: Self.names[place % 12], scale: place < 12 ? .major : .minor)
    }

    /// The place on the wheel of mixing: `8B` is C major, `8A` A minor, and a fifth up is one more.
    /// Nil for a tonic that is no name of ours.
    public var camelot: String? {
        guard let tonic = Self.names.firstIndex(of: key) else { return nil }
        // The relative major has the same number; seven semitones are one step.
        let major = scale == .major ? tonic : tonic + 3
        return "\((major * 7 + 7) % 12 + 1)\(scale == .major ? "B" : "A")"
    }
}
