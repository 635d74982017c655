// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

/// What the command exits with, and what it says then.
@Suite(.timeLimit(.minutes(3))) struct `Exit codes` {
    static let nobody = "0197a3c4-0000-7000-8000-000000000001"

    @Test(arguments: [
        (["job", "show", nobody], 66, ["knows no message", "godwit history runs"]),
        (["job", "show", "x"], 64, ["one id"]),
        (["job", "list", "--where", "stat:dead"], 65, ["column 1", "state", "godwit help query"]),
        (["job", "list", "--where", "attempt>x"], 65, ["column"]),
        (["job", "list", "--where", String(repeating: "a ", count: 600)], 65, ["1,024|1024"]),
        (["job", "list", "--state", "lost"], 64, ["lost"]),
        (["job", "list", "--limit", "0"], 64, ["no count"]),
        (["job", "list", "--limit", "-1"], 64, ["limit"]),
        (["job", "tail", "-o", "json"], 64, ["jsonl"]),
        (["job", "edit", nobody, "--payload", "x"], 66, ["knows no message"]),
        (["job", "edit", nobody], 64, ["--payload"]),
        (["job", "cancel"], 64, ["--where"]),
        (["job", "cancel", nobody, "--where", "kind:x"], 64, ["exclude"]),
        (["dead", "redrive", "--all"], 64, ["name it"]),
        (["dead", "redrive", "--group", "zz", "--yes"], 65, ["fingerprint"]),
        (["dead", "prune"], 64, ["--where"]),
        (["worker", "show", "9"], 66, ["godwit worker list"]),
        (["queue", "limits", "mail", "--max-messages", "-4"], 64, ["max-messages"]),
        (["history", "runs"], 78, ["GODWIT_HISTORY"]),
        (["history", "runs", "--history", "sqlite:/nowhere/h.db"], 66, ["/nowhere/h.db"]),
        (["history", "runs", "--since", "tomorrow"], 64, ["ISO 8601"]),
        (
            ["history", "stats", "--history", "clickhouse+http://u:hunter2@h/d"], 64,
            ["GODWIT_CLICKHOUSE_PASSWORD"]
        ),
        (["alert", "remove", "nothing"], 66, ["new-group"]),
        (["alert", "add", "a b", "--trigger", "age"], 64, ["name a rule"]),
        (["queue", "list", "--time", "never"], 64, ["time"]),
        (["queue", "list", "--color", "red"], 64, ["color"]),
        (["queue", "list", "--timeout", "soon"], 64, ["length of time"]),
        (["context", "use", "nothing"], 78, ["godwit context add"]),
        (["token", "remove", "nothing"], 66, ["godwit token list"]),
        (["token", "add", "a/b", "--allow", "*:work"], 64, ["name of a token"]),
        (["token", "add", "a", "--allow", "*:eat"], 64, ["no act", "produce, work"]),
        (["token", "add", "a"], 64, ["--allow"]),
        (["token", "list", "--broker", "grpc://127.0.0.1:1"], 64, ["gives tokens out"]),
        (["queue", "list", "--broker", "grpc://10.0.0.1:1"], 64, ["grpcs://"]),
        (["queue", "list", "--broker", "grpcs://hunter2@a"], 64, ["GODWIT_TOKEN"]),
        (["queue", "list", "--broker", "grpcs://a?token=hunter2"], 64, ["GODWIT_TOKEN"]),
        (["context", "add", "a", "grpcs://a?token=hunter2"], 64, ["GODWIT_TOKEN"]),
        (["serve", "--grpc", "0.0.0.0:1", "--http", "127.0.0.1:0"], 64, ["--grpc-cert"]),
        (
            ["serve", "--grpc", "0.0.0.0:1", "--grpc-plaintext", "--insecure-no-auth"], 64,
            ["Leave --insecure-no-auth out"]
        ),
        (["serve", "--grpc", "127.0.0.1:0", "--grpc-cert", "x"], 64, ["belong together"]),
        (["completion", "csh"], 64, ["csh"]),
    ])
    func `a refusal has its code and says what to do next`(
        _ words: [String], _ status: Int, _ sentences: [String]
    ) async throws {
        let outcome = try await Tool.godwit.run(
            words.contains("--broker") ? words : words + ["--broker", "memory:"])
        #expect(outcome.status == Int32(status), "\(outcome)")
        for sentence in sentences {
            let isThere = sentence.split(separator: "|").contains { outcome.err.contains($0) }
            #expect(isThere, "\(sentence): \(outcome)")
        }
        #expect(outcome.out.isEmpty && !outcome.err.contains("hunter2"), "\(outcome)")
    }

    @Test func `wait answers 0, 1, 75 and 66`() async throws {
        try await Stocked.lend { stock in
            let place = stock.place
            #expect(try await place.godwit("job", "wait", stock.completed).status == 0)
            let dead = try await place.godwit("job", "wait", stock.dead[0])
            #expect(dead.status == 1 && dead.err.contains("is dead"), "\(dead)")
            #expect(
                try await place.godwit("job", "wait", stock.dead[0], "--state", "dead").status == 0)
            let late = try await place.godwit("job", "wait", stock.scheduled, "--timeout", "300ms")
            #expect(late.status == 75 && late.err.contains("still scheduled"), "\(late)")
            #expect(try await place.godwit("job", "wait", Self.nobody).status == 66)
        }
    }

    @Test func `wait ends when a worker has done it`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x")
            async let waiting = place.godwit("job", "wait", id, "--timeout", "1m", "-o", "json")
            _ = try await place.godwit("work", "mail", "--drain", "--exec", "true")
            let outcome = try await waiting
            #expect(outcome.status == 0, "\(outcome)")
            #expect(try outcome.object()["outcome"] as? String == "completed")
        }
    }

    @Test func `a unique key that is taken, and an id that is known, exit with 73`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x", "--unique", "k")
            let taken = try await place.godwit("enqueue", "mail", "welcome", "y", "--unique", "k")
            #expect(taken.status == 73 && taken.out == id + "\n", "\(taken)")
            let known = try await place.godwit("enqueue", "mail", "welcome", "x", "--id", id)
            #expect(known.status == 73 && known.out == id + "\n", "\(known)")
        }
    }

    @Test func `a full queue exits with 75`() async throws {
        try await withPlace { place in
            _ = try await place.enqueue("mail", "welcome", "x")
            _ = try await place.godwit("queue", "limits", "mail", "--max-messages", "1")
            let full = try await place.godwit("enqueue", "mail", "welcome", "y")
            #expect(full.status == 75, "\(full)")
        }
    }

    @Test func `a store that does not answer in time exits with 69 and says which`() async throws {
        try await withServer { server in
            try await withPlace(on: server.url) { place in
                _ = try await place.enqueue("mail", "welcome", "x")
                server.pause()
                let outcome = try await place.godwit("queue", "list", "--timeout", "500ms")
                server.resume()
                #expect(outcome.status == 69, "\(outcome)")
                #expect(outcome.err.contains("redis"), "\(outcome)")
            }
        }
    }

    @Test func `Ctrl-C ends a command with 130`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x", "--delay", "1h")
            let talk = try Spawned.pipe()
            defer {
                close(talk.reading)
                close(talk.writing)
            }
            let waiting = try Tool.godwit.start(
                ["job", "tail", "--last", "0", "--broker", place.broker], in: place.folder,
                errors: talk.writing)
            await firstWords(from: talk.reading)
            waiting.interrupt()
            #expect(await waiting.end() == .exit(130))
            #expect(try await place.state(of: id, in: "mail") == "scheduled")
        }
    }

    @Test func `edit makes a new message that names the old one, and ends that`() async throws {
        try await Stocked.lend { stock in
            let place = stock.place
            let edited = try await place.godwit(
                "job", "edit", stock.scheduled, "--payload", "-", "-o", "json", input: "{\"n\":1}")
            #expect(edited.status == 0, "\(edited)")
            let id = try #require(try edited.object()["new"] as? String)
            let new = try await place.godwit("job", "show", id, "-o", "json").object()
            #expect(new["payload"] as? String == "{\"n\":1}")
            #expect(new["state"] as? String == "scheduled")
            #expect(
                (new["headers"] as? [String: String])?["godwit-edited-from"] == stock.scheduled)
            #expect(try await place.state(of: stock.scheduled, in: "mail") == "cancelled")
            let again = try await place.godwit("job", "edit", stock.scheduled, "--payload", "x")
            #expect(again.status == 1 && again.err.contains("is cancelled"), "\(again)")
            let keyed = try await place.enqueue("mail", "welcome", "x", "--unique", "k")
            let refused = try await place.godwit("job", "edit", keyed, "--payload", "y")
            #expect(refused.status == 73 && refused.err.contains("'k'"), "\(refused)")
            #expect(try await place.state(of: keyed, in: "mail") == "ready")
        }
    }

    @Test func `an export is the user's alone and goes through no link and over no file`()
        async throws
    {
        try await Stocked.lend { stock in
            let place = stock.place
            let file = place.file("letters.jsonl")
            #expect(try await place.godwit("dead", "export", file.path, "mail").status == 0)
            let mode = try FileManager.default.attributesOfItem(atPath: file.path)[
                .posixPermissions]
            #expect(mode as? Int == 0o600)
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            #expect(lines.count == 4)
            #expect(try await place.godwit("dead", "export", file.path, "mail").status == 73)
            let link = place.file("link")
            try FileManager.default.createSymbolicLink(
                at: link, withDestinationURL: place.file("elsewhere"))
            #expect(try await place.godwit("dead", "export", link.path, "mail").status == 73)
            #expect(!FileManager.default.fileExists(atPath: place.file("elsewhere").path))
        }
    }

    @Test func `every write is noted in the audit, with who and what`() async throws {
        try await Stocked.lend { stock in
            let place = stock.place
            _ = try await place.godwit("queue", "pause", "mail", environment: ["USER": "ada"])
            _ = try await place.godwit("queue", "resume", "mail", environment: ["USER": "ada"])
            _ = try await place.godwit(
                "dead", "redrive", "mail", "--where", "kind:goodbye", "--yes",
                environment: ["USER": "ada"])
            _ = try await place.godwit("queue", "pause", "mail", "--dry-run")
            let entries = try await place.godwit("audit", "list", "-o", "json").array()
            #expect(
                entries.map { $0["verb"] as? String }
                    == ["dead redrive", "queue resume", "queue pause"])
            #expect(entries.allSatisfy { ($0["who"] as? String)?.hasPrefix("ada@") == true })
            #expect((entries.first?["what"] as? String)?.contains("kind:goodbye") == true)
            #expect(entries.first?["affected"] as? Int == 1)
        }
    }
}
