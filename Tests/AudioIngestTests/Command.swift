// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import SystemPackage
import TestRedis
import Testing

/// The built program, run as a user runs it.
struct Command: Sendable {
    struct Outcome: Sendable {
        let status: Int32
        let out: String
        let err: String
    }

    static let path: String = {
        let candidates =
            [Bundle.main.executableURL?.path].compactMap { $0 }
            + CommandLine.arguments.filter { $0.contains(".xctest") || $0.hasPrefix("/") }
        for candidate in candidates {
            var folder = URL(fileURLWithPath: candidate).deletingLastPathComponent()
            for _ in 0..<5 {
                let program = folder.appendingPathComponent("audio-ingest").path
                if FileManager.default.isExecutableFile(atPath: program) { return program }
                folder = folder.deletingLastPathComponent()
            }
        }
        return ".build/release/audio-ingest"
    }()

    /// Runs it to its end. Files, not pipes: they never fill up.
    @discardableResult
    static func run(
        _ arguments: [String], environment: [String: String] = [:], in folder: Folder
    ) async throws -> Outcome {
        let (out, err) = (folder.new("out"), folder.new("err"))
        let process = try start(
            arguments, environment: environment, in: folder, out: out, err: err)
        let end = await process.end()
        return Outcome(
            status: end.status, out: (try? String(contentsOfFile: out, encoding: .utf8)) ?? "",
            err: (try? String(contentsOfFile: err, encoding: .utf8)) ?? "")
    }

    static func start(
        _ arguments: [String], environment: [String: String] = [:], in folder: Folder,
        out: String, err: String
    ) throws -> ChildProcess {
        let input = open("/dev/null", O_RDONLY | O_CLOEXEC)
        let output = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        let errors = open(err, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { for file in [input, output, errors] { close(file) } }
        var whole = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("AUDIO_INGEST_") && !$0.key.hasPrefix("AWS_")
        }
        whole["AUDIO_INGEST_TEMP_FOLDER"] = folder.path + "/temp"
        whole.merge(environment) { $1 }
        return try ChildProcess(
            path, arguments, environment: whole, in: folder.path, input: input, output: output,
            errors: errors)
    }
}

extension ChildProcess.End {
    var status: Int32 {
        switch self {
        case .exit(let code): code
        case .signal(let number): 128 + number
        }
    }
}

/// A folder of a test's own.
final class Folder: Sendable {
    let path: String
    private let count = Atomic<Int>(0)

