// SPDX-License-Identifier: Apache-2.0
import Logging
import Subprocess
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// ffmpeg on files that we did not make: probed, decoded, fingerprinted, transcoded, behind four walls.
///
/// 1. What a file is, its first bytes say (``MediaKind``); that demuxer is forced, no other is let in.
/// 2. Whitelists: the protocol `file`, that one format, a list of audio codecs.
/// 3. Limits: memory, processor time, files, wall clock, progress (``Limits``, ``Patience``).
/// 4. Namespaces without network, no privileges, death with the parent (``Cage``).
///
/// What the file is named or says of itself never stands in an argument. Nothing is kept between calls;
/// a call that failed or was cancelled leaves no process, and no file but in the folder given to it.
public struct FFmpeg: Sendable {
    package let options: FFmpegOptions
    package let ffmpeg: FilePath
    package let ffprobe: FilePath
    package let launcher: Launcher

    /// The first line that ffmpeg says of itself.
    public let version: String

    /// What stands between ffmpeg and the machine, for the log.
    public var isolation: String { launcher.cage.description }

    /// Finds the tools, and tries once how well they can be shut in here; the log says so.
    ///
    /// - Throws: ``MediaFailure/config(_:)`` where ffmpeg, ffprobe or util-linux is missing.
    public init(_ options: FFmpegOptions = .init()) async throws(MediaFailure) {
        self.options = options
        ffmpeg = try Self.find(options.ffmpeg, "ffmpeg")
        ffprobe = try Self.find(options.ffprobe, "ffprobe")
        let programs = Cage.Programs(
            setpriv: try Self.find(nil, "setpriv"), prlimit: try Self.find(nil, "prlimit"),
            unshare: try? Self.find(nil, "unshare"))
        (launcher, version) = try await Self.settle(programs, ffmpeg, options)
        options.logger.info(
            "ffmpeg is shut in", metadata: ["version": "\(version)", "by": "\(isolation)"])
        if launcher.cage.walls == .none {
            options.logger.warning(
                "ffmpeg has no network namespace here: its whitelists alone keep it from connecting")
        }
    }

    /// The strongest cage in which ffmpeg still tells its version.
    private static func settle(
        _ programs: Cage.Programs, _ ffmpeg: FilePath, _ options: FFmpegOptions
    ) async throws(MediaFailure) -> (Launcher, String) {
        let limits = Limits(options, time: options.probeTime, duration: 0, share: 0)
        var last = MediaFailure.config(MediaFault("ffmpeg was not started"))
        for walls in Cage.Walls.allCases where walls == .none || programs.unshare != nil {
            for privileges in Cage.Privileges.allCases {
                let launcher = Launcher(
                    Cage(programs: programs, walls: walls, privileges: privileges))
                let command = Launcher.Command(ffmpeg, ["-version"], limits: limits)
                do {
                    let said = try await launcher.text(command, limit: 1 << 16)
                    return (launcher, String(said.prefix { $0 != "\n" }.prefix(200)))
                } catch {
                    // A cage that this host can not build says so as `config`; a weaker one may do.
                    guard case .config = error else { throw error }
                    last = error
                }
            }
        }
        throw .config(
            MediaFault(
                "\(ffmpeg) does not run within its limits: \(last.fault.reason)",
                exitCode: last.fault.exitCode, errorText: last.fault.errorText))
    }

    private static func find(
        _ given: FilePath?, _ name: String
    ) throws(MediaFailure) -> FilePath {
        if let given {
            guard given.isAbsolute, access(given.string, X_OK) == 0 else {
                throw .config(
                    MediaFault("\(given) is not a program that can be run; name it by its full path"))
            }
            return given
        }
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in path.split(separator: ":") where folder.hasPrefix("/") {
            let candidate = FilePath(String(folder)).appending(name)
            if access(candidate.string, X_OK) == 0 { return candidate }
        }
        throw .config(
            MediaFault(
                "there is no \(name) in PATH; install \(["ffmpeg", "ffprobe"].contains(name) ? "ffmpeg" : "util-linux")"
            ))
    }
}

extension Launcher {
    /// Runs it and gathers what it says, at most `limit` bytes.
    package nonisolated(nonsending) func text(_ command: Command, limit: Int) async throws(MediaFailure) -> String {
        var said: [UInt8] = []
        let watch = Watch(command.limits)
        let name = command.tool.lastComponent?.string ?? "tool"
        do {
            let end = try await run(command, watch: watch) { chunk in
                guard said.count + chunk.count <= limit else {
                    throw MediaFailure.limit(MediaFault("\(name) said more than \(limit) bytes"))
                }
                chunk.withUnsafeBytes { said.append(contentsOf: $0) }
            }
            if let failure = end.failure(of: name) { throw failure }
            return String(decoding: said, as: UTF8.self)
        } catch let failure as MediaFailure {
            throw failure
        } catch {
            throw .retry(MediaFault("\(name) was not run to its end: \(error)"))
        }
    }
}
