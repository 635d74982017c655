// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// The second computation, in Python: jobs go in, expected bytes come out.
struct WaveformOracle {
    struct Job: Encodable {
        var kind = "integer"
        var channels = 1
        var rate = 44_100
        var zoom = 256
        var split = false
        var bits = 16
        /// Nil stands for auto.
        var factor: Double? = 1
        var form = "dat"
        var coarser: Int?
        var skip = 0
        var bins = 8_000
        var fine = 1 << 19
        var samples = ""
        var out = ""

        func encode(to encoder: any Encoder) throws {
            var all = encoder.container(keyedBy: Key.self)
            for (name, value) in [
                ("kind", kind), ("form", form), ("samples", samples), ("out", out),
            ] {
                try all.encode(value, forKey: Key(name))
            }
            for (name, value) in [
                ("channels", channels), ("rate", rate), ("zoom", zoom), ("bits", bits),
                ("skip", skip), ("bins", bins), ("fine", fine),
            ] { try all.encode(value, forKey: Key(name)) }
            try all.encode(split, forKey: Key("split"))
            if let coarser { try all.encode(coarser, forKey: Key("coarser")) }
            if let factor {
                try all.encode(factor, forKey: Key("amplitude"))
            } else {
                try all.encode("auto", forKey: Key("amplitude"))
            }
        }

        struct Key: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init(_ name: String) { stringValue = name }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
    }

    static let script = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "scripts/waveform_oracle.py").path

    /// The tests that need it are skipped where there is no python3, and say so.
    static let isHere: Bool = (try? run(["-c", "import struct"])) == 0

    /// What each job must give, for its own samples.
    static func answers(_ jobs: [(Job, [Float])]) throws -> [[UInt8]] {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "waveform-oracle-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var placed: [Job] = []
        for (index, (job, samples)) in jobs.enumerated() {
            var job = job
            job.samples = folder.appending(path: "\(index).f32").path
            job.out = folder.appending(path: "\(index).out").path
            try samples.withUnsafeBytes { Data($0) }.write(to: URL(filePath: job.samples))
            placed.append(job)
        }
        let list = folder.appending(path: "jobs.json")
        try JSONEncoder().encode(placed).write(to: list)
        #expect(try run([script, list.path]) == 0)
        return try placed.map { Array(try Data(contentsOf: URL(filePath: $0.out))) }
    }

    static func run(_ arguments: [String]) throws -> Int32 {
        let python = Process()
        python.executableURL = URL(filePath: "/usr/bin/env")
        python.arguments = ["python3"] + arguments
        python.standardInput = FileHandle.nullDevice
        try python.run()
        python.waitUntilExit()
        return python.terminationStatus
    }
}
