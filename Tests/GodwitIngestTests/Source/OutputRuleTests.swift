// SPDX-License-Identifier: Apache-2.0
import Foundation
import GodwitIngest
import SystemPackage
import Testing

@Suite struct `What is a result and what is an input` {
    private func withFolder(_ body: (FilePath) async throws -> Void) async throws {
        let root = FilePath(
            FileManager.default.temporaryDirectory.appendingPathComponent(
                "rules-\(UUID().uuidString)"
            ).path)
        try FileManager.default.createDirectory(
            atPath: root.string, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: root.string) }
        try await body(root)
    }

    @Test func `results never go to the source itself, however it is written`() async throws {
        try await withFolder { root in
            let source = root.appending("in")
            try FileManager.default.createDirectory(
                atPath: source.string, withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: root.appending("link").string, withDestinationPath: source.string)
            for out in ["in", "in/", "./in", "in/../in", "link"] {
                #expect(throws: TaskFailure.self, "\(out)") {
                    _ = try IntakeRules.Output.folder(
                        FilePath(root.string + "/" + out), in: source, named: "home")
                }
            }
            let inside = try IntakeRules.Output.folder(
                root.appending("link").appending("results"), in: source, named: "home")
            #expect(inside == IntakeRules.Output(bucket: "home", prefix: "results/"))
            let outside = try IntakeRules.Output.folder(
                root.appending("in-results"), in: source, named: "home")
            #expect(outside == nil)
        }
    }

    @Test func `a prefix is a folder, and must not cover the source`() throws {
        let output = try IntakeRules.Output.bucket("b", prefix: "res", source: "")
        let rules = IntakeRules(outputs: [output])
        #expect(!rules.takes("res/x/result.json", in: "b"))
        #expect(rules.takes("res-2025/x.wav", in: "b"))
        #expect(rules.takes("res/x.wav", in: "other"))
        #expect(!rules.takes("folder/", in: "b"))
        for (prefix, source) in [("", ""), ("", "in"), ("in", "in/"), ("a", "a/b")] {
            #expect(throws: TaskFailure.self, "\(prefix) \(source)") {
                _ = try IntakeRules.Output.bucket("b", prefix: prefix, source: source)
            }
        }
    }

    @Test func `a listing goes by bytes, and a file that can't be opened does not end it`()
        async throws
    {
        try await withFolder { root in
            let names = ["e\u{301}.wav", "z.wav", "\u{e9}.wav"]
            for name in names + ["secret.wav"] {
                #expect(
                    FileManager.default.createFile(
                        atPath: root.string + "/" + name, contents: Data("x".utf8)))
            }
            // Root may read it; then it is listed, which is right too.
            #expect(chmod(root.string + "/secret.wav", 0) == 0)
            let store = FileStore(root)
            var found: [[UInt8]] = []
            var after: String?
            while let one = try await store.list("", after: after, limit: 1).first {
                if one.key != "secret.wav" { found.append(Array(one.key.utf8)) }
                after = one.key
            }
            #expect(found == names.map { Array($0.utf8) })
        }
    }

    @Test func `a queue's buckets must be named`() async throws {
        let flags = [(key: "source", value: "sqs://q"), (key: "out", value: "out")]
        await #expect(throws: SettingsError.self) {
            _ = try await Settings.read(file: nil, flags: flags, environment: [:])
        }
        let settings = try await Settings.read(
            file: nil, flags: flags + [(key: "input.buckets", value: "a, b")], environment: [:])
        #expect(settings.inputBuckets == ["a", "b"])
    }

    @Test func `a temporary folder that others may enter, or a link, is refused`() async throws {
        try await withFolder { root in
            let open = root.appending("open")
            try FileManager.default.createDirectory(
                atPath: open.string, withIntermediateDirectories: false)
            #expect(chmod(open.string, 0o755) == 0)
            #expect(throws: TaskFailure.self) { _ = try Scratch(below: open) }
            #expect(chmod(open.string, 0o700) == 0)
            try Scratch(below: open).close()
            let link = root.appending("link")
            try FileManager.default.createSymbolicLink(
                atPath: link.string, withDestinationPath: open.string)
            #expect(throws: TaskFailure.self) { _ = try Scratch(below: link) }
        }
    }
}
