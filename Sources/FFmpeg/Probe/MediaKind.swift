// SPDX-License-Identifier: Apache-2.0

/// A container that is let in, by the name of ffmpeg's demuxer for it.
///
/// Told by the file's first bytes alone: its name and what a server said of its type count for nothing.
/// Formats that name other files or addresses (HLS, DASH, concat, SDP, image sequences) are not here.
package enum MediaKind: String, Sendable, Hashable, CaseIterable {
    case wav, w64, mp3, flac, ogg, mov, aac, aiff, matroska, caf, asf

    /// How much of a file's beginning is enough to tell, an ID3 tag not counted.
    package static let headLength = 1 << 16

    /// The kind of a file that begins like this, behind an ID3 tag where there is one.
    package init?(head: [UInt8]) {
        guard let kind = Self.byMagic(head) ?? Self.byFrames(head) else { return nil }
        self = kind
    }

    /// Bytes of an ID3v2 tag (id3.org, 2.4.0 §3.1) at the beginning, its header and footer counted; 0: none.
    package static func tagLength(_ head: [UInt8]) -> Int {
        guard head.count >= 10, head.starts(with: "ID3".utf8), head[3] < 0xFF, head[4] < 0xFF,
            head[6...9].allSatisfy({ $0 < 0x80 })
        else { return 0 }
        let size = head[6...9].reduce(0) { $0 << 7 | Int($1) }
        return 10 + size + (head[5] & 0x10 != 0 ? 10 : 0)
    }

    private static func byMagic(_ head: [UInt8]) -> MediaKind? {
        func at(_ offset: Int, _ text: String) -> Bool { head.dropFirst(offset).starts(with: text.utf8) }
        if at(8, "WAVE"), ["RIFF", "RIFX", "RF64", "BW64"].contains(where: { at(0, $0) }) {
            return .wav
        }
        if at(0, "fLaC") { return .flac }
        if at(0, "OggS") { return .ogg }
        if at(0, "FORM"), at(8, "AIFF") || at(8, "AIFC") { return .aiff }
        if at(0, "caff") { return .caf }
        // ISO 14496-12 boxes; QuickTime files may begin with any of the others.
        if ["ftyp", "moov", "mdat", "wide", "free", "skip"].contains(where: { at(4, $0) }) {
            return .mov
        }
        if head.starts(with: [0x1A, 0x45, 0xDF, 0xA3]) { return .matroska }
        if head.starts(with: [0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11]) { return .asf }
        if head.starts(with: [0x72, 0x69, 0x66, 0x66, 0x2E, 0x91, 0xCF, 0x11]) { return .w64 }
        return nil
    }

    /// MPEG audio and ADTS have no magic but a sync word in each frame: two frames in a row are asked
    /// for, or one that fills the file, anywhere in the head (encoders and editors leave padding).
    private static func byFrames(_ head: [UInt8]) -> MediaKind? {
        for start in head.indices.dropLast(6) where head[start] == 0xFF {
            if let frame = MPEGFrame(head[start...]) {
                let next = start + frame.length
                if next >= head.count - 4 ? start == 0 : MPEGFrame(head[next...]) != nil {
                    return .mp3
                }
            }
            if let length = adtsLength(head[start...]) {
                let next = start + length
                if next >= head.count - 6 ? start == 0 : adtsLength(head[next...]) != nil {
                    return .aac
                }
            }
        }
        return nil
    }

    /// ISO 13818-7 §6.2.
    private static func adtsLength(_ bytes: ArraySlice<UInt8>) -> Int? {
        let first = bytes.startIndex
        guard bytes.count >= 6, bytes[first] == 0xFF, bytes[first + 1] & 0xF6 == 0xF0,
            bytes[first + 2] >> 2 & 0xF < 13
        else { return nil }
        let length =
            Int(bytes[first + 3] & 3) << 11 | Int(bytes[first + 4]) << 3
            | Int(bytes[first + 5]) >> 5
        return length >= 7 ? length : nil
    }
}
