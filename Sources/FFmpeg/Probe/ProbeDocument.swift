// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation

/// What ffprobe says (`-of json`), read with distrust.
package struct ProbeDocument: Sendable, Decodable {
    /// Bytes of a document; a file may be full of tags.
    package static let limit = 1 << 20
    package static let maxTags = 64
    package static let maxTagName = 64
    package static let maxTagValue = 1024

    struct Stream: Sendable, Decodable {
        var codec_name: String?
        var codec_type: String?
        var sample_fmt: String?
        var sample_rate: String?
        var channels: Int?
        var channel_layout: String?
        var bits_per_raw_sample: String?
        var bits_per_sample: Int?
        var duration: String?
        var bit_rate: String?
        var tags: [String: String]?
        var disposition: [String: Int]?
    }
    struct Format: Sendable, Decodable {
        var duration: String?
        var bit_rate: String?
        var tags: [String: String]?
    }
    var streams: [Stream]?
    var format: Format?

    package init(_ text: String) throws(MediaFailure) {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
        } catch {
            throw .invalid(MediaFault("ffprobe's description of it can not be read"))
        }
    }

    /// What the first audio stream and the container say.
    package func info(
        of input: InputFile, within options: FFmpegOptions
    ) throws(MediaFailure) -> MediaInfo {
        let streams = streams ?? []
        guard streams.count <= options.maxStreams else {
            throw .limit(
                MediaFault("it has \(streams.count) streams, more than \(options.maxStreams)"))
        }
        guard let audio = streams.first(where: { $0.codec_type == "audio" }) else {
            throw .invalid(MediaFault("it holds no audio"))
        }
        guard let codec = audio.codec_name, codec.utf8.allSatisfy(Self.isName),
            let rate = audio.sample_rate.flatMap(Int.init), let channels = audio.channels,
            rate > 0, channels > 0
        else { throw .invalid(MediaFault("its audio has no codec, rate or channels that are known")) }
        guard channels <= options.maxChannels else {
            throw .limit(
                MediaFault("it has \(channels) channels, more than \(options.maxChannels)"))
        }
        guard (1_000...768_000).contains(rate) else {
            throw .limit(MediaFault("it has \(rate) samples a second; 1,000 to 768,000 are let in"))
        }
        let duration = Self.number(format?.duration) ?? Self.number(audio.duration)
        if let duration, duration > options.maxDuration.seconds {
            throw .limit(
                MediaFault(
                    "it says it is \(Int(duration)) s long, more than \(options.maxDuration)"))
        }
        let bits =
            audio.bits_per_raw_sample.flatMap(Int.init).flatMap { $0 > 0 ? $0 : nil }
            ?? audio.bits_per_sample.flatMap { $0 > 0 ? $0 : nil }
        let layout = ChannelLayout(audio.channel_layout, channels: channels)
        return MediaInfo(
            container: input.kind.rawValue, codec: codec, duration: duration,
            format: AudioFormat(
                sampleRate: rate, channels: channels, samples: Self.samples(codec, bits),
                layout: layout?.channels ?? []),
            bitDepth: bits, tags: Self.tags(format?.tags, audio.tags),
            hasCover: streams.contains { $0.disposition?["attached_pic"] == 1 },
            layoutName: layout?.name,
            bitRate: (audio.bit_rate ?? format?.bit_rate).flatMap(Int.init),
            gapless: input.gapless)
    }

    private static func samples(_ codec: String, _ bits: Int?) -> AudioFormat.Samples {
        switch codec {
        case _ where codec.hasPrefix("pcm_f"): .float
        // Decoded to 16 bits, each of its 256 values to one of them.
        case "pcm_alaw", "pcm_mulaw": .integer(bits: 16)
        case "flac", "alac", "wmalossless": .integer(bits: bits ?? 16)
        case _ where codec.hasPrefix("pcm_"): .integer(bits: bits ?? 16)
        default: .lossy
        }
    }

    /// Names in lower case; the stream's win over the container's. Bounded, in the order of the names,
    /// so that the same file gives the same.
    private static func tags(_ maps: [String: String]?...) -> [String: String] {
        var all: [String: String] = [:]
        for map in maps {
            for (name, value) in (map ?? [:]).sorted(by: { $0.key < $1.key }) {
                let name = name.lowercased()
                guard !name.isEmpty, name.utf8.count <= maxTagName else { continue }
                all[name] = String(decoding: value.utf8.prefix(maxTagValue), as: UTF8.self)
            }
        }
        return Dictionary(
            uniqueKeysWithValues: all.sorted { $0.key < $1.key }.prefix(maxTags).map { ($0.key, $0.value) })
    }

    private static func number(_ text: String?) -> Double? {
        guard let value = text.flatMap(Double.init), value.isFinite, value > 0 else { return nil }
        return value
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
