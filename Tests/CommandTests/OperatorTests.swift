// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@Suite struct `Operator's verbs` {
    @Test func `queue list and show count what stands where`() async throws {
        try await withPlace { place in
            _ = try await place.enqueue("mail", "welcome", "x")
            _ = try await place.enqueue("mail", "welcome", "y", "--delay", "1h")
            let list = try await place.godwit("queue", "list", "-o", "json").array()
            #expect(list.count == 1)
            #expect(list.first?["queue"] as? String == "mail")
            #expect(list.first?["ready"] as? Int == 1)
            #expect(list.first?["scheduled"] as? Int == 1)
            let shown = try await place.godwit("queue", "show", "mail", "-o", "json").object()
            #expect((shown["counts"] as? [String: Any])?["enqueued"] as? Int == 2)
            #expect(try await place.godwit("queue", "list").out.hasPrefix("queue"))
        }
    }

    @Test func `a paused queue hands out nothing until it is resumed`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x")
            #expect(
                try await place.godwit("queue", "pause", "mail", "-o", "json").object()["is_paused"]
                    as? Bool == true)
            #expect(
                try await place.godwit("queue", "list", "-o", "json").array().first?["is_paused"]
                    as? Bool == true)
            #expect(try await place.godwit("queue", "resume", "mail").status == 0)
            #expect(try await place.godwit("work", "mail", "--drain", "--exec", "true").status == 0)
            #expect(try await place.state(of: id, in: "mail") == "completed")
        }
    }

    @Test func `purge wants the queue's name once more and cancels what is ready`() async throws {
        try await withPlace { place in
            let ready = try await place.enqueue("mail", "welcome", "x")
            let later = try await place.enqueue("mail", "welcome", "y", "--delay", "1h")
            for refusal in [[], ["--confirm", "other"]] {
                let outcome = try await Tool.godwit.run(
                    ["queue", "purge", "mail", "--broker", place.broker] + refusal)
                #expect(outcome.status == 64)
                #expect(outcome.err.contains("--confirm mail"))
                #expect(try await place.state(of: ready, in: "mail") == "ready")
            }
            let outcome = try await place.godwit(
                "queue", "purge", "mail", "--confirm", "mail", "-o", "json")
            #expect(try outcome.object()["purged"] as? Int == 1)
            #expect(try await place.state(of: later, in: "mail") == "scheduled")
        }
    }

    @Test func `promote and cancel move by id and say what they could not`() async throws {
        try await withPlace { place in
            let one = try await place.enqueue("mail", "welcome", "x", "--delay", "1h")
            #expect(try await place.godwit("job", "promote", "mail", one).status == 0)
            #expect(try await place.state(of: one, in: "mail") == "ready")
            let again = try await place.godwit("job", "promote", "mail", one, "-o", "json")
            #expect(again.status == 1)
            #expect(try again.array().first?["outcome"] as? String == "is ready")
            #expect(try await place.godwit("job", "cancel", "mail", one).status == 0)
            #expect(try await place.state(of: one, in: "mail") == "cancelled")
            let unknown = try await place.godwit(
                "job", "cancel", "mail", "0197a3c4-0000-7000-8000-000000000001")
            #expect(unknown.status == 1)
            #expect(unknown.out.contains("unknown"))
        }
    }

    @Test func `a dead letter comes back by redrive and is worked`() async throws {
        try await withPlace { place in
            let one = try await place.enqueue("mail", "welcome", "x")
            let two = try await place.enqueue("mail", "welcome", "y")
            _ = try await place.godwit("work", "mail", "--drain", "--exec", "exit 65")
            #expect(try await place.godwit("dead", "list", "mail", "-o", "json").array().count == 2)
            let first = try await place.godwit("dead", "redrive", "mail", one, "-o", "json")
            #expect(try first.object()["redriven"] as? Int == 1)
            let again = try await place.godwit("dead", "redrive", "mail", one, "-o", "json")
            #expect(again.status == 1)
            #expect(try again.object()["not_dead"] as? Int == 1)
            let rest = try await place.godwit(
                "dead", "redrive", "mail", "--all", "--yes", "-o", "json")
            #expect(try rest.object()["redriven"] as? Int == 1)
            _ = try await place.godwit("work", "mail", "--drain", "--exec", "true")
            for id in [one, two] {
                #expect(try await place.state(of: id, in: "mail") == "completed")
            }
        }
    }

    @Test func `redrive --all keeps to its limit, over many pages too`() async throws {
        try await withPlace { place in
            _ = try await place.godwit(
                "enqueue", "mail", "welcome", "--lines", "-",
                input: (0..<150).map { "\($0)\n" }.joined())
            _ = try await place.godwit(
                "work", "mail", "--drain", "--concurrency", "16", "--exec", "exit 65")
            let some = try await place.godwit(
                "dead", "redrive", "mail", "--all", "--yes", "--limit", "70", "-o", "json")
            #expect(try some.object()["redriven"] as? Int == 70)
            let rest = try await place.godwit(
                "dead", "redrive", "mail", "--all", "--yes", "-o", "json")
            #expect(try rest.object()["redriven"] as? Int == 80)
        }
    }

    @Test func `prune leaves what is kept, and ends what is older than asked`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x")
            _ = try await place.godwit("work", "mail", "--drain", "--exec", "exit 65")
            _ = try await place.godwit("dead", "prune", "mail")
            #expect(try await place.state(of: id, in: "mail") == "dead")
            let outcome = try await place.godwit(
                "dead", "prune", "mail", "--older-than", "0s", "--yes", "-o", "json")
            #expect(try outcome.object()["moved"] as? Int == 1, "\(outcome)")
            #expect(try await place.state(of: id, in: "mail") == "cancelled")
        }
    }

    @Test func `doctor finds a fresh queue sound and names SQLite's version`() async throws {
        try await withPlace { place in
            _ = try await place.enqueue("mail", "welcome", "x")
            let outcome = try await place.godwit("doctor", "-o", "json")
            #expect(outcome.status == 0, "\(outcome)")
            let findings = try outcome.array()
            #expect(findings.contains { $0["subject"] as? String == "SQLite version" })
            #expect(
                findings.contains {
                    $0["subject"] as? String == "synchronous" && $0["finding"] as? String == "FULL"
                })
            #expect(
                findings.contains {
                    $0["subject"] as? String == "queue mail" && $0["grade"] as? String == "good"
                })
        }
    }

    @Test func `bench prints one object with every figure and loses nothing`() async throws {
        for mode in ["lifecycle", "enqueue", "drain", "single"] {
            let outcome = try await Tool.godwit.run([
                "bench", "--broker", "memory:", "--jobs", "300", "--batch", "50", "--mode", mode,
                "-o", "json",
            ])
            #expect(outcome.status == 0, "\(outcome)")
            let report = try outcome.object()
            for name in [
                "jobs", "enqueue_per_s", "process_per_s", "lifecycle_per_s", "p50_ms", "p99_ms",
                "broker_cpu_us_per_job", "broker_bytes_per_job", "rss_mb", "lost", "duplicates",
            ] { #expect(report[name] != nil, "\(name) in \(mode)") }
            #expect(report["lost"] as? Int == 0)
            #expect(report["duplicates"] as? Int == 0)
        }
    }

    @Test func `text escapes what would drive a terminal, JSON keeps it`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "-", input: "\u{1B}[2Jgone")
            let text = try await place.godwit("job", "show", "mail", id)
            #expect(!text.out.contains("\u{1B}"))
            #expect(text.out.contains("\\x1b[2Jgone"))
            let shown = try await place.godwit("job", "show", "mail", id, "-o", "json").object()
            #expect(shown["payload"] as? String == "\u{1B}[2Jgone")
        }
    }
}
