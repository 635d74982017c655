// SPDX-License-Identifier: Apache-2.0
import FFmpeg
import Foundation
import SystemPackage
import Testing

/// Measures; asserts nothing but what does not depend on the machine. Run with GODWIT_BENCH=1.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["GODWIT_BENCH"] != nil))
struct `Speed` {
    @Test func `three minutes of FLAC through the pipe`() async throws {
        try await withFolder { folder in
            try await plain(
                "-f", "lavfi", "-i", "anoisesrc=d=180:r=44100:a=0.1:c=pink", "-ac", "2", "x.flac",
                in: folder)
            let ffmpeg = try await makeFFmpeg()
            let file = folder.appending("x.flac")
            let info = try await ffmpeg.probe(file)
            var best = Double.infinity
            for _ in 0..<5 {
                let time = try await ContinuousClock().measure {
                    _ = try await ffmpeg.decode(file, info) { _ in }
                }
                best = min(best, time.seconds)
            }
            print("decode: \(best) s, \(180 / best) times real time")
        }
    }

    @Test func `ten hours keep no more memory than ten minutes`() async throws {
        try await withFolder { folder in
            let ffmpeg = try await makeFFmpeg()
            for hours in [0.2, 10] {
                try await plain(
                    "-f", "lavfi", "-i", "sine=r=44100", "-t", "\(hours * 3600)", "-ac", "2",
                    "-c:a", "flac", "-compression_level", "0",
                    "x.flac", in: folder)
                let file = folder.appending("x.flac")
                let info = try await ffmpeg.probe(file)
                let clock = ContinuousClock()
                let began = clock.now
                let report = try await ffmpeg.decode(file, info) { _ in }
                let status = String(
                    decoding: FileManager.default.contents(atPath: "/proc/self/status") ?? Data(),
                    as: UTF8.self)
                let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM") } ?? ""
                #expect(report.frames == Int(hours * 3600) * 44_100)
                let seconds = (clock.now - began).seconds
                print(
                    "\(hours) h: \(seconds) s, \(hours * 3600 / seconds) times real time, \(peak)")
            }
        }
    }
}
