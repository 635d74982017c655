// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

@Suite struct `Work` {
    @Test func `the command gets payload, id, kind, attempt, queue and headers`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue(
                "mail", "welcome", "the payload", "--header", "trace-id=7f")
            let outcome = try await place.godwit(
                "work", "mail", "--drain", "--exec",
                "cat; echo; echo $GODWIT_ID $GODWIT_KIND $GODWIT_ATTEMPT $GODWIT_COUNT $GODWIT_QUEUE $GODWIT_HEADER_TRACE_ID"
            )
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.out == "the payload\n\(id) welcome 1 1 mail 7f\n")
            #expect(try await place.state(of: id, in: "mail") == "completed")
        }
    }

    @Test func `exit 65 rejects with a reason and keeps the bytes`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "keep me")
            let outcome = try await place.godwit(
                "work", "mail", "--drain", "--exec", "exit 65", "-o", "json")
            #expect(try outcome.object()["rejected"] as? Int == 1)
            let dead = try await place.godwit("dead", "show", "mail", id, "-o", "json").object()
            #expect(dead["payload"] as? String == "keep me")
            #expect((dead["reason"] as? String)?.contains("65") == true)
        }
    }

    @Test func `exit 75 retries after the time that was given`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x")
            // The first run asks for a retry, the second sees that it is the second.
            let outcome = try await place.godwit(
                "work", "mail", "--drain", "--retry-after", "10ms", "--exec",
                "echo $GODWIT_ATTEMPT; test $GODWIT_ATTEMPT = 2 || exit 75")
            #expect(outcome.out == "1\n2\n", "\(outcome)")
            let shown = try await place.godwit("job", "show", "mail", id, "-o", "json").object()
            #expect(shown["state"] as? String == "completed")
            #expect(shown["attempt"] as? Int == 1)
        }
    }

    @Test func `any other exit retries by policy until the attempts are used up`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x", "--max-attempts", "1")
            let outcome = try await place.godwit("work", "mail", "--drain", "--exec", "exit 3")
            #expect(outcome.status == 0)
            let dead = try await place.godwit("dead", "list", "mail", "-o", "jsonl")
            #expect(dead.out.contains(id))
            #expect(dead.out.contains("exit 3"))
            let other = try await place.enqueue("mail", "welcome", "x", "--max-attempts", "2")
            _ = try await place.godwit("work", "mail", "--drain", "--exec", "kill -9 $$")
            let shown = try await place.godwit("job", "show", "mail", other, "-o", "json").object()
            #expect(shown["state"] as? String == "dead")
            #expect((shown["reason"] as? String)?.contains("signal 9") == true)
            #expect((shown["attempts"] as? [[String: Any]])?.count == 2)
        }
    }

    @Test func `a command that does not read a large payload is judged by its exit alone`()
        async throws
    {
        try await withPlace { place in
            let id = try await place.enqueue(
                "mail", "welcome", "-", input: String(repeating: "x", count: 900_000))
            let outcome = try await place.godwit("work", "mail", "--drain", "--exec", "exit 0")
            #expect(outcome.status == 0, "\(outcome)")
            #expect(try await place.state(of: id, in: "mail") == "completed")
        }
    }

    @Test func `only the kinds that were named are taken`() async throws {
        try await withPlace { place in
            let wanted = try await place.enqueue("mail", "welcome", "x")
            let other = try await place.enqueue("mail", "goodbye", "x")
            let worker = try Tool.godwit.start(
                [
                    "work", "mail", "--kind", "welcome", "--exec", "touch ran-$GODWIT_KIND",
                    "--broker", place.broker,
                ],
                in: place.folder)
            await until { FileManager.default.fileExists(atPath: place.file("ran-welcome").path) }
            worker.terminate()
            #expect(await worker.end() == .exit(0))
            #expect(try await place.state(of: wanted, in: "mail") == "completed")
            #expect(try await place.state(of: other, in: "mail") == "ready")
        }
    }

    @Test func `a signal lets what runs end, takes nothing new and exits 0`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x")
            let talk = try Spawned.pipe()
            defer {
                close(talk.reading)
                close(talk.writing)
            }
            let worker = try Tool.godwit.start(
                [
                    "work", "mail", "--exec",
                    "touch began; while ! test -e go; do sleep 0.02; done",
                    "--broker", place.broker, "--grace", "1m",
                ], in: place.folder, errors: talk.writing)
            await until { FileManager.default.fileExists(atPath: place.file("began").path) }
            worker.terminate()
            // It says so when it has seen the signal; what comes after is for others.
            await firstWords(from: talk.reading)
            let later = try await place.enqueue("mail", "welcome", "y")
            try Data().write(to: place.file("go"))
            #expect(await worker.end() == .exit(0))
            #expect(try await place.state(of: id, in: "mail") == "completed")
            #expect(try await place.state(of: later, in: "mail") != "completed")
        }
    }

    @Test func `a second signal ends the command and what it started, and releases the message`()
        async throws
    {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x")
            let talk = try Spawned.pipe()
            defer {
                close(talk.reading)
                close(talk.writing)
            }
            let worker = try Tool.godwit.start(
                [
                    "work", "mail", "--exec", "sleep 600 & echo $! > child; touch began; wait",
                    "--broker", place.broker, "--grace", "10m",
                ], in: place.folder, errors: talk.writing)
            await until { FileManager.default.fileExists(atPath: place.file("began").path) }
            worker.terminate()
            // It says so when it has seen the first signal.
            await firstWords(from: talk.reading)
            worker.terminate()
            await worker.end()
            let child = try String(contentsOf: place.file("child"), encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let number = try #require(pid_t(child))
            await until { !Self.isAlive(number) }
            let shown = try await place.godwit("job", "show", "mail", id, "-o", "json").object()
            #expect(shown["state"] as? String == "ready")
            #expect(shown["attempt"] as? Int == 0)
        }
    }

    @Test func `a run over its timeout ends with all it started and counts as failed`() async throws
    {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "x", "--max-attempts", "1")
            let outcome = try await place.godwit(
                "work", "mail", "--drain", "--run-timeout", "200ms", "--exec",
                "sleep 600 & echo $! > child; wait")
            #expect(outcome.status == 0, "\(outcome)")
            let shown = try await place.godwit("job", "show", "mail", id, "-o", "json").object()
            #expect(shown["state"] as? String == "dead")
            #expect((shown["reason"] as? String)?.contains("timeout") == true)
            let child = try String(contentsOf: place.file("child"), encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let number = try #require(pid_t(child))
            await until { !Self.isAlive(number) }
        }
    }

    /// A zombie that its new parent has not collected yet is as good as gone.
    static func isAlive(_ process: pid_t) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        else {
            #if os(Linux)
            return false
            #else
            return kill(process, 0) == 0
            #endif
        }
        return stat.split(separator: ")").last?.split(separator: " ").first != "Z"
    }
}

/// Looks again until it holds. Why polling: what another process does sends this one no signal.
func until(_ holds: () throws -> Bool) async rethrows {
    while try !holds() { await Task.yield() }
}
