// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import GodwitIngest
import SystemPackage

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take some files in, now, and end.",
        discussion: """
            Needs no service: the queue is in memory unless --broker names one. Results lie under the hash of \
            the input, so a second run finds them and does nothing; a run that was killed goes on where it was. \
            Prints a line for each file. Exit code 1: some file could not be taken in.
            """)

    @Argument(help: "Audio files.", completion: .file()) var files: [String]
    @Option(help: "Where results go: a directory or s3://bucket/prefix.") var out: String?
    @Option(help: "Where the queue is: memory, sqlite:FILE or redis://….") var broker: String?
    @OptionGroup var options: SettingsOptions
    @Flag(name: .shortAndLong, help: "Say nothing while it works.") var quiet = false
    @Flag(help: "Print what each stage took: seconds, CPU seconds.") var stats = false

    func run() async throws {
        let settings = try await options.read([("out", out), ("broker", broker)], needs: ["out"])
        var stores: [String: FileStore] = [:]
        var tracks: [(name: String, track: Track)] = []
        var failed = 0
        for file in files {
            do {
                let (store, key) = try Self.place(of: file)
                stores[store.root.string] = store
                guard let info = try await store.head(key) else {
                    throw StoreError.gone("it is not there")
                }
                tracks.append(
                    (
                        file,
                        Track(
                            bucket: store.root.string, key: key, etag: info.etag, size: info.size)
                    ))
            } catch {
                failed += 1
                tell("\(shown(file))  failed  \(error)")
            }
        }
        let begin = ContinuousClock.now
        let reporter = Reporter(isQuiet: quiet)
        var seconds = 0.0
        if !tracks.isEmpty {
            let stores = stores
            try await Setup.with(
                settings, broker: settings.broker.isEmpty ? "memory" : settings.broker,
                inputs: { stores[$0] }
            ) { setup in
                let pipeline = Pipeline.audio(on: setup.broker, with: setup.shop, settings)
                    .observing { reporter.note($0) }
                for (_, track) in tracks { try await pipeline.enqueue(track) }
                var usage = Usage.now
                try await pipeline.service().runUntilDrained { stage in
                    let now = Usage.now
                    if stats { say("stage \(stage): \(now - usage)") }
                    usage = now
                }
                for (file, track) in tracks {
                    if let document = try await pipeline.result(of: track) {
                        seconds += document.document.media?.duration ?? 0
                        tell("\(shown(file))  \(document.document.summary)  \(document.key)")
                    } else {
                        failed += 1
                        let reason = reporter.failure(of: track) ?? "it was not finished"
                        tell("\(shown(file))  failed  \(reason)")
                    }
                }
            }
        }
        let took = ContinuousClock.now - begin
        let wall = Double(took.components.seconds) + Double(took.components.attoseconds) * 1e-18
        tell(
            String(
                format: "%d of %d tracks, %.0f s of sound in %.1f s (%.0f × real time)",
                files.count - failed, files.count, seconds, wall, seconds / max(wall, 0.001)))
        if failed > 0 { throw ExitCode(1) }
    }

    /// The folder that holds a file, with links followed, and its name there.
    static func place(of file: String) throws -> (FileStore, String) {
        guard !file.isEmpty else { throw ValidationError("a file's name is empty.") }
        guard let real = realpath(file, nil) else {
            throw StoreError.gone(String(cString: strerror(errno)))
        }
        defer { free(real) }
        let path = FilePath(platformString: real)
        guard let name = path.lastComponent, String(validating: path) != nil else {
            throw StoreError.invalid("its name is not UTF-8: rename it")
        }
        return (FileStore(path.removingLastComponent()), name.string)
    }
}

/// What this process and its children took so far.
struct Usage {
    var wall: ContinuousClock.Instant
    var own: Double
    var children: Double

    static var now: Usage {
        // Linux's numbers: 0 is this process (RUSAGE_SELF), -1 its children that ended.
        func seconds(_ who: Int32) -> Double {
            var usage = rusage()
            getrusage(who, &usage)
            return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
                + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        }
        return Usage(wall: .now, own: seconds(0), children: seconds(-1))
    }

    static func - (left: Usage, right: Usage) -> String {
        let wall = (left.wall - right.wall).components
        return String(
            format: "%.2f s, CPU %.2f s in ffmpeg and %.2f s in Swift",
            Double(wall.seconds) + Double(wall.attoseconds) * 1e-18,
            left.children - right.children, left.own - right.own)
    }
}
