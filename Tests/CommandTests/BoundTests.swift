// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitSQLite
import TestRedis
import Testing

/// A verb on many reaches what was meant and shown, and nothing else.
@Suite(.timeLimit(.minutes(5))) struct `Bounds of bulk verbs` {
    @Test(arguments: [
        ["dead", "redrive", "mail"], ["dead", "prune", "mail"], ["dead", "prune"],
        ["dead", "prune", "mail", "--older-than", "0s"], ["job", "promote", "mail"],
        ["job", "cancel", "mail"], ["job", "cancel"],
    ])
    func `a query without a term is refused, even with --yes`(_ words: [String]) async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x")
            for query in ["", "  "] {
                let outcome = try await Tool.godwit.run(
                    words + ["--where", query, "--yes", "--broker", place.broker])
                #expect(outcome.status == 64, "\(words): \(outcome)")
                #expect(outcome.err.contains("no term") && outcome.err.contains("Nothing was done"))
            }
            #expect(try await place.state(of: id, in: "mail") == "ready")
        }
    }

    @Test func `prune --older-than counts, shows, asks and is bound like any query`() async throws {
        try await withPlace { place in
            let ids = try await `Bulk verbs`.kill(["a", "b"], in: place)
            let words = ["dead", "prune", "mail", "--older-than", "0s", "--broker", place.broker]
            let refused = try await Tool.godwit.run(words)
            #expect(refused.status == 64 && refused.err.contains("2 message(s)"), "\(refused)")
            let preview = try await Tool.godwit.run(words + ["--dry-run", "-o", "json"]).object()
            #expect(preview["matched"] as? Int == 2)
            #expect((preview["samples"] as? [String])?.count == 2)
            for id in ids { #expect(try await place.state(of: id, in: "mail") == "dead") }
            let young = try await Tool.godwit.run(
                ["dead", "prune", "mail", "--older-than", "1d", "--yes", "--broker", place.broker]
                    + ["-o", "json"]
            ).object()
            #expect(young["matched"] as? Int == 0)
            let later = try await `Bulk verbs`.kill(["c"], in: place)
            let token = try #require(preview["token"] as? String)
            let done = try await Tool.godwit.run(words + ["--token", token, "-o", "json"])
            #expect(try done.object()["moved"] as? Int == 2, "\(done)")
            for id in ids { #expect(try await place.state(of: id, in: "mail") == "cancelled") }
            #expect(try await place.state(of: later[0], in: "mail") == "dead")
        }
    }

    @Test func `a token is refused when more match than it showed`() async throws {
        try await withPlace { place in
            // The older id comes to stand among the ready ones after the preview.
            let old = try await place.enqueue("mail", "welcome", "old", "--delay", "1h")
            let new = try await place.enqueue("mail", "welcome", "new")
            let words = [
                "job", "cancel", "mail", "--where", "state:ready", "--broker", place.broker,
            ]
            let preview = try await Tool.godwit.run(words + ["--dry-run", "-o", "json"]).object()
            #expect(preview["matched"] as? Int == 1)
            let token = try #require(preview["token"] as? String)
            #expect(try await place.godwit("job", "promote", old).status == 0)
            let outcome = try await Tool.godwit.run(words + ["--token", token])
            #expect(outcome.status == 65, "\(outcome)")
            #expect(outcome.err.contains("Nothing was done") && outcome.err.contains("--dry-run"))
            for id in [old, new] { #expect(try await place.state(of: id, in: "mail") == "ready") }
        }
    }

    @Test func `a preview that --limit cut binds to those it showed`() async throws {
        try await withPlace { place in
            for payload in ["a", "b", "c"] {
                _ = try await place.enqueue("mail", "welcome", payload)
            }
            let words = [
                "job", "cancel", "mail", "--where", "state:ready", "--broker", place.broker, "-o",
                "json",
            ]
            let preview = try await Tool.godwit.run(words + ["--dry-run", "--limit", "1"]).object()
            #expect(preview["matched"] as? Int == 1)
            let token = try #require(preview["token"] as? String)
            // Without --limit, and then when that one is gone.
            let done = try await Tool.godwit.run(words + ["--token", token])
            #expect(try done.object()["moved"] as? Int == 1, "\(done)")
            let again = try await Tool.godwit.run(words + ["--token", token])
            #expect(again.status == 65, "\(again)")
            let counts = try await place.godwit("queue", "list", "-o", "json").array()
            #expect(counts.first?["ready"] as? Int == 2)
        }
    }

    @Test func `what moved since it was shown is left alone`() async throws {
        try await withPlace { place in
            let ids = try await `Bulk verbs`.kill((0..<12).map { "\($0)" }, in: place)
                .compactMap { MessageID($0) }
            let broker = try await SQLiteBroker(path: place.file("jobs.db").path)
            let queue = try QueueName("mail")
            let out = place.file("out.json")
            try Data().write(to: out)
            let descriptor = open(out.path, O_WRONLY | O_CLOEXEC)
            defer { close(descriptor) }
            // One a second; when the first has gone, the last ones come back to life.
            let prune = try Tool.godwit.start(
                [
                    "dead", "prune", "mail", "--where", "kind:welcome", "--yes", "--per-second",
                    "1",
                    "-o", "json", "--broker", place.broker,
                ], output: descriptor)
            while try await broker.inspector.counts(of: queue).cancelled == 0 { await Task.yield() }
            let left = try await broker.inspector.messages(.dead, in: queue, after: nil, limit: 64)
            let back = left.messages.map(\.id)
            let redriven = try await broker.operator.redrive(back, in: queue)
                .count { $0 == .redriven }
            #expect(await prune.end().status == (redriven > 0 ? 1 : 0))
            let row = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: out)) as? [String: Any])
            #expect(row["matched"] as? Int == ids.count)
            #expect(row["refused"] as? Int == redriven)
            let counts = try await broker.inspector.counts(of: queue)
            #expect(counts.ready == redriven)
            #expect(counts.cancelled == ids.count - redriven)
            await broker.shutdown()
        }
    }

    @Test func `purge leaves what arrives while it works, even before its place in the line`()
        async throws
    {
        try await withPlace { place in
            let many = 4000
            _ = try await place.godwit(
                "enqueue", "mail", "welcome", "--lines", "-",
                input: (0..<many).map { "\($0)\n" }.joined())
            let broker = try await SQLiteBroker(path: place.file("jobs.db").path)
            let queue = try QueueName("mail")
            let purge = try Tool.godwit.start(
                ["queue", "purge", "mail", "--confirm", "mail", "--broker", place.broker])
            while try await broker.inspector.counts(of: queue).cancelled == 0 { await Task.yield() }
            let later = try await place.godwit(
                "enqueue", "mail", "welcome", "--priority", "0", "--lines", "-",
                input: (0..<100).map { "later \($0)\n" }.joined())
            #expect(await purge.end().status == 0)
            let counts = try await broker.inspector.counts(of: queue)
            #expect(counts.cancelled == many)
            // Why not only how many: as many of the earlier ones may be left instead.
            let ready = try await broker.inspector.messages(
                .ready, in: queue, after: nil, limit: 200)
            let arrived = later.out.split(separator: "\n").map(String.init)
            #expect(arrived.count == 100)
            #expect(ready.messages.map { "\($0.id)" }.sorted() == arrived.sorted())
            await broker.shutdown()
        }
    }
}
