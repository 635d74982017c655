// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Crypto
import Foundation
import Subprocess
public import SystemPackage

extension FFmpeg {
    /// Makes all files of a plan from one decode, in a folder `renditions` within `folder`.
    ///
    /// - Returns: what was made, in the order in which it is to be stored: segments before playlists.
    /// - Progress: the fraction of the sound that is written, told only while it grows.
    /// - Throws: `CancellationError`; ``MediaFailure``. Then `renditions` is gone and no process is left.
    /// - Repeated: makes the same bytes, with the same ffmpeg.
    /// - Crash halfway: leaves `renditions` half full; the next call empties it first.
    public nonisolated(nonsending) func transcode(
        _ file: FilePath, _ info: MediaInfo, to plan: TranscodePlan, in folder: FilePath,
        progress: (@Sendable (Double) async -> Void)? = nil
    ) async throws -> [MadeFile] {
        let input = try InputFile(file)
        let script = TranscodeScript(plan, for: info)
        guard !script.branches.isEmpty else { return [] }
        let room = folder.appending("renditions")
        do {
            try? FileManager.default.removeItem(atPath: room.string)
            try FileManager.default.createDirectory(
                atPath: room.appending("hls").string, withIntermediateDirectories: true)
            try await run(script, input, info, in: room, progress)
            return try await gather(script, in: room)
        } catch {
            try? FileManager.default.removeItem(atPath: room.string)
            throw error
        }
    }

    private nonisolated(nonsending) func run(
        _ script: TranscodeScript, _ input: InputFile, _ info: MediaInfo, in room: FilePath,
        _ progress: (@Sendable (Double) async -> Void)?
    ) async throws {
        let limits = Limits(
            options, time: options.time, duration: info.duration,
            share: 0.1 + 0.25 * Double(script.branches.count), fileBytes: options.maxFileBytes)
        let command = Launcher.Command(
            ffmpeg, script.arguments(input, options), in: room, limits: limits)
        let watch = Watch(limits)
        var reader = ProgressReader()
        var steps = ProgressSteps(whole: info.duration.map { $0 * 1e6 })
        let longest = Int64(options.maxDuration.seconds * 1e6)
        let end = try await launcher.run(command, watch: watch) { chunk in
            guard reader.add(chunk.bytes) else { return }
            watch.advance()
            guard reader.written <= longest else {
                throw MediaFailure.limit(
                    MediaFault("it is longer than \(options.maxDuration), whatever it says"))
            }
            if let progress, let fraction = steps.reach(Double(reader.written), at: .now) {
                await progress(fraction)
            }
        }
        if let failure = end.failure(of: "ffmpeg") { throw failure }
    }

    /// What lies there now, measured and hashed. Whatever is missing or empty fails the whole.
    private nonisolated(nonsending) func gather(
        _ script: TranscodeScript, in room: FilePath
    ) async throws -> [MadeFile] {
        var found: [(name: String, order: Int)] = script.files.map { ($0, 0) }
        if !script.variants.isEmpty {
            let names = try FileManager.default.contentsOfDirectory(
                atPath: room.appending("hls").string
            ).sorted()
            for variant in script.variants {
                let segments = names.filter {
                    $0.hasPrefix("seg_\(variant)_") && $0.hasSuffix(".m4s")
                }
                guard !segments.isEmpty else {
                    throw MediaFailure.invalid(MediaFault("there is no sound in it to cut up"))
                }
                found += (["init_\(variant).mp4"] + segments).map { ("hls/\($0)", 0) }
                found.append(("hls/pl_\(variant).m3u8", 1))
            }
            found.append(("hls/master.m3u8", 2))
        }
        var made: [MadeFile] = []
        for (name, order) in found.sorted(by: { ($0.order, $0.name) < ($1.order, $1.name) }) {
            let path = room.appending(name)
            let (size, hash) = try await Self.measure(path)
            guard size > 0 else {
                throw MediaFailure.invalid(MediaFault("the rendition \(name) came out empty"))
            }
            made.append(
                MadeFile(
                    name: name, path: path.string, contentType: Self.contentType(name), size: size,
                    sha256: hash, order: order))
        }
        return made
    }

    private nonisolated(nonsending) static func measure(
        _ path: FilePath
    ) async throws -> (UInt64, String) {
        let descriptor: FileDescriptor
        do {
            descriptor = try FileDescriptor.open(
                path, .readOnly, options: [.noFollow, .closeOnExec])
        } catch {
            throw MediaFailure.retry(
                MediaFault("ffmpeg ended well but did not make \(path.lastComponent?.string ?? "it")"))
        }
        defer { try? descriptor.close() }
        var hash = SHA256()
        var size: UInt64 = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try descriptor.read(into: buffer)
            if count == 0 { break }
            hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            size += UInt64(count)
            // A large file shall not keep a thread of the pool.
            await Task.yield()
        }
        let digits = hash.finalize().map { String(format: "%02x", $0) }.joined()
        return (size, digits)
    }

    private static func contentType(_ name: String) -> String {
        switch name.split(separator: ".").last ?? "" {
        case "m3u8": "application/vnd.apple.mpegurl"
        case "ogg": "audio/ogg"
        case "mp3": "audio/mpeg"
        case "flac": "audio/flac"
        default: "audio/mp4"
        }
    }
}