    init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("audio-ingest-test-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func new(_ name: String) -> String {
        "\(path)/\(name)-\(count.wrappingAdd(1, ordering: .relaxed).newValue)"
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// Every plain file below `name` with its bytes; `changed` with its time, too.
    func tree(_ name: String, changed: Bool = false) -> [String: String] {
        var tree: [String: String] = [:]
        let root = "\(path)/\(name)"
        let names = FileManager.default.enumerator(atPath: root)
        while let file = names?.nextObject() as? String {
            let attributes = try? FileManager.default.attributesOfItem(atPath: "\(root)/\(file)")
            guard attributes?[.type] as? FileAttributeType == .typeRegular else { continue }
            let bytes = FileManager.default.contents(atPath: "\(root)/\(file)") ?? Data()
            tree[file] = "\(bytes.count) \(bytes.hashed)"
            if changed, let date = attributes?[.modificationDate] as? Date {
                tree[file]? += " \(date.timeIntervalSince1970)"
            }
        }
        return tree
    }
}

extension Data {
    /// FNV-1a, 64 bits: enough to tell two files of a test apart.
    fileprivate var hashed: UInt64 {
        reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

func withFolder<R>(_ body: (Folder) async throws -> R) async throws -> R {
    let folder = try Folder()
    defer { folder.remove() }
    return try await body(folder)
}

/// Runs a program that is found in PATH.
func tool(_ arguments: [String], in folder: Folder) async throws {
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    defer { close(null) }
    let end = try await ChildProcess(
        "/usr/bin/env", arguments, in: folder.path, input: null, output: null, errors: null
    ).end()
    guard end == .exit(0) else {
        throw ToolError(text: "\(arguments.joined(separator: " ")): \(end)")
    }
}

struct ToolError: Error { let text: String }

/// Short tracks of different formats, each with its own tone; or pieces of real music, where it is.
enum Corpus {
    static func make(
        _ count: Int, seconds: Double, music wantsMusic: Bool = false, in folder: Folder,
        at name: String
    ) async throws -> [String] {
        let root = "\(folder.path)/\(name)"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        if wantsMusic, music.isEmpty {
            print("no real music: scripts/music.sh fetches it; the tracks are made instead")
        }
        if wantsMusic, !music.isEmpty {
            var files: [String] = []
            for index in 0..<count {
                let source = music[index % music.count]
                let file = "\(root)/music \(index + 1).ogg"
                try await tool(
                    [
                        "ffmpeg", "-nostdin", "-v", "error", "-ss", "\((index / music.count) * 20)",
                        "-i", source, "-t", "\(seconds)", "-map", "0:a:0", "-c", "copy",
                        "-fflags", "+bitexact", file,
                    ], in: folder)
                files.append(file)
            }
            return files
        }
        var files: [String] = []
        let kinds = [
            ("wav", ["-c:a", "pcm_s16le"]), ("flac", []), ("mp3", ["-b:a", "128k"]),
            ("ogg", ["-c:a", "libvorbis"]),
        ]
        for index in 0..<count {
            let (ext, codec) = kinds[index % kinds.count]
            let file = "\(root)/tone \(index + 1).\(ext)"
            try await tool(
                [
                    "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i",
                    "sine=f=\(220 + 20 * index):d=\(seconds):r=44100", "-f", "lavfi", "-i",
                    "anoisesrc=d=\(seconds):c=pink:r=44100:a=0.1:seed=\(index)", "-filter_complex",
                    "[0:a][1:a]amix=inputs=2,aformat=channel_layouts=stereo",
                ] + codec + [file],
                in: folder)
            files.append(file)
        }
        return files
    }

    /// What scripts/music.sh fetched, or what lies where AUDIO_INGEST_MUSIC says.
    static let music: [String] = {
        let root =
            ProcessInfo.processInfo.environment["AUDIO_INGEST_MUSIC"]
            ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent(".build-music/usr/share/games/hedgewars/Data/Music").path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.filter { $0.hasSuffix(".ogg") }.sorted().map { "\(root)/\($0)" }
    }()
}

/// The result tree without what is a time: two runs must agree on the rest to the byte.
func stable(_ folder: Folder, _ name: String) throws -> [String: String] {
    var tree = folder.tree(name).filter { !$0.key.hasSuffix("/timings.json") }
    for (file, _) in tree where file.hasSuffix("/result.json") || file.hasSuffix("/manifest.json") {
        let bytes = FileManager.default.contents(atPath: "\(folder.path)/\(name)/\(file)") ?? Data()
        guard var object = try JSONSerialization.jsonObject(with: bytes) as? [String: Any] else {
            continue
        }
        object["timings"] = nil
        if let files = object["files"] as? [[String: Any]] {
            object["files"] = files.filter { $0["name"] as? String != "result.json" }
        }
        tree[file] = String(
            decoding: try JSONSerialization.data(withJSONObject: object, options: .sortedKeys),
            as: UTF8.self)
    }
    return tree
}

/// Processes of ffmpeg, zombies among them, whose command line or parent is of ours.
func strayTools(below parents: Set<Int32>, temp: String) -> [String] {
    var found: [String] = []
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    for name in names where Int32(name) != nil {
        let line =
            (FileManager.default.contents(atPath: "/proc/\(name)/cmdline")).map {
                String(decoding: $0, as: UTF8.self)
            } ?? ""
        let status =
            (FileManager.default.contents(atPath: "/proc/\(name)/stat")).map {
                String(decoding: $0, as: UTF8.self)
            } ?? ""
        let rest = status.split(separator: ")").last?.split(separator: " ") ?? []
        let parent = rest.count > 1 ? Int32(rest[1]) ?? 0 : 0
        if line.contains(temp) || parents.contains(parent) { found.append("\(name) \(status)") }
    }
    return found
}
