// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation

/// A plan for one file, worked out: a pure function from plan and probe to filters and arguments.
///
/// Left out, because they would only be larger: rates of a ladder that are more than 1.25 times a lossy
/// original's, and, for one channel, those above 128 kbit/s; the lowest always stays. FLAC is left out
/// above its eight channels. More than two channels are mixed down, but for FLAC.
package struct TranscodeScript: Sendable, Hashable {
    /// One output stream: what is done to the sound, and what the encoder and muxer are told.
    package struct Branch: Sendable, Hashable {
        package var filters: [String]
        package var label: String
    }

    package private(set) var branches: [Branch] = []
    /// Arguments of each output, in the order of the plan.
    package private(set) var outputs: [[String]] = []
    /// Names of the ladder: `64k`.
    package private(set) var variants: [String] = []
    /// Single files.
    package private(set) var files: [String] = []

    private let info: MediaInfo

    package init(_ plan: TranscodePlan, for info: MediaInfo) {
        self.info = info
        let gain = Self.volume(plan.gain)
        for rendition in plan.renditions {
            switch rendition {
            case .hls(let kilobits, let seconds): addLadder(kilobits, seconds, gain)
            case .opus(let kilobits):
                let label = branch(gain + [shape(rate: 48_000)])
                add(
                    "opus.ogg", label,
                    ["-c:a", "libopus", "-b:a", "\(Self.bounded(kilobits))k", "-vbr", "on", "-f", "ogg"])
            case .preview(let kilobits, let start, let seconds, let fade):
                let label = branch(
                    piece(start, seconds, fade) + gain + [shape(rate: Self.rate(info))])
                add(
                    "preview.mp3", label,
                    [
                        "-c:a", "libmp3lame", "-b:a", "\(Self.bounded(kilobits))k", "-id3v2_version", "3",
                        "-f", "mp3",
                    ])
            case .flac: addLossless()
            case .m4a(let kilobits):
                let label = branch(gain + [shape(rate: Self.rate(info))])
                let most = info.format.channels == 1 ? 128 : 512
                add(
                    "download.m4a", label,
                    [
                        "-c:a", "aac", "-b:a", "\(min(Self.bounded(kilobits), most))k",
                        "-movflags", "+faststart", "-f", "ipod",
                    ], metadata: kept + Self.dropped)
            }
        }
    }

    /// All of ffmpeg's arguments. Outputs are named relative to its working directory.
    package func arguments(_ input: InputFile, _ options: FFmpegOptions) -> [String] {
        let before = [
            "-nostdin", "-nostats", "-progress", "pipe:1", "-stats_period", "0.5",
            "-filter_complex_threads", "1", "-y",
        ]
        let ends = branches.map { "[\($0.label)s]" }.joined()
        let graph =
            ["[0:a:0]asplit=\(branches.count)\(ends)"]
            + branches.map {
                "[\($0.label)s]\($0.filters.joined(separator: ","))[\($0.label)]"
            }
        return Whitelist.input(
            input, options, codecs: Whitelist.codecs,
            before: before + ["-t", "\(Int(options.maxDuration.seconds) + 1)"])
            + ["-filter_complex", graph.joined(separator: ";")] + outputs.flatMap { $0 }
    }

    // MARK: Branches

    private mutating func branch(_ filters: [String]) -> String {
        let label = "b\(branches.count)"
        branches.append(Branch(filters: filters.isEmpty ? ["anull"] : filters, label: label))
        return label
    }

    private mutating func add(
        _ name: String, _ label: String, _ arguments: [String],
        metadata: [String] = ["-map_metadata", "-1"]
    ) {
        files.append(name)
        outputs.append(["-map", "[\(label)]"] + Self.same + metadata + arguments + [name])
    }

    private mutating func addLadder(_ kilobits: [Int], _ seconds: Int, _ gain: [String]) {
        let rates = Self.ladder(kilobits, for: info)
        guard !rates.isEmpty, variants.isEmpty else { return }
        variants = rates.map { "\($0)k" }
        let labels = rates.map { _ in branch(gain + [shape(rate: Self.rate(info))]) }
        var output = labels.flatMap { ["-map", "[\($0)]"] } + Self.same + ["-map_metadata", "-1"]
        output += ["-c:a", "aac"]
        for (index, rate) in rates.enumerated() { output += ["-b:a:\(index)", "\(rate)k"] }
        let map = variants.enumerated().map { "a:\($0.offset),name:\($0.element)" }
        output += [
            "-f", "hls", "-hls_time", "\(min(max(seconds, 1), 60))", "-hls_playlist_type", "vod",
            "-hls_segment_type", "fmp4", "-master_pl_name", "master.m3u8",
            "-var_stream_map", map.joined(separator: " "),
            "-hls_fmp4_init_filename", "init_%v.mp4",
            "-hls_segment_filename", "hls/seg_%v_%05d.m4s", "hls/pl_%v.m3u8",
        ]
        outputs.append(output)
    }

    private mutating func addLossless() {
        guard info.format.channels <= 8 else { return }
        let deep =
            switch info.format.samples {
            case .integer(let bits): bits > 16
            case .float: true
            case .lossy: false
            }
        let label = branch(["aformat=sample_fmts=\(deep ? "s32" : "s16")"])
        add(
            "original.flac", label,
            ["-c:a", "flac", "-compression_level", "8"]
                + (deep ? ["-bits_per_raw_sample", "24"] : []) + ["-f", "flac"], metadata: kept)
    }

    // MARK: Filters

    private func shape(rate: Int) -> String {
        let layout = info.format.channels == 1 ? "mono" : "stereo"
        return "aformat=sample_rates=\(rate):channel_layouts=\(layout)"
    }

    private func piece(_ start: Double, _ seconds: Double, _ fade: Double) -> [String] {
        let length = min(max(seconds, 1), 600, info.duration ?? 600)
        let from = max(0, min(start, (info.duration ?? start + length) - length))
        let fade = min(max(fade, 0), length / 2)
        return [
            "atrim=start=\(Self.text(from)):duration=\(Self.text(length))", "asetpts=PTS-STARTPTS",
            "afade=t=in:d=\(Self.text(fade))",
            "afade=t=out:st=\(Self.text(length - fade)):d=\(Self.text(fade))",
        ]
    }

    private static func volume(_ gain: TranscodePlan.Gain?) -> [String] {
        guard let applied = gain?.applied, abs(applied) >= 0.005 else { return [] }
        return ["volume=\(text(applied))dB"]
    }

    // MARK: Rates

    /// Those of `kilobits` that make sense for this original, rising, each once.
    package static func ladder(_ kilobits: [Int], for info: MediaInfo) -> [Int] {
        let rates = Set(kilobits.map(bounded)).sorted().prefix(8)
        var most = Int.max
        if info.format.channels == 1 { most = 128 }
        if info.format.samples == .lossy, let bits = info.bitRate, bits > 0 {
            most = min(most, bits / 800)
        }
        return rates.enumerated().filter { $0.offset == 0 || $0.element <= most }.map(\.element)
    }

    /// The rate for a lossy encoder: the original's where all of them have it, else the nearest above,
    /// at most 48 kHz, within the family of 44.1 kHz if it is of that.
    package static func rate(_ info: MediaInfo) -> Int {
        let rate = info.format.sampleRate
        let all = [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]
        if rate > 48_000 { return rate % 44_100 == 0 ? 44_100 : 48_000 }
        return all.first { $0 >= rate } ?? 48_000
    }

    private static func bounded(_ kilobits: Int) -> Int { min(max(kilobits, 8), 512) }

    private static func text(_ value: Double) -> String { String(format: "%.3f", value) }

    // MARK: Metadata

    /// No names, versions or times of ours in the bytes: two runs make the same.
    private static let same = ["-fflags", "+bitexact", "-flags:a", "+bitexact", "-map_chapters", "-1"]

    /// Ogg has its tags in the stream, the others in the container.
    private var kept: [String] { ["-map_metadata:g", info.container == "ogg" ? "0:s:a:0" : "0:g"] }

    /// What a stranger who downloads it need not know.
    private static let dropped = [
        "comment", "description", "synopsis", "location", "location-eng", "make", "model",
        "com.apple.quicktime.location.ISO6709", "com.apple.quicktime.make",
        "com.apple.quicktime.model", "com.apple.quicktime.software", "encoder", "encoded_by",
        "creation_time",
    ].flatMap { ["-metadata", "\($0)="] }
}
