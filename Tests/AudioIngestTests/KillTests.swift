// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

/// Several processes on one broker, one of which is killed at a moment of its own choosing.
@Suite(.serialized) struct KillTests {
    /// Of real music; AUDIO_INGEST_TRACKS takes more of them.
    static let pieces =
        ProcessInfo.processInfo.environment["AUDIO_INGEST_TRACKS"]
        .flatMap(Int.init) ?? 20

    /// After which of its lines the first process is killed.
    @Test(arguments: [1, 5, 14])
    func `Killed on SQLite, every track is complete once and to the byte the same`(_ line: Int)
        async throws
    {
        try await withFolder { folder in
            try await story(folder, broker: "sqlite:\(folder.path)/queue.db", killAfter: line)
        }
    }

    @Test func `Killed on Redis, every track is complete once and to the byte the same`()
        async throws
    {
        let url = try await SharedRedis.freshURL()
        try await withFolder { folder in
            try await story(folder, broker: url, killAfter: 6)
        }
    }

    /// With every profile that is made unless somebody says otherwise; 20 s of each piece.
    @Test func `Real music is complete once though a worker is killed in the middle`() async throws
    {
        try await withFolder { folder in
            // Two lines for a track in each of three stages: half of them is amid the transcodes.
            try await story(
                folder, broker: "sqlite:\(folder.path)/queue.db", killAfter: Self.pieces * 3,
                tracks: Self.pieces, seconds: 20, music: true, profiles: "hls,opus,preview")
        }
    }

    private func story(
        _ folder: Folder, broker: String, killAfter line: Int, tracks: Int = 8,
        seconds: Double = 4, music: Bool = false, profiles: String = "opus,preview"
    ) async throws {
        _ = try await Corpus.make(tracks, seconds: seconds, music: music, in: folder, at: "in")
        let common = [
            "--source", "in", "--quiet", "--once", "--events", "--set", "lease.seconds=2", "--set",
            "transcode.profiles=\(profiles)",
        ]
        // The reference: one process, nobody killed.
        let whole = try await Command.run(
            ["watch", "--out", "whole", "--broker", "sqlite:\(folder.path)/whole.db"] + common,
            in: folder)
        #expect(whole.status == 0, "\(whole)")

        let arguments = ["watch", "--out", "out", "--broker", broker] + common
        let victim = folder.new("victim")
        let first = try Command.start(
            arguments, in: folder, out: victim, err: folder.new("err"))
        await lines(line, in: victim, of: first)
        async let second = Command.run(arguments, in: folder)
        async let third = Command.run(arguments, in: folder)
        await first.kill()
        let ends = try await [second, third]
        for end in ends { #expect(end.status == 0, "\(end)") }

        let (out, reference) = (try stable(folder, "out"), try stable(folder, "whole"))
        #expect(reference.keys.filter { $0.hasSuffix("/result.json") }.count == tracks)
        #expect(Set(out.keys) == Set(reference.keys))
        let others = reference.filter { out[$0.key] != $0.value }.keys.sorted()
        #expect(others.isEmpty)
        #expect(folder.tree("temp").keys.filter { $0 != ".lock" }.isEmpty)
        #expect(strayTools(below: [first.pid], temp: folder.path).isEmpty)
    }

    /// Returns when a process has said so many lines, or is gone.
    private func lines(_ count: Int, in file: String, of process: ChildProcess) async {
        while true {
            let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            if text.split(separator: "\n").count >= count { return }
            if kill(process.pid, 0) != 0 { return }
            await Task.yield()
            try? await Task.sleep(for: .milliseconds(5))
        }
    }
}
