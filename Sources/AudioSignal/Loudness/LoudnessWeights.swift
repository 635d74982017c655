// SPDX-License-Identifier: Apache-2.0

extension AudioFormat {
    /// What each channel's energy counts in loudness, after ITU-R BS.1770-5, Annexes 1 and 3:
    /// 1.41 for what stands beside or a little behind the listener (60° to 120°), 0 for
    /// low-frequency effects, 1 for all else. A mono file is one channel and counts once.
    ///
    /// `BL` and `BR` are the surrounds of 5.1 (110°) in a layout without sides; beside sides, as in 7.1,
    /// they stand at 135° and more and count 1. A layout that is missing, or that names another number of
    /// channels than there are, is taken to be the usual one (see ``usualLayout(_:)``).
    var loudnessWeights: [Double] {
        let named = layout.count == channels ? layout : AudioFormat.usualLayout(channels)
        let sides = named.contains(.sideLeft) || named.contains(.sideRight)
        return named.map { channel in
            switch channel {
            case .lowFrequency: 0
            case .sideLeft, .sideRight: 1.41
            case .backLeft, .backRight: sides ? 1 : 1.41
            case .left, .right, .centre, .other: 1
            }
        }
    }

    /// The order in which WAV, FLAC and ffmpeg put so many channels when nothing is said.
    ///
    /// From nine on there is no usual order: all count alike.
    static func usualLayout(_ channels: Int) -> [Channel] {
        switch channels {
        case 4: [.left, .right, .backLeft, .backRight]
        case 5: [.left, .right, .centre, .backLeft, .backRight]
        case 6: [.left, .right, .centre, .lowFrequency, .backLeft, .backRight]
        case 7: [.left, .right, .centre, .lowFrequency, .other, .sideLeft, .sideRight]
        case 8:
            [.left, .right, .centre, .lowFrequency, .backLeft, .backRight, .sideLeft, .sideRight]
        default: [Channel](repeating: .other, count: channels)
        }
    }
}
