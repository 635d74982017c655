// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite struct `Examples` {
    @Test func `the README's first program is hello, byte for byte`() throws {
        let readme = try String(
            contentsOf: package.appendingPathComponent("README.md"), encoding: .utf8)
        let parts = readme.components(separatedBy: "```swift\n")
        let shown = try #require(parts.dropFirst().first?.components(separatedBy: "```\n").first)
        let source = try String(
            contentsOf: package.appendingPathComponent("Examples/hello/hello.swift"),
            encoding: .utf8)
        #expect(shown == source)
    }

    @Test func `hello greets at a terminal and ends on SIGTERM`() async throws {
        try await withPlace { place in
            // Why a terminal: there, as for a reader of the README, each line appears when printed.
            let terminal = try Terminal()
            let hello = try Tool(name: "hello").start(
                [], in: place.folder, output: terminal.program)
            let text = await terminal.read(until: "Hello, godwit!")
            #expect(text.contains("Hello, godwit!"))
            hello.terminate()
            // It has no signal handling of its own.
            #expect(await hello.end() == .signal(SIGTERM))
            // The lease was settled or runs out; nothing is left over but that.
            #expect(FileManager.default.fileExists(atPath: place.file("jobs.db").path))
        }
    }

    @Test func `file-digest says what sha256sum says, for every file once, with a worker killed`()
        async throws
    {
        try await withPlace { place in
            let files = place.file("files")
            for index in 0..<400 {
                let folder = files.appendingPathComponent("d\(index % 7)")
                try FileManager.default.createDirectory(
                    at: folder, withIntermediateDirectories: true)
                let content = Data(
                    repeating: UInt8(ascii: index % 3 == 0 ? "\n" : "x"), count: index * 331)
                try content.write(to: folder.appendingPathComponent("file \(index)"))
            }
            // An odd name and a link, which is not followed.
            try Data("odd".utf8).write(to: files.appendingPathComponent("new\nline \"quoted\""))
            try FileManager.default.createSymbolicLink(
                atPath: files.appendingPathComponent("link").path,
                withDestinationPath: "/etc/passwd")
            let into = place.file("into")
            let outcome = try await Tool(name: "file-digest").run([
                "--dir", files.path, "--into", into.path, "--lease", "1",
                "--file", place.file("missing").path,
            ])
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.out.contains("SIGKILL"), "\(outcome.out)")
            #expect(outcome.out.contains("missing: No such file"))
            let digests = try Self.digests(into.appendingPathComponent("digests.jsonl"))
            #expect(digests.count == 401)
            #expect(Set(digests.map(\.path)).count == 401)
            #expect(
                Dictionary(uniqueKeysWithValues: digests.map { ($0.path, $0.sha256) })
                    == (try await Self.sums(of: files)))
            for digest in digests {
                let data = try Data(contentsOf: URL(fileURLWithPath: digest.path))
                #expect(digest.bytes == data.count)
                #expect(digest.lines == data.count { $0 == UInt8(ascii: "\n") })
            }
            // files, done, retried, dead, lost: the table's own sum.
            let table = try #require(
                outcome.out.split(separator: "\n").drop { !$0.contains("retried") }.dropFirst()
                    .first)
            let cells = table.split(separator: " ")
            #expect(
                cells[0] == "402" && cells[1] == "401" && cells[3] == "1" && cells[4] == "0",
                "\(table)")
        }
    }

    struct Digest: Decodable {
        let path: String
        let bytes: Int
        let lines: Int
        let sha256: String
    }

    static func digests(_ file: URL) throws -> [Digest] {
        try Data(contentsOf: file).split(separator: UInt8(ascii: "\n")).map {
            try JSONDecoder().decode(Digest.self, from: $0)
        }
    }

    /// What the system's own program says, with a zero byte behind each name.
    static func sums(of folder: URL) async throws -> [String: String] {
        let out = folder.deletingLastPathComponent().appendingPathComponent("sums")
        let script = "find \"$0\" -type f -exec sha256sum -z {} + >\"$1\""
        let end = try await ChildProcess(
            "/bin/sh", ["-c", script, folder.path, out.path], input: 0, output: 1, errors: 2
        ).end()
        #expect(end == .exit(0))
        let data = try Data(contentsOf: out)
        var sums: [String: String] = [:]
        for line in data.split(separator: 0) {
            let text = String(decoding: line, as: UTF8.self)
            sums[String(text.dropFirst(66))] = String(text.prefix(64))
        }
        return sums
    }
}

/// Both ends of a pseudo-terminal.
final class Terminal: Sendable {
    let program: Int32
    private let reader: FileHandle

    init() throws {
        var ends: (Int32, Int32) = (-1, -1)
        try #require(openpty(&ends.0, &ends.1, nil, nil, nil) == 0)
        reader = FileHandle(fileDescriptor: ends.0, closeOnDealloc: true)
        program = ends.1
        for end in [ends.0, ends.1] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }

    deinit {
        close(program)
    }

    /// Everything up to a word, or to the end.
    func read(until word: String) async -> String {
        await withCheckedContinuation { done in
            Thread.detachNewThread { [reader] in
                var data = Data()
                while !String(decoding: data, as: UTF8.self).contains(word) {
                    let more = reader.availableData
                    if more.isEmpty { break }
                    data += more
                }
                done.resume(returning: String(decoding: data, as: UTF8.self))
            }
        }
    }
}
