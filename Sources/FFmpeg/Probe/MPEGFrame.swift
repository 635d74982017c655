// SPDX-License-Identifier: Apache-2.0

/// The header of an MPEG audio frame (ISO 11172-3 §2.4.1.3, ISO 13818-3).
package struct MPEGFrame: Sendable, Hashable {
    /// 1, 2 or 3.
    package let layer: Int
    /// Of this frame in bytes, its header counted.
    package let length: Int
    /// Whether the frame has 1152 (MPEG-1) or 576 (MPEG-2, 2.5) samples in layer III.
    package let isFirstVersion: Bool
    package let isMono: Bool

    package init?(_ bytes: ArraySlice<UInt8>) {
        let first = bytes.startIndex
        guard bytes.count >= 4, bytes[first] == 0xFF, bytes[first + 1] & 0xE0 == 0xE0 else {
            return nil
        }
        let version = bytes[first + 1] >> 3 & 3
        let layerBits = bytes[first + 1] >> 1 & 3
        let rateIndex = Int(bytes[first + 2] >> 4)
        let frequency = Int(bytes[first + 2] >> 2 & 3)
        guard version != 1, layerBits != 0, rateIndex != 0, rateIndex != 15, frequency != 3 else {
            return nil
        }
        layer = 4 - Int(layerBits)
        isFirstVersion = version == 3
        isMono = bytes[first + 3] >> 6 == 3
        let padding = Int(bytes[first + 2] >> 1 & 1)
        let sampleRate =
            [44_100, 48_000, 32_000][frequency] >> (isFirstVersion ? 0 : version == 2 ? 1 : 2)
        let bitRate = Self.bitRates[isFirstVersion ? layer - 1 : layer == 1 ? 3 : 4][rateIndex - 1]
        length =
            switch layer {
            case 1: (12_000 * bitRate / sampleRate + padding) * 4
            case 3 where !isFirstVersion: 72_000 * bitRate / sampleRate + padding
            default: 144_000 * bitRate / sampleRate + padding
            }
    }

    /// kbit/s: MPEG-1 layers I, II, III; MPEG-2 layer I, layers II and III.
    private static let bitRates = [
        [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
        [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ]
}
