// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

/// The verbs on a server, as the other suites run them on a file.
@Suite(.timeLimit(.minutes(3))) struct `The command on Redis` {
    @Test func `enqueue, work, queue and job tell one story`() async throws {
        try await withServer { server in
            try await withPlace(on: server.url) { place in
                let id = try await place.enqueue(
                    "mail", "welcome", "the payload", "--header", "trace-id=7f")
                let later = try await place.enqueue("mail", "welcome", "y", "--delay", "1h")
                let lines = try await place.godwit(
                    "enqueue", "mail", "line", "--lines", "-", input: "one\ntwo\nthree\n")
                #expect(lines.status == 0, "\(lines)")
                let list = try await place.godwit("queue", "list", "-o", "json").array()
                #expect(list.first?["queue"] as? String == "mail")
                #expect(list.first?["ready"] as? Int == 4)
                #expect(list.first?["scheduled"] as? Int == 1)

                #expect(try await place.godwit("queue", "pause", "mail").status == 0)
                #expect(try await place.state(of: id, in: "mail") == "ready")
                #expect(try await place.godwit("queue", "resume", "mail").status == 0)
                #expect(try await place.godwit("job", "cancel", "mail", later).status == 0)

                let worked = try await place.godwit(
                    "work", "mail", "--drain", "--concurrency", "1", "--kind", "welcome", "--kind",
                    "line", "--exec", "cat; echo \" $GODWIT_KIND $GODWIT_HEADER_TRACE_ID\"")
                #expect(worked.status == 0, "\(worked)")
                #expect(
                    worked.out.split(separator: "\n").sorted()
                        == ["one line ", "the payload welcome 7f", "three line ", "two line "])
                #expect(try await place.state(of: id, in: "mail") == "completed")
                #expect(try await place.state(of: later, in: "mail") == "cancelled")
                let shown = try await place.godwit("queue", "show", "mail", "-o", "json").object()
                let counts = try #require(shown["counts"] as? [String: Any])
                #expect(counts["enqueued"] as? Int == 5)
                #expect(counts["completed"] as? Int == 4)
                #expect(counts["ready"] as? Int == 0)
            }
        }
    }

    @Test func `a rejected message keeps its bytes and is redriven`() async throws {
        try await withServer { server in
            try await withPlace(on: server.url) { place in
                let id = try await place.enqueue("mail", "welcome", "keep me")
                let worked = try await place.godwit("work", "mail", "--drain", "--exec", "exit 65")
                #expect(worked.status == 0, "\(worked)")
                #expect(
                    try await place.godwit("dead", "list", "mail", "-o", "jsonl").out.contains(id))
                let dead = try await place.godwit("dead", "show", "mail", id, "-o", "json").object()
                #expect(dead["payload"] as? String == "keep me")
                #expect((dead["reason"] as? String)?.contains("65") == true)
                #expect(try await place.godwit("dead", "redrive", "mail", id).status == 0)
                #expect(try await place.state(of: id, in: "mail") == "ready")
                _ = try await place.godwit("work", "mail", "--drain", "--exec", "true")
                #expect(try await place.state(of: id, in: "mail") == "completed")
            }
        }
    }

    @Test func `bench prints one object with every figure, lost 0 and duplicates 0`() async throws {
        try await withServer { server in
            for mode in ["lifecycle", "enqueue", "drain", "single"] {
                let outcome = try await Tool.godwit.run([
                    "bench", "--broker", server.url, "--jobs", "500", "--batch", "50", "--mode",
                    mode, "-o", "json",
                ])
                #expect(outcome.status == 0, "\(outcome)")
                let report = try outcome.object()
                for name in [
                    "jobs", "enqueue_per_s", "process_per_s", "lifecycle_per_s", "p50_ms", "p99_ms",
                    "broker_cpu_us_per_job", "broker_bytes_per_job", "rss_mb", "lost", "duplicates",
                ] { #expect(report[name] != nil, "\(name) in \(mode)") }
                #expect(report["jobs"] as? Int == 500)
                #expect(report["lost"] as? Int == 0)
                #expect(report["duplicates"] as? Int == 0)
                // The server's own figures, from INFO.
                #expect(report["broker_cpu_us_per_job"] is Double, "\(report)")
            }
        }
    }

    @Test func `doctor knows a server that forgets from one that keeps`() async throws {
        for (setting, grade) in [("no", "problem"), ("yes", "good")] {
            let arguments = ["--appendonly", setting, "--appendfsync", "always"]
            try await withServer(arguments) { server in
                try await withPlace(on: server.url) { place in
                    _ = try await place.enqueue("mail", "welcome", "x")
                    let outcome = try await place.godwit("doctor", "-o", "json")
                    let findings = try outcome.array()
                    func grades(of subject: String) -> [String] {
                        findings.filter { $0["subject"] as? String == subject }
                            .compactMap { $0["grade"] as? String }
                    }
                    #expect(grades(of: "persistence") == [grade], "\(outcome)")
                    // Beside it may stand advice, as a note.
                    #expect(grades(of: "queue mail").contains("good"), "\(outcome)")
                    #expect(!grades(of: "queue mail").contains("problem"), "\(outcome)")
                    #expect(outcome.status == (grade == "good" ? 0 : 1), "\(outcome)")
                }
            }
        }
    }

    @Test func `a password comes by the environment or a file, and a wrong one is refused`()
        async throws
    {
        try await withServer(["--requirepass", "hunter2"]) { server in
            try await withPlace(on: server.url) { place in
                let enqueue = ["enqueue", "mail", "welcome", "x", "--broker"]
                let right = try await Tool.godwit.run(
                    enqueue + [server.url], environment: ["GODWIT_REDIS_PASSWORD": "hunter2"])
                #expect(right.status == 0, "\(right)")
                let file = place.file("password")
                try Data("hunter2\n".utf8).write(to: file)
                let byFile = try await Tool.godwit.run(
                    enqueue + ["\(server.url)?password-file=\(file.path)"])
                #expect(byFile.status == 0, "\(byFile)")
                let wrong = try await Tool.godwit.run(
                    enqueue + [server.url], environment: ["GODWIT_REDIS_PASSWORD": "hunter3"])
                let none = try await Tool.godwit.run(enqueue + [server.url])
                for outcome in [wrong, none] {
                    #expect(outcome.status == 78, "\(outcome)")
                    #expect(outcome.err.contains("GODWIT_REDIS_PASSWORD"), "\(outcome)")
                    #expect(!outcome.err.contains("hunter"), "\(outcome)")
                }
                let list = try await place.godwit(
                    "queue", "list", "-o", "json",
                    environment: ["GODWIT_REDIS_PASSWORD": "hunter2"])
                #expect(try list.array().first?["ready"] as? Int == 2, "\(list)")
            }
        }
    }
}
