// SPDX-License-Identifier: Apache-2.0
import Foundation
import SystemPackage
import Testing

/// A file that means harm, and what is to become of it.
struct Attack: Sendable, CustomTestStringConvertible {
    enum End: String, Sendable { case decoded, invalid, limit }

    var name: String
    var bytes: [UInt8]
    var end: End
    var testDescription: String { name }

    init(_ name: String, _ end: End, _ bytes: some Sequence<UInt8>) {
        self.name = name
        self.end = end
        self.bytes = Array(bytes)
    }

    init(_ name: String, _ text: String) { self.init(name, .invalid, text.utf8) }
}

/// Everything that can be made by hand; `canary` is a file that nobody named, `port` is listened on.
func attacks(canary: String, port: Int) -> [Attack] {
    let web = "http://127.0.0.1:\(port)"
    func playlist(_ lines: String...) -> String {
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n" + lines.joined(separator: "\n") + "\n#EXT-X-ENDLIST\n"
    }
    let local = playlist("#EXTINF:1,", "file://\(canary)")
    let remote = playlist("#EXTINF:1,", "\(web)/a.ts")
    let concat = "ffconcat version 1.0\nfile '\(canary)'\n"
    return [
        Attack("hls that names a file", local),
        Attack("hls that names a path", playlist("#EXTINF:1,", canary)),
        Attack("hls that names an address", remote),
        Attack(
            "hls with a key from afar",
            playlist("#EXT-X-KEY:METHOD=AES-128,URI=\"\(web)/k\"", "#EXTINF:1,", canary)),
        Attack(
            "hls with a map from afar",
            playlist("#EXT-X-MAP:URI=\"\(web)/m\"", "#EXTINF:1,", canary)),
        Attack("hls with concat:", playlist("#EXTINF:1,", "concat:\(canary)|\(canary)")),
        Attack("hls with subfile:", playlist("#EXTINF:1,", "subfile,,start,0,end,0,,:\(canary)")),
        Attack("hls with data:", playlist("#EXTINF:1,", "data:audio/wav;base64,UklGRg==")),
        Attack("hls with crypto:", playlist("#EXTINF:1,", "crypto:\(canary)")),
        Attack(
            "hls that asks for metadata",
            playlist("#EXTINF:1,", "http://169.254.169.254/latest/meta-data/")),
        Attack("hls master", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n\(web)/b.m3u8\n"),
        Attack("ffconcat of a file", concat),
        Attack("ffconcat of a neighbour", "ffconcat version 1.0\nfile canary.wav\n"),
        Attack("ffconcat of a piece of it", "ffconcat version 1.0\nfile canary.wav\ninpoint 1\n"),
        Attack("ffconcat of an address", "ffconcat version 1.0\nfile \(web)/a.wav\n"),
        Attack("ffconcat with options", "ffconcat version 1.0\nfile '\(canary)'\noption safe 0\n"),
        Attack(
            "dash",
            "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\"><Period><AdaptationSet mimeType=\"audio/mp4\"><Representation id=\"1\" bandwidth=\"1\"><BaseURL>file://\(canary)</BaseURL></Representation></AdaptationSet></Period></MPD>"
        ),
        Attack(
            "sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio \(port) RTP/AVP 0\n"),
        Attack("pls", "[playlist]\nFile1=\(web)/a.mp3\nNumberOfEntries=1\n"),
        Attack(
            "xspf",
            "<playlist version=\"1\"><trackList><track><location>\(web)/</location></track></trackList></playlist>"
        ),
        Attack("asx", "<asx version=\"3\"><entry><ref href=\"\(web)/\"/></entry></asx>"),
        Attack("rtsp redirect", "RTSPtextrtsp://127.0.0.1:\(port)/a"),
        Attack("lavfi graph", "amovie=\(canary)[out0]"),
        Attack("html", "<html><audio src=\"\(web)/a.mp3\"></audio></html>"),
        Attack(
            "svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"file://\(canary)\"/></svg>"),
        Attack(
            "playlist behind an ID3 tag", .invalid,
            id3([UInt8](repeating: 0, count: 64)) + Array(local.utf8)),
        Attack("ffconcat behind an ID3 tag", .invalid, id3([]) + Array(concat.utf8)),
        Attack(
            "playlist behind RIFF WAVE", .invalid,
            Array("RIFF\u{7f}\0\0\0WAVE".utf8) + Array(local.utf8)),
        Attack("playlist behind fLaC", .invalid, Array("fLaC".utf8) + Array(local.utf8)),
        Attack("playlist behind OggS", .invalid, Array("OggS".utf8) + Array(local.utf8)),
        Attack("playlist in an AVI's subtitle", .invalid, gab2(local)),
        Attack("mov whose data lie in a file", .decoded, dref("url ", "file://\(canary)")),
        Attack("mov whose data lie afar", .decoded, dref("url ", "\(web)/x")),
        Attack("mov with an alias", .decoded, dref("alis", canary)),
        Attack("empty", .invalid, []),
        Attack("one byte", .invalid, [0xFF]),
        Attack(
            "noise", .invalid,
            {
                var noise = Noise(); return noise.bytes(70_000)
            }()),
        Attack("zeros", .invalid, [UInt8](repeating: 0, count: 100_000)),
        Attack("flac of nothing", .invalid, Array("fLaC".utf8)),
        Attack("wav of nothing", .invalid, Array("RIFF\u{24}\0\0\0WAVE".utf8)),
        Attack(
            "matroska of nothing", .invalid, [0x1A, 0x45, 0xDF, 0xA3, 0x84, 0x42, 0x86, 0x81, 1]),
        Attack(
            "mp4 without moov", .invalid,
            box("ftyp", Array("M4A \0\0\0\0".utf8))
                + box("mdat", [UInt8](repeating: 1, count: 9999))),
        Attack(
            "thirty channels", .limit,
            wave(rate: 44_100, channels: 30, bits: 16, [UInt8](repeating: 0, count: 60_000))),
        Attack(
            "a thousand channels", .invalid,
            wave(rate: 44_100, channels: 1000, bits: 16, [UInt8](repeating: 0, count: 200_000))),
        Attack(
            "sixty thousand channels", .invalid,
            wave(rate: 44_100, channels: 60_000, bits: 16, [UInt8](repeating: 0, count: 400_000))),
        Attack(
            "no samples a second", .invalid,
            wave(rate: 0, channels: 2, bits: 16, [UInt8](repeating: 0, count: 4000))),
        Attack(
            "too many samples a second", .limit,
            wave(rate: 0x7FFF_FFF0, channels: 2, bits: 16, [UInt8](repeating: 0, count: 4000))),
        Attack(
            "a million streams", .limit,
            box("ftyp", Array("M4A \0\0\0\0".utf8))
                + box(
                    "moov",
                    (0..<1_000_000).flatMap { _ in [0, 0, 0, 8, 0x74, 0x72, 0x61, 0x6B] as [UInt8] }
                )),
        Attack("boxes in boxes", .invalid, box("ftyp", Array("M4A \0\0\0\0".utf8)) + nested(5000)),
        Attack(
            "twenty megabytes of tag", .decoded,
            id3([UInt8](repeating: 0, count: 20_000_000)) + mp3Silence()),
        Attack("picture of 60,000 by 60,000", .invalid, id3(picture()) + Array("no sound".utf8)),
        Attack("mp3 with that picture", .decoded, id3(picture()) + mp3Silence()),
    ]
}

/// An ID3v2.3 tag (id3.org) with this in it.
private func id3(_ frames: [UInt8]) -> [UInt8] {
    let size = frames.count
    return Array("ID3".utf8) + [3, 0, 0]
        + [21, 14, 7, 0].map { UInt8(size >> $0 & 0x7F) } + frames
}

/// An APIC frame with the beginning of a PNG that says it is of 60,000 by 60,000.
private func picture() -> [UInt8] {
    let png: [UInt8] = [
        0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0,
        0xEA, 0x60, 0, 0, 0xEA, 0x60, 16, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x49, 0x44, 0x41, 0x54,
    ]
    let body = [0] + Array("image/png\0".utf8) + [3, 0] + png + [UInt8](repeating: 0, count: 400)
    return Array("APIC".utf8) + [24, 16, 8, 0].map { UInt8(body.count >> $0 & 0xFF) } + [0, 0]
        + body
}

/// Frames of layer III, 32 kbit/s, mono, 44.1 kHz, that decode to silence.
private func mp3Silence() -> [UInt8] {
    (0..<100).flatMap { _ in [0xFF, 0xFB, 0x10, 0xC4] + [UInt8](repeating: 0, count: 100) }
}

private func box(_ name: String, _ body: [UInt8]) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8((body.count + 8) >> $0 & 0xFF) } + Array(name.utf8) + body
}

