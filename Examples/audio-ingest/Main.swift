// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import GodwitIngest
import Logging
import SystemPackage

/// From an audio file to a waveform, an analysis and renditions.
@main
struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audio-ingest",
        abstract: "Takes audio in: waveform, loudness, tempo, key, fingerprint, renditions.",
        discussion: """
            audio-ingest run song.flac --out results      a file, now, with nothing else running
            audio-ingest watch --source in --out results  whatever comes into a directory
            audio-ingest analyze song.flac                the analysis as JSON
            audio-ingest show song.flac                   the waveform in the terminal

            A file whose name begins with '-' is named after '--', or as ./-name. Needs ffmpeg.
            """,
        subcommands: [
            Run.self, Watch.self, WaveformCommand.self, Analyze.self, Show.self, ShowSettings.self,
        ])

    static func main() async {
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel =
                ProcessInfo.processInfo.environment["AUDIO_INGEST_LOG"]
                .flatMap { Logger.Level(rawValue: $0) } ?? .warning
            return handler
        }
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as SettingsError {
            say("audio-ingest: \(error)")
            Foundation.exit(78)
        } catch let error as TaskFailure {
            say("audio-ingest: \(error)")
            Foundation.exit(1)
        } catch {
            exit(withError: error)
        }
    }
}

/// A line to people.
func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

/// A line of the result.
func tell(_ text: String) { FileHandle.standardOutput.write(Data("\(text)\n".utf8)) }

/// Where settings come from.
struct SettingsOptions: ParsableArguments {
    @Option(
        name: .customLong("settings"),
        help: ArgumentHelp("A JSON file with settings.", valueName: "file"))
    var file: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "One setting, as in --set cpu.slots=4; may be repeated. 'audio-ingest settings' lists them.",
            valueName: "key=value"))
    var pairs: [String] = []

    func read(_ more: [(String, String?)], needs: Set<String>) async throws -> Settings {
        var flags: [(key: String, value: String)] = []
        for pair in pairs {
            guard let mark = pair.firstIndex(of: "="), mark != pair.startIndex else {
                throw ValidationError("--set takes key=value, not '\(pair.prefix(40))'.")
            }
            flags.append((String(pair[..<mark]), String(pair[pair.index(after: mark)...])))
        }
        flags += more.compactMap { key, value in value.map { (key, $0) } }
        return try await Settings.read(
            file: file.map { .init($0) }, flags: flags, needs: needs)
    }
}

struct ShowSettings: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings", abstract: "List every setting and its variable.")

    func run() async throws {
        for (key, means) in Settings.keys {
            tell("\(key)\n    \(Settings.variable(key))\n    \(means)")
        }
    }
}
