// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser
import AudioSignal
import FFmpeg
import Foundation
import GodwitIngest
import SystemPackage

/// The file that a command only looks at.
struct FileArgument: ParsableArguments {
    @Argument(help: "An audio file.", completion: .file()) var file: String

    func open() async throws -> LocalFile {
        let (store, key) = try Run.place(of: file)
        do {
            return try await LocalFile(store.root.appending(key), with: try await FFmpeg())
        } catch {
            throw failure(error)
        }
    }

    func failure(_ error: any Error) -> any Error {
        TaskFailure(classifying: error) ?? error
    }
}

extension Settings.WaveformMode: ExpressibleByArgument {}

struct WaveformCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "waveform",
        abstract: "Draw a file's waveform in the formats of audiowaveform.",
        discussion: "--out X.dat is the binary format, X.json the JSON one, X.svg a picture.")

    @OptionGroup var file: FileArgument
    @Option(help: "The file to write: .dat, .json or .svg.") var out: String
    @Option(help: "Samples per pixel, 2 or more.") var zoom = 256
    @Option(help: "8 or 16 bits for a value.") var bits = 16
    @Flag(help: "A waveform for each channel.") var split = false
    @Option(
        help: "What becomes of an MP3's padding: gapless drops it, audiowaveform keeps its end.")
    var mode = Settings.WaveformMode.gapless

    func validate() throws {
        guard zoom >= 2 else { throw ValidationError("--zoom is 2 or more, not \(zoom).") }
        guard bits == 8 || bits == 16 else {
            throw ValidationError("--bits is 8 or 16, not \(bits).")
        }
        guard ["dat", "json", "svg"].contains(FilePath(out).extension ?? "") else {
            throw ValidationError("--out ends in .dat, .json or .svg, not as '\(shown(out))' does.")
        }
    }

    func run() async throws {
        let local = try await file.open()
        let gapless = mode == .audiowaveform ? local.media.gapless : nil
        var options = WaveformOptions(
            zoom: .samplesPerPixel(zoom), bits: bits, splitChannels: split)
        options.skippedFrames = gapless?.leading ?? 0
        let waveform: Waveform
        do {
            waveform = try await local.hear(
                by: try WaveformBuilder(format: local.media.format, options: options),
                untrimmed: gapless != nil
            ).heard
        } catch {
            throw file.failure(error)
        }
        // Beside it and renamed: whoever looks sees the old file or the whole new one.
        let path = Place.absolute(out)
        let temporary = path.removingLastComponent().appending(
            ".audio-ingest-\(UUID().uuidString.lowercased())")
        defer { unlink(temporary.string) }
        do {
            let target = try FileDescriptor.open(
                temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
            defer { try? target.close() }
            if path.extension == "svg" {
                _ = try target.writeAll(Array(waveform.svg().utf8))
            } else {
                try waveform.write(as: path.extension == "dat" ? .dat : .json) { bytes in
                    try bytes.withUnsafeBytes { _ = try target.writeAll($0) }
                }
            }
            guard rename(temporary.string, path.string) == 0 else {
                throw Errno(rawValue: errno)
            }
        } catch {
            throw ValidationError("\(shown(out)) can't be written: \(error)")
        }
    }
}

struct Analyze: AsyncParsableCommand {
    enum Output: String, ExpressibleByArgument, CaseIterable { case json, text }

    static let configuration = CommandConfiguration(
        abstract: "Analyse a file: loudness, tempo, key, silence, clipping, tags, fingerprint.")

    @OptionGroup var file: FileArgument
    @Option(name: .shortAndLong, help: "json, or text for people.") var output = Output.json

    func run() async throws {
        let local = try await file.open()
        do {
            let document = try await local.analysis()
            switch output {
            case .json: FileHandle.standardOutput.write(Data(try document.json()))
            case .text: document.lines.forEach(tell)
            }
        } catch {
            throw file.failure(error)
        }
    }
}

struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a file's waveform in the terminal, beside the analysis.")

    @OptionGroup var file: FileArgument
    @Option(help: "Characters; the terminal's width unless given.") var width: Int?
    @Option(help: "Lines of the waveform.") var height = 12
    @Flag(help: "Plain ASCII, for a terminal that knows no more.") var ascii = false

    func validate() throws {
        guard (1...200).contains(height), (40...1000).contains(width ?? 80) else {
            throw ValidationError("--width is 40 to 1000, --height 1 to 200.")
        }
    }

    func run() async throws {
        let local = try await file.open()
        do {
            var builder = try WaveformBuilder(format: local.media.format)
            let document = try await local.analysis { builder.add($0) }
            let waveform = builder.finish()
            let text = document.lines
            let side = min(40, text.map(\.count).max() ?? 0)
            let columns = max(20, (width ?? Self.columns) - side - 2)
            let picture = waveform.lines(
                width: columns, height: max(height, 1), strokes: ascii ? .ascii : .braille)
            for index in 0..<max(picture.count, text.count) {
                let left =
                    index < picture.count ? picture[index] : String(repeating: " ", count: columns)
                tell("\(left)  \(index < text.count ? text[index] : "")")
            }
        } catch {
            throw file.failure(error)
        }
    }

    private static var columns: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 40 else {
            return Int(ProcessInfo.processInfo.environment["COLUMNS"] ?? "") ?? 100
        }
        return Int(size.ws_col)
    }
}

extension ResultDocument {
    /// For people, a line for each thing.
    var lines: [String] {
        var lines: [String] = []
        func number(_ value: Double?, _ unit: String) -> String {
            value.map { String(format: "%.1f %@", $0, unit) } ?? "–"
        }
        if let media {
            lines.append(
                String(
                    format: "%@ %@  %.1f s  %d Hz  %d ch", media.container, media.codec,
                    media.duration, media.sampleRate, media.channels))
            for tag in ["artist", "title"] {
                if let value = media.tags[tag] { lines.append("\(tag)  \(shown(value))") }
            }
        }
        lines.append("loudness  \(number(loudness?.integrated, "LUFS"))")
        lines.append("range     \(number(loudness?.range, "LU"))")
        lines.append("true peak \(number(loudness?.truePeak, "dBTP"))")
        lines.append("tempo     \(number(tempo?.bpm, "BPM"))")
        lines.append(
            "key       \(key.map { "\($0.key) \($0.scale.rawValue) (\($0.camelot))" } ?? "–")")
        lines.append("silence   \(silence?.count ?? 0) spans")
        lines.append("clipping  \(clipping?.count ?? 0) runs")
        if let decodeErrors, decodeErrors > 0 { lines.append("errors    \(decodeErrors)") }
        return lines
    }
}
