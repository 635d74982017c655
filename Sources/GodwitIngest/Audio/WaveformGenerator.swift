// SPDX-License-Identifier: Apache-2.0
public import AudioSignal
public import FFmpeg
import Foundation
import Godwit
import SystemPackage

/// Draws a track: min/max peaks in the formats of audiowaveform at several zooms, 8 and 16 bits, binary
/// and JSON; `peaks.json` for wavesurfer.js; a picture as SVG.
///
/// One listener at the finest zoom; the coarser ones are made of it.
public struct WaveformGenerator: ListeningTask {
    public static let name = "waveform"
    public static let version = 1

    /// What was drawn.
    public struct Output: Codable, Sendable, Hashable {
        public var length: Int
        public var channels: Int
        public var sampleRate: Int
        public var zooms: [ResultDocument.Waveform]
        /// The one for a player in the browser: 8 bits, 512 samples per pixel where there is such a zoom.
        public var best: ResultDocument.Waveform?

        enum CodingKeys: String, CodingKey {
            case length, channels, zooms, best
            case sampleRate = "sample_rate"
        }
    }

    /// Samples per pixel, the finest first; each a multiple of it.
    public let zooms: [Int]
    public let splitsChannels: Bool
    /// `audiowaveform`: an MP3's padding at its end is drawn, as audiowaveform does; other formats are
    /// the same in both.
    public let mode: Settings.WaveformMode

    public init(
        zooms: [Int] = [256, 512], splitsChannels: Bool = false,
        mode: Settings.WaveformMode = .gapless
    ) {
        self.mode = mode
        self.zooms = zooms.isEmpty ? [256] : zooms
        self.splitsChannels = splitsChannels
    }

    public var options: String {
        // Why nothing for the usual one: results of it keep the place they have.
        "zooms=\(zooms.map(String.init).joined(separator: ",")) split=\(splitsChannels)"
            + (mode == .gapless ? "" : " mode=\(mode.rawValue)")
    }

    public func decodeMode(for media: MediaInfo) -> DecodeMode {
        mode == .audiowaveform && media.gapless != nil ? .untrimmed : .gapless
    }

    public struct Heard: Sendable {
        var waveform: AudioSignal.Waveform
        var peaks: Peaks
    }

    public struct Listener: SampleConsumer, Sendable {
        var waveform: WaveformBuilder
        var peaks: PeaksBuilder
        /// Samples that the peaks must not hear; the waveform drops them by itself.
        var leading: Int

        public mutating func add(_ samples: Span<Float>) {
            waveform.add(samples)
            let dropped = min(leading, samples.count)
            leading -= dropped
            if dropped < samples.count { peaks.add(samples.extracting(dropped..<samples.count)) }
        }

        public mutating func finish() -> Heard {
            Heard(waveform: waveform.finish(), peaks: peaks.finish())
        }
    }

    public func listener(for media: MediaInfo) throws -> Listener {
        let leading = decodeMode(for: media) == .untrimmed ? media.gapless?.leading ?? 0 : 0
        let options = WaveformOptions(
            zoom: .samplesPerPixel(zooms[0]), splitChannels: splitsChannels,
            skippedFrames: leading)
        let waveform: WaveformBuilder
        do {
            try options.check(for: media.format)
            waveform = try WaveformBuilder(format: media.format, options: options)
        } catch {
            throw TaskFailure.config("no waveform can be drawn: \(error)")
        }
        return Listener(
            waveform: waveform, peaks: PeaksBuilder(format: media.format),
            leading: leading * media.format.channels)
    }

    public func output(
        of heard: Heard, _ report: DecodeReport, _ track: Track, in work: Workspace
    ) async throws -> Output {
        var output = Output(
            length: heard.waveform.length, channels: heard.waveform.channels,
            sampleRate: heard.waveform.sampleRate, zooms: [])
        for zoom in zooms {
            var waveform = heard.waveform
            do {
                if zoom != waveform.samplesPerPixel { waveform = try waveform.rescaled(to: zoom) }
            } catch {
                throw TaskFailure.config("zoom \(zoom) can't be made of \(zooms[0]): \(error)")
            }
            for bits in [16, 8] {
                let file = try await emit(
                    waveform, .dat, bits, "waveform-\(zoom)-\(bits).dat",
                    "application/octet-stream", work)
                output.zooms.append(
                    .init(key: file.key, samplesPerPixel: zoom, bits: bits))
            }
            _ = try await emit(
                waveform, .json, 8, "waveform-\(zoom)-8.json", "application/json", work)
        }
        let small = output.zooms.filter { $0.bits == 8 }
        output.best = small.first { $0.samplesPerPixel == 512 } ?? small.first
        _ = try await work.emit(heard.peaks.json(), as: "peaks.json")
        _ = try await work.emit(
            Array(heard.waveform.svg().utf8), as: "waveform.svg", contentType: "image/svg+xml")
        return output
    }

    /// By way of a file: the JSON of ten hours does not belong into memory.
    private func emit(
        _ waveform: AudioSignal.Waveform, _ format: AudioSignal.Waveform.FileFormat, _ bits: Int,
        _ name: String, _ type: String, _ work: Workspace
    ) async throws -> StoredFile {
        let path = work.folder.appending(name)
        try Self.write(waveform, as: format, bits: bits, to: path)
        let stored = try await work.emit(file: path, as: name, contentType: type)
        try? FileManager.default.removeItem(atPath: path.string)
        return stored
    }

    static func write(
        _ waveform: AudioSignal.Waveform, as format: AudioSignal.Waveform.FileFormat, bits: Int,
        to path: FilePath
    ) throws {
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
            permissions: [.ownerReadWrite])
        defer { try? file.close() }
        try waveform.write(as: format, bits: bits) { (bytes: Span<UInt8>) in
            try bytes.withUnsafeBytes { _ = try file.writeAll($0) }
        }
    }
}
