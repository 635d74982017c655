// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

/// scripts/setup.sh on machines that lack something, made of a folder of programs that only say their
/// name.
@Suite struct `Setting up` {
    @Test(arguments: [true, false])
    func `without root the one command is printed and nothing is done`(_ hasSudo: Bool) async throws
    {
        let all = ["swift", "apt-get", "sha256sum", "openssl"]
        let outcome = try await setUp(having: all + (hasSudo ? ["sudo"] : []), user: 1000)
        #expect(outcome.end == .exit(1))
        let commands = outcome.talk.split(separator: "\n").filter { $0.hasPrefix("    ") }
        #expect(commands.count == 1, "\(outcome)")
        let command = try #require(commands.first)
        #expect(command.hasPrefix(hasSudo ? "    sudo sh -c '" : "    su -c '"), "\(command)")
        #expect(command.contains("apt-get update && apt-get install"), "\(command)")
        #expect(command.contains(" redis-server"), "\(command)")
        #expect(!outcome.talk.contains("called"), "\(outcome)")
    }

    @Test func `without Swift it says where Swift is`() async throws {
        let outcome = try await setUp(having: ["apt-get"], user: 1000)
        #expect(outcome.end == .exit(1))
        #expect(outcome.talk.contains("https://www.swift.org/install"), "\(outcome)")
    }

    private func setUp(
        having programs: [String], user: Int
    ) async throws -> (end: ChildProcess.End, talk: String) {
        try await withPlace { place in
            let script = #"#!/bin/sh\#necho "called $(/usr/bin/basename "$0") $*""#
            for name in programs { try Self.write(script, to: place.file(name)) }
            try Self.write("#!/bin/sh\necho \(user)", to: place.file("id"))
            let talk = place.file("talk")
            let end = try await ChildProcess(
                "/bin/sh",
                [
                    "-c", #"exec /bin/sh "$0" >"$1" 2>&1"#,
                    package.appendingPathComponent("scripts/setup.sh").path, talk.path,
                ], environment: ["PATH": place.folder.path], input: 0, output: 1, errors: 2
            ).end()
            return (end, try String(contentsOf: talk, encoding: .utf8))
        }
    }

    private static func write(_ text: String, to file: URL) throws {
        try Data(text.utf8).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
    }
}
