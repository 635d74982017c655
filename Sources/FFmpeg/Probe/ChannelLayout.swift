// SPDX-License-Identifier: Apache-2.0
package import AudioSignal

/// A channel layout that ffmpeg has a name for: `stereo`, `5.1(side)`.
package struct ChannelLayout: Sendable, Hashable {
    /// One of the names below, so that it may stand in an argument.
    package let name: String
    package let channels: [AudioFormat.Channel]

    /// Nil for a name that is not known, or that is not of so many channels.
    package init?(_ name: String?, channels count: Int) {
        guard let name, let codes = Self.known[name] else { return nil }
        let channels = codes.split(separator: " ").map {
            AudioFormat.Channel(rawValue: String($0)) ?? .other
        }
        guard channels.count == count else { return nil }
        self.name = name
        self.channels = channels
    }

    /// libavutil's names, in the order in which it interleaves (that of the mask of WAVE_FORMAT_EXTENSIBLE).
    private static let known = [
        "mono": "FC", "stereo": "FL FR", "downmix": "DL DR", "2.1": "FL FR LFE", "3.0": "FL FR FC",
        "3.0(back)": "FL FR BC", "4.0": "FL FR FC BC", "quad": "FL FR BL BR",
        "quad(side)": "FL FR SL SR", "3.1": "FL FR FC LFE", "5.0": "FL FR FC BL BR",
        "5.0(side)": "FL FR FC SL SR", "4.1": "FL FR FC LFE BC", "5.1": "FL FR FC LFE BL BR",
        "5.1(side)": "FL FR FC LFE SL SR", "6.0": "FL FR FC BC SL SR",
        "6.0(front)": "FL FR FLC FRC SL SR", "hexagonal": "FL FR FC BL BR BC",
        "6.1": "FL FR FC LFE BC SL SR", "6.1(back)": "FL FR FC LFE BL BR BC",
        "6.1(front)": "FL FR LFE FLC FRC SL SR", "7.0": "FL FR FC BL BR SL SR",
        "7.0(front)": "FL FR FC FLC FRC SL SR", "7.1": "FL FR FC LFE BL BR SL SR",
        "7.1(wide)": "FL FR FC LFE BL BR FLC FRC", "7.1(wide-side)": "FL FR FC LFE FLC FRC SL SR",
        "octagonal": "FL FR FC BL BR BC SL SR",
    ]
}
