// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import Godwit
import TestRedis
import Testing

/// Verbs on many are bound to what was shown before.
@Suite(.timeLimit(.minutes(3))) struct `Bulk verbs` {
    @Test(arguments: ["sqlite", "redis"])
    func `a token redrives what was previewed and nothing that came later`(_ store: String)
        async throws
    {
        try await Self.lend(store) { place in
            let first = try await Self.kill(["a", "b", "c"], in: place)
            let preview = try await place.godwit(
                "dead", "redrive", "mail", "--where", "kind:welcome", "--dry-run", "-o", "json"
            ).object()
            #expect(preview["matched"] as? Int == 3)
            #expect((preview["samples"] as? [String])?.count == 3)
            let token = try #require(preview["token"] as? String)
            let later = try await Self.kill(["d"], in: place)
            let done = try await place.godwit(
                "dead", "redrive", "mail", "--where", "kind:welcome", "--token", token, "-o", "json"
            )
            #expect(done.status == 0, "\(done)")
            #expect(try done.object()["redriven"] as? Int == 3)
            for id in first { #expect(try await place.state(of: id, in: "mail") == "ready") }
            for id in later { #expect(try await place.state(of: id, in: "mail") == "dead") }
        }
    }

    @Test func `one that died after the preview stays, though its id is older`() async throws {
        try await Self.lend("sqlite") { place in
            let old = try await place.enqueue("mail", "welcome", "old", "--delay", "1h")
            // In a queue of its own, because a worker that drains waits for what is scheduled.
            _ = try await place.enqueue("post", "welcome", "a")
            _ = try await place.godwit("work", "post", "--drain", "--exec", "exit 65")
            let preview = try await place.godwit(
                "dead", "redrive", "--where", "kind:welcome", "--dry-run", "-o", "json")
            let token = try #require(try preview.object()["token"] as? String, "\(preview)")
            _ = try await place.godwit("job", "promote", old)
            _ = try await place.godwit("work", "mail", "--drain", "--exec", "exit 65")
            #expect(try await place.state(of: old, in: "mail") == "dead")
            let done = try await place.godwit(
                "dead", "redrive", "--where", "kind:welcome", "--token", token, "-o", "json")
            #expect(try done.object()["redriven"] as? Int == 1, "\(done)")
            #expect(try await place.state(of: old, in: "mail") == "dead")
        }
    }

    @Test func `a changed query, verb or token is refused, and so is another user's`() async throws
    {
        try await Self.lend("sqlite") { place in
            let ids = try await Self.kill(["a", "b"], in: place)
            let token = try await Self.token(place, "kind:welcome")
            let flipped = String(token.dropLast()) + (token.last == "A" ? "B" : "A")
            for (words, environment) in [
                (["dead", "redrive", "mail", "--where", "kind:*", "--token", token], [:]),
                (["dead", "redrive", "mail", "--all", "--token", token], [:]),
                (["job", "cancel", "mail", "--where", "kind:welcome", "--token", token], [:]),
                (["dead", "prune", "mail", "--where", "kind:welcome", "--token", token], [:]),
                (["dead", "redrive", "mail", "--where", "kind:welcome", "--token", flipped], [:]),
                (["dead", "redrive", "mail", "--where", "kind:welcome", "--token", "x"], [:]),
                (
                    ["dead", "redrive", "mail", "--where", "kind:welcome", "--token", token],
                    ["XDG_CONFIG_HOME": place.file("others").path]
                ),
            ] {
                let outcome = try await Tool.godwit.run(
                    words + ["--broker", place.broker], environment: environment)
                #expect(outcome.status == 65, "\(words): \(outcome)")
                #expect(outcome.err.contains("Nothing was done"), "\(outcome)")
                #expect(outcome.err.contains("--dry-run"), "\(outcome)")
            }
            for id in ids { #expect(try await place.state(of: id, in: "mail") == "dead") }
        }
    }

    @Test(arguments: [(-200, 0), (-301, 65), (-86_400, 65), (400, 65)])
    func `a token is good for five minutes`(_ age: Int, _ status: Int) async throws {
        try await Self.lend("sqlite") { place in
            _ = try await Self.kill(["a"], in: place)
            let settings = ["XDG_CONFIG_HOME": place.file("config").path]
            let words = [
                "dead", "redrive", "mail", "--where", "kind:welcome", "--broker", place.broker,
            ]
            let preview = try await Tool.godwit.run(
                words + ["--dry-run", "-o", "json"], environment: settings
            ).object()
            // One like it, by the same key, of another time.
            let key = SymmetricKey(
                data: try Data(contentsOf: place.file("config/godwit/bulk.key")))
            let at = SystemTime().now() + .seconds(age)
            let last = try #require(MessageID("ffffffff-ffff-7fff-bfff-ffffffffffff"))
            let token = BulkToken(
                verb: "dead redrive \(at.milliseconds)-1",
                query: try Query(try #require(preview["query"] as? String)), upperID: last, now: at)
            let text = token.text { Array(HMAC<SHA256>.authenticationCode(for: $0, using: key)) }
            let outcome = try await Tool.godwit.run(
                words + ["--token", "\(at.milliseconds)-1.\(text)", "-o", "json"],
                environment: settings)
            #expect(outcome.status == Int32(status), "\(outcome)")
            if status == 65 { #expect(outcome.err.contains("--dry-run"), "\(outcome)") }
        }
    }

    @Test func `off a terminal a query alone is refused, and --yes does it`() async throws {
        try await Self.lend("sqlite") { place in
            let ids = try await Self.kill(["a", "b"], in: place)
            let refused = try await place.godwit(
                "dead", "redrive", "mail", "--where", "kind:welcome")
            #expect(refused.status == 64, "\(refused)")
            #expect(refused.err.contains("2 message(s)") && refused.err.contains("--dry-run"))
            for id in ids { #expect(try await place.state(of: id, in: "mail") == "dead") }
            let done = try await place.godwit(
                "dead", "redrive", "mail", "--where", "kind:welcome", "--yes", "--per-second",
                "1000",
                "-o", "json")
            #expect(try done.object()["redriven"] as? Int == 2, "\(done)")
        }
    }

    @Test func `a group is redriven by its fingerprint, and no other`() async throws {
        try await Self.lend("sqlite") { place in
            let mine = try await Self.kill(["a", "b"], in: place)
            let other = try await place.enqueue("mail", "welcome", "x", "--max-attempts", "1")
            _ = try await place.godwit("work", "mail", "--drain", "--exec", "exit 3")
            let groups = try await place.godwit("dead", "groups", "mail", "-o", "json").array()
            #expect(groups.map { $0["count"] as? Int } == [2, 1])
            #expect((groups[0]["samples"] as? [String])?.sorted() == mine.sorted())
            let fingerprint = try #require(groups[0]["fingerprint"] as? String)
            let done = try await place.godwit(
                "dead", "redrive", "--group", fingerprint, "--yes", "-o", "json")
            #expect(try done.object()["redriven"] as? Int == 2, "\(done)")
            #expect(try await place.state(of: other, in: "mail") == "dead")
        }
    }

    @Test func `a taken unique key is named, and its letter stays`() async throws {
        try await Self.lend("sqlite") { place in
            let letter = try await place.enqueue("mail", "welcome", "a", "--unique", "k")
            _ = try await place.godwit("work", "mail", "--drain", "--exec", "exit 65")
            let live = try await place.enqueue("mail", "welcome", "b", "--unique", "k")
            for words in [[letter], ["--where", "unique:k", "--yes"]] {
                let outcome = try await Tool.godwit.run(
                    ["dead", "redrive", "mail"] + words + ["--broker", place.broker, "-o", "json"])
                #expect(outcome.status == 1, "\(outcome)")
                #expect(try outcome.object()["unique_key_taken"] as? Int == 1)
                #expect(outcome.err.contains(letter) && outcome.err.contains(live), "\(outcome)")
            }
            #expect(try await place.state(of: letter, in: "mail") == "dead")
        }
    }

    @Test func `a rate is kept`() async throws {
        try await Self.lend("sqlite") { place in
            _ = try await Self.kill((0..<30).map { "\($0)" }, in: place)
            let start = ContinuousClock.now
            let done = try await place.godwit(
                "dead", "redrive", "mail", "--all", "--yes", "--per-second", "50", "-o", "json")
            #expect(try done.object()["redriven"] as? Int == 30, "\(done)")
            // The first step goes at once; only a lower bound does not depend on the machine.
            #expect(ContinuousClock.now - start >= .milliseconds(400))
        }
    }

    static func token(_ place: Place, _ query: String) async throws -> String {
        let preview = try await place.godwit(
            "dead", "redrive", "mail", "--where", query, "--dry-run", "-o", "json")
        return try #require(try preview.object()["token"] as? String, "\(preview)")
    }

    static func kill(_ payloads: [String], in place: Place) async throws -> [String] {
        var ids: [String] = []
        for payload in payloads { ids.append(try await place.enqueue("mail", "welcome", payload)) }
        _ = try await place.godwit("work", "mail", "--drain", "--exec", "exit 65")
        return ids
    }

    static func lend(_ store: String, _ body: (Place) async throws -> Void) async throws {
        if store == "sqlite" { return try await withPlace { try await body($0) } }
        try await withServer { server in
            try await withPlace(on: server.url) { try await body($0) }
        }
    }
}
