// SPDX-License-Identifier: Apache-2.0

/// What [wavesurfer.js](https://wavesurfer.xyz) draws from: its options `peaks` and `duration`.
public struct Peaks: Sendable, Hashable {
    public let sampleRate: Int
    /// Of the whole sound.
    public let frames: Int
    /// For each channel, the signed sample of greatest magnitude in each bin, −1…1.
    public let peaks: [[Float]]

    /// Seconds.
    public var duration: Double { Double(frames) / Double(sampleRate) }

    /// `{"duration":…,"peaks":[[…],…]}`, microseconds and 4 decimals; one line.
    public func json() -> [UInt8] {
        var text = TextBuffer()
        text.add("{\"duration\":")
        text.add((2 * frames * 1_000_000 + sampleRate) / (2 * sampleRate), decimals: 6)
        text.add(",\"peaks\":[")
        for (channel, row) in peaks.enumerated() {
            text.add(channel == 0 ? "[" : ",[")
            for (index, peak) in row.enumerated() {
                if index > 0 { text.add(UInt8(ascii: ",")) }
                text.add(
                    Int((Double(peak) * 10_000).rounded(.toNearestOrAwayFromZero)), decimals: 4)
            }
            text.add("]")
        }
        text.add("]}\n")
        return text.bytes
    }
}
