// SPDX-License-Identifier: Apache-2.0
import FFmpeg
import Foundation
import SystemPackage
import Testing

@Suite struct `Death of the parent` {
    private static let role = "GODWIT_FFMPEG_TEST_CHILD"

    /// Run in a process of its own by the test below: decodes with a tool that never ends.
    @Test func `part of the child`() async throws {
        guard let text = ProcessInfo.processInfo.environment[Self.role] else { return }
        let part = text.split(separator: "|").map(String.init)
        let folder = FilePath(part[0])
        let ffmpeg = try await fake(
            "exec sleep \(part[2])", in: folder, walls: Cage.Walls(rawValue: part[1]))
        let (file, info) = try sample(in: folder)
        _ = try await ffmpeg.decode(file, info) { _ in }
    }

    @Test(arguments: [Cage.Walls.namespaces, .none])
    func `no tool outlives a parent that is killed`(_ walls: Cage.Walls) async throws {
        let token = walls == .none ? "9345.25" : "9345.75"
        try await withFolder { folder in
            let here = try await makeFFmpeg()
            let walls = walls == .none ? walls : here.launcher.cage.walls
            let child = Process()
            child.executableURL = URL(
                fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/self/exe"))
            child.arguments = [
                "--testing-library", "swift-testing", "--filter", "part of the child",
            ]
            child.environment = ProcessInfo.processInfo.environment.merging(
                [Self.role: "\(folder)|\(walls.rawValue)|\(token)"]
            ) { $1 }
            child.standardOutput = FileHandle.nullDevice
            child.standardError = FileHandle.nullDevice
            try child.run()
            let end = ContinuousClock.now + .seconds(60)
            // The sleeper itself, not the script's text.
            while try Processes.naming("sleep\0\(token)").isEmpty, child.isRunning,
                ContinuousClock.now < end
            { try await Task.sleep(for: .milliseconds(20)) }
            #expect(try !Processes.naming("sleep\0\(token)").isEmpty)
            kill(child.processIdentifier, SIGKILL)
            child.waitUntilExit()
            let who = token
            let gone = try await Processes.areGone(naming: who)
            #expect(gone)
            for pid in try Processes.naming("sleep\0\(token)") { kill(pid, SIGKILL) }
        }
    }
}
