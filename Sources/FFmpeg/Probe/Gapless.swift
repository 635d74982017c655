// SPDX-License-Identifier: Apache-2.0

/// How many frames an MP3's encoder put before and behind the sound, by its LAME tag.
///
/// ffmpeg takes both away (``DecodeMode/gapless``). audiowaveform takes away `leading` and keeps
/// the end: who wants its numbers decodes ``DecodeMode/untrimmed`` and drops `leading` frames.
public struct Gapless: Sendable, Hashable, Codable {
    public var leading: Int
    public var trailing: Int

    public init(leading: Int, trailing: Int) {
        self.leading = leading
        self.trailing = trailing
    }

    /// The delay of a decoder: 528 samples, and one (LAME technical FAQ).
    private static let decoderDelay = 529

    /// Reads it from the first frame: behind the side information stands `Xing` or `Info` with its
    /// flags and tables, then nine bytes of the encoder's name, and 21 bytes into that two numbers of
    /// 12 bits (gabriel.mp3-tech.org/mp3infotag.html). Nil where there is none.
    package init?(head: [UInt8]) {
        guard
            let start = head.indices.dropLast(4).first(where: {
                head[$0] == 0xFF && MPEGFrame(head[$0...])?.layer == 3
            }), let frame = MPEGFrame(head[start...])
        else { return nil }
        let side =
            switch (frame.isFirstVersion, frame.isMono) {
            case (true, false): 32
            case (true, true), (false, false): 17
            case (false, true): 9
            }
        var offset = start + 4 + side
        guard head.count > offset + 8 else { return nil }
        let name = head[offset..<offset + 4]
        guard name.elementsEqual("Xing".utf8) || name.elementsEqual("Info".utf8) else { return nil }
        let flags = head[offset + 7]
        offset += 8
        offset += flags & 1 != 0 ? 4 : 0
        offset += flags & 2 != 0 ? 4 : 0
        offset += flags & 4 != 0 ? 100 : 0
        offset += flags & 8 != 0 ? 4 : 0
        guard head.count >= offset + 24,
            ["LAME", "Lavf", "Lavc"].contains(where: {
                head[offset...].starts(with: $0.utf8)
            })
        else { return nil }
        let numbers = head[offset + 21..<offset + 24].reduce(0) { $0 << 8 | Int($1) }
        leading = numbers >> 12 + Self.decoderDelay
        trailing = max(0, numbers & 0xFFF - Self.decoderDelay)
    }
}
