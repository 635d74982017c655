// SPDX-License-Identifier: Apache-2.0
import Configuration
public import Foundation
import Godwit
public import GodwitMonitor
import Synchronization
public import SystemPackage

/// How an ingestion runs. Read from flags, then the environment, then a JSON file; every problem is told
/// at once, before anything runs.
public struct Settings: Sendable {
    public enum Profile: String, Sendable, Hashable, CaseIterable {
        case hls, opus, preview, flac, m4a
    }

    public enum WaveformMode: String, Sendable, Hashable, CaseIterable {
        case gapless, audiowaveform
    }

    /// A directory, `s3://bucket/prefix` or `sqs://queue`; empty where none is needed.
    public var source = ""
    /// A directory or `s3://bucket/prefix`.
    public var out = ""
    /// `sqlite:FILE`, `redis://…` or `memory`.
    public var broker = ""
    public var tempFolder: FilePath = ""
    public var tempBytes: UInt64 = 0
    public var cpuSlots = 1
    public var maxInputBytes: UInt64 = 0
    /// The buckets that announcements of a queue may name.
    public var inputBuckets: [String] = []
    /// Where messages of a directory or a listing go that will never work; empty: the default.
    public var deadFolder: FilePath = ""
    public var concurrency: [String: Int] = [:]
    public var lease = Duration.seconds(30)
    public var quiet = Duration.seconds(120)
    public var slow = Duration.seconds(300)
    public var attempts = 8
    public var mostMessages: Int?
    public var zooms: [Int] = []
    public var splits = false
    public var waveformMode = WaveformMode.gapless
    public var profiles: [Profile] = []
    public var webhook: WebhookURL?
    /// The one in use first, then the one that is to come or to go.
    public var webhookSecrets: [WebhookSecret] = []
    public var webhookHosts = DialGuard()

    public static let stages = ["analyse", "transcode", "publish", "notify"]
    package static let secrets: Set<String> = [
        "webhook.url", "webhook.secret", "webhook.secretNext",
    ]

    /// Every key with what it means, for `--help`.
    public static let keys: [(key: String, means: String)] = [
        ("source", "where audio comes from: a directory, s3://bucket/prefix or sqs://queue"),
        ("out", "where results go: a directory or s3://bucket/prefix"),
        ("broker", "where the queues are: sqlite:FILE, redis://… or memory"),
        ("temp.folder", "the folder for temporary files"),
        ("temp.bytes", "bytes in it at once, by all tracks that are worked on"),
        ("cpu.slots", "tasks that compute at once in this process"),
        ("input.maxBytes", "the largest file that is taken"),
        ("input.buckets", "buckets that are read for an sqs:// source, with commas; needed there"),
        (
            "dead.folder",
            "dead letters of a directory or bucket source; FILE.dead of sqlite:FILE, else out's dead/"
        ),
        ("analyse.concurrency", "tracks at once in the stage; also transcode, publish, notify"),
        ("lease.seconds", "a dead worker's tracks run again after about this"),
        ("quiet.seconds", "a run without progress for so long is stopped"),
        ("slow.seconds", "a fault of the set-up is tried again after so long"),
        ("retry.attempts", "failures until a track goes to the dead letters"),
        ("queue.messages", "messages that each queue holds at most"),
        ("waveform.zooms", "samples per pixel, the finest first"),
        ("waveform.split", "true: a waveform per channel instead of one of all"),
        ("waveform.mode", "gapless, or audiowaveform: an MP3's end as it draws it"),
        ("transcode.profiles", "some of hls, opus, preview, flac, m4a; empty: none"),
        ("webhook.url", "the backend that is told (secret)"),
        ("webhook.secret", "signs the call (secret)"),
        ("webhook.secretNext", "a second secret, while one is being changed (secret)"),
        ("webhook.allowHosts", "hosts that may be private or without TLS, host:port with commas"),
    ]

    /// The environment variable of a key.
    public static func variable(_ key: String) -> String {
        "AUDIO_INGEST_" + spelled(key, between: "_").uppercased()
    }

    private static func flag(_ key: String) -> String {
        "--" + spelled(key, between: "-").lowercased()
    }

    /// The words of a key, which a dot or a capital letter parts.
    private static func spelled(_ key: String, between mark: Character) -> String {
        key.reduce(into: "") { text, character in
            if character == "." {
                text.append(mark)
            } else {
                if character.isUppercase { text.append(mark) }
                text.append(character)
            }
        }
    }

    /// Reads them. `flags` are pairs of key and value; `needs` are the keys that must be there.
    public static func read(
        file: FilePath?, flags: [(key: String, value: String)],
        environment: [String: String] = ProcessInfo.processInfo.environment,
        needs: Set<String> = ["out"]
    ) async throws -> Settings {
        var early: [SettingsProblem] = []
        var providers: [any ConfigProvider] = []
        let known = Set(keys.map(\.key) + stages.map { "\($0).concurrency" })
        var arguments = ["audio-ingest"]
        for (key, value) in flags {
            if secrets.contains(key) {
                early.append(
                    SettingsProblem(
                        key: key,
                        allowed:
                            "a secret must not stand in the arguments, which every user of the machine can read: set \(variable(key)) or use the settings file",
                        isSecret: true))
            } else if !known.contains(key) {
                early.append(unknown(key, value, known))
            } else {
                arguments.append("\(flag(key))=\(value)")
            }
        }
        providers.append(CommandLineArgumentsProvider(arguments: arguments))
        providers.append(
            EnvironmentVariablesProvider(
                environmentVariables: environment,
                secretsSpecifier: .specific(Set(secrets.map(variable)))
            ).prefixKeys(with: "audio.ingest"))
        if let file {
            do {
                let provider = try await FileProvider<JSONSnapshot>(
                    parsingOptions: .init(secretsSpecifier: .specific(secrets)), filePath: file)
                providers.append(provider)
                early += strangers(in: file, known)
            } catch {
                early.append(
                    SettingsProblem(
                        key: "--settings", value: file.string.cut(to: 200).escapedForDisplay,
                        allowed: "the file can't be read as a JSON object: \(error)"))
            }
        }
        var reader = SettingsReader(ConfigReader(providers: providers))
        let settings = Settings(&reader, needs: needs)
        let problems = early + reader.problems
        guard problems.isEmpty else { throw SettingsError(problems: problems) }
        return settings
    }

    private static func unknown(_ key: String, _ value: String?, _ known: Set<String>)
        -> SettingsProblem
    {
        let near = known.filter { $0.lowercased() == key.lowercased() || $0.hasSuffix(".\(key)") }
            .sorted()
        let hint = near.isEmpty ? "" : "; is \(near.joined(separator: " or ")) meant?"
        // Why no value: it may be a secret under a mistyped key.
        return SettingsProblem(
            key: key.cut(to: 100).escapedForDisplay, value: "…",
            allowed: "there is no such key\(hint)")
    }

    /// Keys in the file that nobody reads: most likely mistyped.
    private static func strangers(in file: FilePath, _ known: Set<String>) -> [SettingsProblem] {
        guard let data = FileManager.default.contents(atPath: file.string),
            let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        else { return [] }
        var found: [String] = []
        func walk(_ object: [String: Any], _ path: String) {
            for (name, value) in object {
                let key = path.isEmpty ? name : "\(path).\(name)"
                if known.contains(key) { continue }
                if let inner = value as? [String: Any] {
                    walk(inner, key)
                } else {
                    found.append(key)
                }
            }
        }
        walk(object, "")
        return found.sorted().map { unknown($0, nil, known) }
    }
}