private func nested(_ depth: Int) -> [UInt8] {
    var heads: [UInt8] = []
    for level in 0..<depth {
        let size = (depth - level) * 8
        heads += [24, 16, 8, 0].map { UInt8(size >> $0 & 0xFF) } + Array("moov".utf8)
    }
    return heads
}

private func gab2(_ playlist: String) -> [UInt8] {
    let text =
        Array("GAB2\0".utf8) + [2, 0, 4, 0, 0, 0] + Array("a\0s\0".utf8) + [4, 0, 0, 0, 0, 0]
        + Array(playlist.utf8)
    let chunk = Array("00tx".utf8) + [0, 8, 16, 24].map { UInt8(text.count >> $0 & 0xFF) } + text
    return Array("RIFF\0\0\u{1}\0AVI LIST".utf8) + [0, 1, 0, 0] + Array("movi".utf8) + chunk
}

/// A QuickTime file of one PCM track whose samples lie in another file; ffmpeg takes its own bytes for them.
private func dref(_ type: String, _ place: String) -> [UInt8] {
    func n(_ values: Int..., bytes: Int = 4) -> [UInt8] {
        values.flatMap { value in (0..<bytes).reversed().map { UInt8(value >> (8 * $0) & 0xFF) } }
    }
    var sound: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 1]
    sound += n(0, 0)
    sound += n(1, 16, 0, 0, bytes: 2)
    sound += n(8000 << 16)
    let stsd = box("stsd", n(0, 1) + box("sowt", sound))
    let stbl = box(
        "stbl",
        stsd + box("stts", n(0, 1, 8000, 1)) + box("stsc", n(0, 1, 1, 8000, 1))
            + box("stsz", n(0, 2, 8000)) + box("stco", n(0, 1, 44)))
    let minf = box(
        "minf",
        box("smhd", n(0, 0))
            + box("dinf", box("dref", n(0, 1) + box(type, n(0) + Array(place.utf8) + [0])))
            + stbl)
    let mdia = box(
        "mdia",
        box("mdhd", n(0, 0, 0, 8000, 8000, 0))
            + box("hdlr", n(0) + Array("mhlrsoun".utf8) + n(0, 0, 0) + [0]) + minf)
    let head = box("tkhd", n(0x0000_0001, 0, 0, 1, 0, 8000) + [UInt8](repeating: 0, count: 60))
    return box("ftyp", Array("qt  \0\0\0\0".utf8))
        + box(
            "moov",
            box("mvhd", n(0, 0, 0, 8000, 8000) + [UInt8](repeating: 0, count: 80))
                + box("trak", head + mdia))
}
