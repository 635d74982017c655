// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct `Help` {
    static let nouns: [String: [String]] = [
        "queue": ["list", "show", "pause", "resume", "limits", "purge"],
        "job": ["list", "show", "tail", "wait", "promote", "cancel", "edit", "prune"],
        "dead": ["list", "groups", "show", "redrive", "export", "prune"],
        "worker": ["list", "show", "quiet", "resume", "stop"],
        "history": ["runs", "stats", "slowest", "groups", "rate"],
        "audit": ["list"],
        "alert": ["list", "groups", "add", "remove", "mute", "test", "channels", "channel"],
        "stream": [
            "list", "show", "keys", "key", "append", "dropped", "redrive", "skip", "replay",
            "forget",
        ],
        "context": ["list", "use", "add", "remove"], "token": ["list", "add", "remove"],
        "enqueue": [], "work": [], "serve": [], "doctor": [], "bench": [], "completion": [],
    ]
    static let global = [
        "--broker", "--context", "--history", "--output", "--fields", "--limit", "--time",
        "--color",
        "--timeout", "--quiet", "--verbose", "--yes", "--dry-run", "--log-level",
    ]

    @Test func `every command's help names its global options, its exit codes and what comes next`()
        async throws
    {
        for (noun, verbs) in Self.nouns.sorted(by: { $0.key < $1.key }) {
            for words in [[noun]] + verbs.map({ [noun, $0] }) {
                let outcome = try await Tool.godwit.run(words + ["--help"])
                #expect(outcome.status == 0 && outcome.err.isEmpty, "\(words): \(outcome)")
                #expect(outcome.out.contains("OVERVIEW:"), "\(words)")
                for code in [0, 1, 64, 65, 66, 69, 70, 73, 74, 75, 77, 78, 130] {
                    #expect(outcome.out.contains(" \(code) "), "\(words): \(code)")
                }
                #expect(outcome.out.contains("godwit help json"), "\(words)")
                if verbs.isEmpty ? noun != "bench" && noun != "completion" : words.count == 2 {
                    for option in Self.global {
                        #expect(outcome.out.contains(option), "\(words): \(option)")
                    }
                }
            }
        }
        let root = try await Tool.godwit.run(["--help"])
        for noun in Self.nouns.keys { #expect(root.out.contains("\n  \(noun)"), "\(noun)") }
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `completion is a script that names the verbs`(_ shell: String) async throws {
        let outcome = try await Tool.godwit.run(["completion", shell])
        #expect(outcome.status == 0)
        for word in ["redrive", "limits", "--fields"] {
            #expect(outcome.out.contains(shell == "fish" ? word.replacing("--", with: "") : word))
        }
    }

    @Test func `help query shows the language, and help json every schema once`() async throws {
        let query = try await Tool.godwit.run(["help", "query"])
        #expect(query.status == 0 && query.out.contains("fingerprint"))
        #expect(try await schemas().count > 30)
    }

    private func schemas() async throws -> [String: Set<String>] {
        try await Formats.schemas()
    }
}
