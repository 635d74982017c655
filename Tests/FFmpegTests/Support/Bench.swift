// SPDX-License-Identifier: Apache-2.0
import FFmpeg
import Foundation
import Logging
import Subprocess
import SystemPackage

/// A folder of a test's own, gone at its end.
func withFolder<T>(_ body: (FilePath) async throws -> T) async throws -> T {
    let folder = FilePath(NSTemporaryDirectory()).appending("godwit-ffmpeg-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
        atPath: folder.string, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    return try await body(folder)
}

extension FilePath {
    func write(_ bytes: some Sequence<UInt8>) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: string))
    }

    func write(_ text: String) throws { try write(text.utf8) }

    var bytes: [UInt8] { get throws { [UInt8](try Data(contentsOf: URL(fileURLWithPath: string))) } }

    var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: string).sorted() }
    }

    /// A program of this text.
    func script(_ text: String) throws -> FilePath {
        try write("#!/bin/sh\n" + text)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: string)
        return self
    }
}

/// Runs the plain ffmpeg, without walls: makes the tests' files, on which alone it is let loose.
@discardableResult
func plain(_ arguments: String..., tool: String = "ffmpeg", in folder: FilePath) async throws -> String {
    try await plain(arguments, tool: tool, in: folder)
}

@discardableResult
func plain(
    _ arguments: [String], tool: String = "ffmpeg", in folder: FilePath, mayFail: Bool = false
) async throws -> String {
    let common = tool == "ffmpeg" ? ["-nostdin", "-hide_banner", "-v", "error", "-y"] : []
    let result = try await Subprocess.run(
        .name(tool), arguments: Arguments(common + arguments), workingDirectory: folder,
        output: .string(limit: 1 << 24), error: .string(limit: 1 << 20))
    guard result.terminationStatus.isSuccess || mayFail else {
        throw Broken(text: "\(tool) \(arguments): \(result.standardError)")
    }
    return result.standardOutput
}

struct Broken: Error { var text: String }

/// Options whose log goes nowhere.
func quietOptions() -> FFmpegOptions {
    FFmpegOptions(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
}

func makeFFmpeg(_ change: (inout FFmpegOptions) -> Void = { _ in }) async throws -> FFmpeg {
    var options = quietOptions()
    change(&options)
    return try await FFmpeg(options)
}

/// PCM in a WAV file, by hand (RIFF, WAVE_FORMAT_PCM or _IEEE_FLOAT).
func wave(rate: Int, channels: Int, bits: Int, isFloat: Bool = false, _ data: [UInt8]) -> [UInt8] {
    func le(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 0xFF) } }
    let frame = channels * bits / 8
    let format =
        le(isFloat ? 3 : 1, 2) + le(channels, 2) + le(rate, 4) + le(rate * frame & 0xFFFF_FFFF, 4)
        + le(frame & 0xFFFF, 2) + le(bits, 2)
    return Array("RIFF".utf8) + le(28 + format.count + data.count - 8 + 8, 4) + Array("WAVEfmt ".utf8)
        + le(format.count, 4) + format + Array("data".utf8) + le(data.count, 4) + data
}

/// Numbers that look like noise and are the same each time (the generator of glibc's `rand`).
struct Noise {
    var x: UInt32 = 0
    mutating func next() -> UInt32 {
        x = (1_103_515_245 &* x &+ 12345) & 0x7FFF_FFFF
        return x
    }
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(next() >> 15 & 0xFF) } }
}
