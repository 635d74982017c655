// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@Suite struct `Contexts` {
    @Test func `a context names a store, by option, environment or use`() async throws {
        try await withPlace { place in
            let settings = ["XDG_CONFIG_HOME": place.file("config").path]
            func godwit(_ words: String..., more: [String: String] = [:]) async throws
                -> Tool.Outcome
            {
                try await Tool.godwit.run(words, environment: settings.merging(more) { $1 })
            }
            #expect(try await godwit("context", "add", "a", place.broker).status == 0)
            #expect(try await godwit("context", "add", "b", "memory:").status == 0)
            _ = try await place.enqueue("mail", "welcome", "x")
            let option = try await godwit("queue", "list", "--context", "a", "-o", "json")
            #expect(try option.array().count == 1, "\(option)")
            let variable = try await godwit(
                "queue", "list", "-o", "json", more: ["GODWIT_CONTEXT": "a"])
            #expect(try variable.array().count == 1)
            #expect(try await godwit("context", "use", "a").status == 0)
            #expect(try await godwit("queue", "list", "-o", "json").array().count == 1)
            let other = try await godwit(
                "queue", "list", "-o", "json", more: ["GODWIT_BROKER": "memory:"])
            #expect(try other.array().isEmpty)
            let unknown = try await godwit("queue", "list", "--context", "c")
            #expect(unknown.status == 78 && unknown.err.contains("a, b"), "\(unknown)")
            let again = try await godwit("context", "add", "a", "memory:")
            #expect(again.status == 73 && again.err.contains("--yes"), "\(again)")
            #expect(try await godwit("context", "add", "a", "memory:", "--yes").status == 0)
            #expect(try await godwit("context", "remove", "a").status == 0)
            let list = try await godwit("context", "list", "-o", "json").array()
            #expect(list.map { $0["name"] as? String } == ["b"])
        }
    }

    @Test
    func `the file is the user's alone, and secrets come by stdin, never by the command line`()
        async throws
    {
        try await withPlace { place in
            let settings = ["XDG_CONFIG_HOME": place.file("config").path]
            let url = "redis://user:hunter2@127.0.0.1:1/0"
            let refused = try await Tool.godwit.run(
                ["context", "add", "a", url], environment: settings)
            #expect(refused.status == 64 && !refused.err.contains("hunter2"), "\(refused)")
            let added = try await Tool.godwit.run(
                ["context", "add", "a", "-"], input: Data((url + "\n").utf8), environment: settings)
            #expect(added.status == 0, "\(added)")
            let file = place.file("config/godwit/contexts.json")
            let mode = try FileManager.default.attributesOfItem(atPath: file.path)[
                .posixPermissions]
            #expect(mode as? Int == 0o600)
            let history = try await Tool.godwit.run(
                ["context", "add", "b", "memory:", "--history", "-"],
                input: Data("clickhouse+http://user:hunter2@h/d\n".utf8), environment: settings)
            #expect(history.status == 0, "\(history)")
            for outcome in [
                added, history,
                try await Tool.godwit.run(
                    ["context", "list", "-o", "json"], environment: settings),
                try await Tool.godwit.run(
                    ["queue", "list", "--context", "a"], environment: settings),
                try await Tool.godwit.run(["context", "remove", "a"], environment: settings),
            ] { #expect(!"\(outcome)".contains("hunter2"), "\(outcome)") }
        }
    }

    @Test func `a file that can't be read is named and left alone`() async throws {
        try await withPlace { place in
            let folder = place.file("config/godwit")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let file = folder.appendingPathComponent("contexts.json")
            try Data("{\"broken".utf8).write(to: file)
            for words in [
                ["context", "list"], ["context", "add", "a", "memory:"], ["queue", "list"],
            ] {
                let outcome = try await Tool.godwit.run(
                    words, environment: ["XDG_CONFIG_HOME": place.file("config").path])
                #expect(outcome.status == 78, "\(outcome)")
                #expect(outcome.err.contains("contexts.json"), "\(outcome)")
            }
            #expect(try String(contentsOf: file, encoding: .utf8) == "{\"broken")
        }
    }
}
