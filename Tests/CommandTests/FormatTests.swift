// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// Every verb in every format: what programs read is what `help json` promises.
@Suite(.timeLimit(.minutes(5))) struct `Formats` {
    /// Verbs that change nothing here, by themselves or with --dry-run, and their schema.
    static func verbs(_ stock: Stocked) -> [(words: [String], schema: String)] {
        let dry = "--dry-run"
        return [
            (["queue", "list"], "godwit.queue.list/1"),
            (["queue", "show", "mail"], "godwit.queue.detail/1"),
            (["queue", "pause", "mail", dry], "godwit.queue.state/1"),
            (["queue", "resume", "mail", dry], "godwit.queue.state/1"),
            (["queue", "limits", "mail"], "godwit.queue.limits/1"),
            (["queue", "limits", "mail", "--max-messages", "5", dry], "godwit.queue.limits/1"),
            (["queue", "purge", "mail", dry], "godwit.purge/1"),
            (["job", "list"], "godwit.job.list/1"),
            (["job", "list", "mail", "--state", "completed"], "godwit.job.list/1"),
            (["job", "list", "--where", "kind:welcome state:dead"], "godwit.job.list/1"),
            (["job", "show", stock.ready], "godwit.job.detail/1"),
            (["job", "show", stock.completed], "godwit.job.detail/1"),
            (["job", "show", "mail", stock.dead[0]], "godwit.job.detail/1"),
            (["job", "tail", "mail", "--for", "1ms"], "godwit.event.list/1"),
            (["job", "wait", stock.completed], "godwit.moved/1"),
            (["job", "promote", stock.scheduled, dry], "godwit.moved.list/1"),
            (["job", "promote", "--where", "queue:mail", dry], "godwit.bulk/1"),
            (["job", "cancel", stock.ready, dry], "godwit.moved.list/1"),
            (["job", "cancel", "--where", "kind:welcome", dry], "godwit.bulk/1"),
            (["job", "edit", stock.ready, "--payload", "new", dry], "godwit.edit/1"),
            (["job", "prune", "mail", dry], "godwit.prune/1"),
            (["dead", "list"], "godwit.job.list/1"),
            (["dead", "list", "mail", "--where", "kind:goodbye"], "godwit.job.list/1"),
            (["dead", "groups"], "godwit.group.list/1"),
            (["dead", "show", stock.dead[1]], "godwit.job.detail/1"),
            (["dead", "redrive", stock.dead[1], dry], "godwit.redrive/1"),
            (["dead", "redrive", "mail", "--all", dry], "godwit.bulk/1"),
            (["dead", "export", "out.jsonl", "mail", dry], "godwit.export.result/1"),
            (["dead", "prune", "mail", "--older-than", "0s", dry], "godwit.bulk/1"),
            (["dead", "prune", "--where", "kind:welcome", dry], "godwit.bulk/1"),
            (["worker", "list"], "godwit.worker.list/1"),
            (["worker", "show", "7"], "godwit.worker.detail/1"),
            (["worker", "quiet", "7", dry], "godwit.order.list/1"),
            (["worker", "stop", "host 1", dry], "godwit.order.list/1"),
            (["history", "runs"], "godwit.run.list/1"),
            (["history", "runs", "--id", stock.dead[0]], "godwit.run.list/1"),
            (["history", "stats", "--since", "1d"], "godwit.stats.list/1"),
            (["history", "slowest"], "godwit.run.list/1"),
            (["history", "groups"], "godwit.group.list/1"),
            (["history", "rate", "--step", "1m"], "godwit.rate.list/1"),
            (["audit", "list"], "godwit.audit.list/1"),
            (["alert", "list"], "godwit.rule.list/1"),
            (["alert", "groups"], "godwit.alert.list/1"),
            (["alert", "channels"], "godwit.channel.list/1"),
            (["alert", "add", "mine", "--trigger", "age", dry], "godwit.rule/1"),
            (["alert", "mute", "age", dry], "godwit.rule/1"),
            (["stream", "list"], "godwit.stream.list/1"),
            (["stream", "show", "meters"], "godwit.stream/1"),
            (["stream", "keys", "meters"], "godwit.key.list/1"),
            (["stream", "key", "meters", "printer 1"], "godwit.key.detail/1"),
            (["stream", "dropped", "meters"], "godwit.dropped.list/1"),
            (["stream", "replay", "meters", "printer 1", dry], "godwit.moved/1"),
            (["context", "list"], "godwit.context.list/1"),
            (["context", "add", "here", "memory:", dry], "godwit.context/1"),
            (["doctor", "--pause", "10ms"], "godwit.finding.list/1"),
            (["help", "json"], "godwit.schema.list/1"),
        ]
    }

    @Test func `every verb prints what it promises in every format, and a dry run changes nothing`()
        async throws
    {
        try await Stocked.lend { stock in
            let place = stock.place
            let before = try await place.godwit("queue", "show", "mail", "-o", "json").out
            let schemas = try await Self.schemas()
            for (words, schema) in Self.verbs(stock) {
                func run(_ format: String) async throws -> Tool.Outcome {
                    let outcome = try await Tool.godwit.run(
                        ["--broker", place.broker] + words + ["-o", format], in: place.folder)
                    #expect(outcome.status == 0, "\(words) \(format): \(outcome)")
                    return outcome
                }
                let json = try await run("json").object()
                #expect(json["schema"] as? String == schema, "\(words)")
                let items = json["items"] as? [[String: Any]] ?? [json]
                let known = try #require(schemas[schema.replacing(".list/", with: "/")], "\(words)")
                for item in items {
                    #expect(Set(item.keys).subtracting(["schema"]) == known, "\(words)")
                }
                for line in try await run("jsonl").out.split(separator: "\n") {
                    let object = try #require(
                        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                    #expect(object["schema"] is String, "\(words)")
                }
                let lines = try await run("tsv").out.split(
                    separator: "\n", omittingEmptySubsequences: false)
                #expect(lines.count == items.count + 2 && lines.last == "", "\(words): \(lines)")
                #expect(Set(lines[0].split(separator: "\t").map(String.init)) == known, "\(words)")
                for line in lines.dropLast() {
                    let cells = line.split(separator: "\t", omittingEmptySubsequences: false)
                    #expect(cells.count == known.count, "\(words): \(line)")
                }
                #expect(try await run("none").out.isEmpty, "\(words)")
                let text = try await run("text").out
                #expect(!text.isEmpty && !text.contains("\u{1B}"), "\(words)")
            }
            #expect(try await place.godwit("queue", "show", "mail", "-o", "json").out == before)
        }
    }

    /// Field names by schema, as `help json` says them.
    static func schemas() async throws -> [String: Set<String>] {
        let items = try await Tool.godwit.run(["help", "json", "-o", "json"]).array()
        var all: [String: Set<String>] = [:]
        for item in items {
            let name = try #require(item["name"] as? String)
            let fields = try #require(item["fields"] as? [[String: Any]])
            #expect(all[name] == nil, "\(name) twice")
            for field in fields {
                #expect((field["about"] as? String)?.isEmpty == false, "\(name) \(field)")
            }
            all[name] = Set(fields.compactMap { $0["name"] as? String })
        }
        return all
    }

    @Test func `fields choose and order, and an unknown one is refused with the nearest name`()
        async throws
    {
        try await Stocked.lend { stock in
            let tsv = try await stock.place.godwit(
                "queue", "list", "-o", "tsv", "--fields", "ready,queue")
            #expect(tsv.out.hasPrefix("ready\tqueue\n1\tmail\n"), "\(tsv)")
            let json = try await stock.place.godwit(
                "job", "show", stock.ready, "-o", "json", "--fields", "state")
            #expect(try Set(json.object().keys) == ["schema", "state"])
            let wrong = try await stock.place.godwit("queue", "list", "--fields", "quue")
            #expect(wrong.status == 64 && wrong.out.isEmpty, "\(wrong)")
            #expect(wrong.err.contains("did you mean `queue`?"), "\(wrong)")
        }
    }

    @Test(arguments: ["1000000000", "99999999999999999999999", "1"])
    func `a limit is clamped, however large`(_ limit: String) async throws {
        try await Stocked.lend { stock in
            for words in [
                ["job", "list"], ["dead", "list", "mail"], ["dead", "groups"], ["queue", "list"],
                ["history", "runs"], ["history", "slowest"], ["worker", "list"], ["doctor"],
                ["stream", "keys", "meters"], ["audit", "list"],
            ] {
                let outcome = try await Tool.godwit.run(
                    words + ["--limit", limit, "--broker", stock.place.broker, "-o", "json"])
                #expect(outcome.status == 0, "\(words): \(outcome)")
                if limit != "1", words != ["doctor"] {
                    #expect(outcome.err.contains("10000 are taken"), "\(words): \(outcome.err)")
                }
                if limit == "1", words != ["doctor"] {
                    #expect(try outcome.array().count <= 1, "\(words)")
                }
            }
        }
    }

    @Test func `global options stand before the noun as well as behind the verb`() async throws {
        try await Stocked.lend { stock in
            let behind = try await stock.place.godwit("queue", "list", "-o", "tsv", "-q")
            let before = try await Tool.godwit.run([
                "-q", "-o", "tsv", "--broker", stock.place.broker, "queue", "list",
            ])
            #expect(behind.out == before.out && before.status == 0 && before.err.isEmpty)
        }
    }

    @Test func `a page says what was scanned and goes on where it ended`() async throws {
        try await Stocked.lend { stock in
            var ids: [String] = []
            var after: [String] = []
            for _ in 0..<10 {
                let page = try await Tool.godwit.run(
                    ["dead", "list", "mail", "--limit", "1", "-o", "json", "--broker"]
                        + [stock.place.broker] + after)
                let object = try page.object()
                #expect(object["scanned"] is Int)
                ids += try page.array().compactMap { $0["id"] as? String }
                guard let next = object["next"] as? String else {
                    #expect(object["complete"] as? Bool == true)
                    break
                }
                #expect(object["complete"] as? Bool == false)
                after = ["--after", next]
            }
            #expect(ids.sorted() == stock.dead.sorted())
        }
    }
}
