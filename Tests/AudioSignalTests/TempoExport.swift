// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

/// Writes our side of the tables and what the octave decision learns from; runs only when asked to.
///
/// `TEMPO_OUT` is a folder. With `TEMPO_CLIPS=seed:count` the synthesised clips of that seed are
/// written there as 16-bit WAV and measured; with `TEMPO_LIST` a `truth.tsv` of other mono or stereo
/// 16-bit WAVs (path, tab, BPM a line) is measured. Either way a line of JSON for each clip goes to
/// `TEMPO_OUT/clips.jsonl` (path, truth, bpm, confidence, seconds of sound per second of processor
/// time, and the metrical levels with their features).
@Suite(
    .enabled(
        if: ProcessInfo.processInfo.environment["TEMPO_OUT"] != nil,
        "set TEMPO_OUT to export clips for tempo_table.py"))
struct `Tempo export` {
    private let environment = ProcessInfo.processInfo.environment

    @Test func `writes clips and what we hear in them`() throws {
        let folder = URL(fileURLWithPath: try #require(environment["TEMPO_OUT"]))
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var lines = ""
        if let clips = environment["TEMPO_CLIPS"]?.split(separator: ":").compactMap({ UInt64($0) }),
            clips.count == 2
        {
            for number in 0..<Int(clips[1]) {
                let clip = TempoClip(number, seed: clips[0])
                let file = folder.appendingPathComponent("\(clips[0])-\(number)-\(clip.style).wav")
                let sound = clip.render().map { Int16(($0 * 32_767).rounded()) }
                try wav(sound).write(to: file)
                let heard = sound.map { Float($0) / 32_768 }
                lines += line(file.path, clip.bpm, heard, channels: 1, rate: TempoClip.sampleRate)
            }
        } else {
            let list = try String(
                contentsOfFile: try #require(environment["TEMPO_LIST"]), encoding: .utf8)
            for row in list.split(separator: "\n") {
                let cells = row.split(separator: "\t").map(String.init)
                let truth = try #require(Double(cells[1]))
                let (sound, channels, rate) = try read(cells[0])
                lines += line(cells[0], truth, sound, channels: channels, rate: rate)
            }
        }
        try lines.write(
            to: folder.appendingPathComponent("clips.jsonl"), atomically: true, encoding: .utf8)
    }

    private struct Line: Encodable {
        struct Level: Encodable {
            var bpm: Double
            var features: [Double]
        }
        var path: String
        var truth: Double
        var bpm: Double?
        var confidence: Double?
        var speed: Double
        var levels: [Level]
    }

    private func line(
        _ path: String, _ truth: Double, _ sound: [Float], channels: Int, rate: Int
    ) -> String {
        let began = clock()
        var estimator = TempoEstimator(format: AudioFormat(sampleRate: rate, channels: channels))
        estimator.add(sound.span)
        let tempo = estimator.finish()
        let took = Double(clock() - began) / Double(CLOCKS_PER_SEC)
        let line = Line(
            path: path, truth: truth, bpm: tempo?.bpm, confidence: tempo?.confidence,
            speed: Double(sound.count / channels) / Double(rate) / max(took, 1e-6),
            levels: (estimator.reading?.described ?? []).map {
                Line.Level(bpm: $0.bpm, features: $0.features)
            })
        let text = (try? JSONEncoder().encode(line)).map { String(decoding: $0, as: UTF8.self) }
        return (text ?? "") + "\n"
    }

    private func wav(_ samples: [Int16]) -> Data {
        func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
            withUnsafeBytes(of: value.littleEndian) { Array($0) }
        }
        let (rate, size) = (UInt32(TempoClip.sampleRate), UInt32(samples.count * 2))
        var data = Data("RIFF".utf8 + bytes(36 + size) + Array("WAVEfmt ".utf8) + bytes(UInt32(16)))
        data += bytes(UInt16(1)) + bytes(UInt16(1)) + bytes(rate) + bytes(2 * rate)
        data += bytes(UInt16(2)) + bytes(UInt16(16)) + Array("data".utf8) + bytes(size)
        for sample in samples { data += bytes(sample) }
        return data
    }

    /// A canonical 16-bit WAV, as sox and soundfile write it.
    private func read(_ path: String) throws -> ([Float], channels: Int, rate: Int) {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        func number(_ at: Int, _ count: Int) -> Int {
            (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
        }
        var (at, channels, rate) = (12, 1, 44_100)
        while at + 8 <= bytes.count {
            let (name, size) = (bytes[at..<at + 4], number(at + 4, 4))
            if name.elementsEqual("fmt ".utf8) {
                (channels, rate) = (number(at + 10, 2), number(at + 12, 4))
                try #require(number(at + 22, 2) == 16, "\(path) is not 16-bit PCM")
            }
            if name.elementsEqual("data".utf8) {
                let frames = min(size, bytes.count - at - 8) / (2 * channels)
                let samples = (0..<frames * channels).map { index in
                    Float(Int16(truncatingIfNeeded: number(at + 8 + 2 * index, 2))) / 32_768
                }
                return (samples, channels, rate)
            }
            at += 8 + size + size % 2
        }
        return ([], 1, rate)
    }
}
