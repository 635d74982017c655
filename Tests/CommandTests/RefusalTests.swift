// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@Suite struct `Refusals` {
    @Test(arguments: [
        (
            ["enqueue", "no spaces", "kind", "x", "--broker", "memory:"], 64,
            "can't be the name of a queue"
        ),
        (
            ["enqueue", "mail", "a/b", "x", "--broker", "memory:"], 64,
            "can't be the name of a kind"
        ),
        (["enqueue", "mail", "kind", "x", "--broker", "ftp://host"], 64, "no broker"),
        (["enqueue", "mail", "kind", "x", "--broker", "sqlite:"], 64, "names no file"),
        (["enqueue", "mail", "kind", "x", "--broker", "redis://"], 64, "Redis URL"),
        (
            ["enqueue", "mail", "kind", "x", "--priority", "9", "--broker", "memory:"], 64,
            "--priority is 0"
        ),
        (
            ["enqueue", "mail", "kind", "x", "--delay", "5 parsecs", "--broker", "memory:"], 64,
            "not a length of time"
        ),
        (
            ["enqueue", "mail", "kind", "x", "--at", "tomorrow", "--broker", "memory:"], 64,
            "ISO 8601"
        ),
        (
            ["enqueue", "mail", "kind", "x", "--header", "novalue", "--broker", "memory:"], 64,
            "not a header"
        ),
        (
            ["enqueue", "mail", "kind", "x", "--id", "17", "--broker", "memory:"], 64,
            "not a message id"
        ),
        (
            ["enqueue", "mail", "kind", "--lines", "-", "--unique", "k", "--broker", "memory:"], 64,
            "makes many"
        ),
        (
            ["enqueue", "mail", "kind", "--lines", "/nowhere/at/all", "--broker", "memory:"], 66,
            "/nowhere/at/all"
        ),
        (["queue", "show", "mail", "--broker", "memory:"], 66, "there is no queue 'mail'"),
        (
            ["job", "show", "mail", "0197a3c4-0000-7000-8000-000000000001", "--broker", "memory:"],
            66, "no queue"
        ),
        (["dead", "redrive", "mail", "--broker", "memory:"], 64, "--all"),
        (["work", "mail", "--broker", "memory:"], 64, "--exec"),
        (
            ["work", "mail", "--exec", "true", "--concurrency", "0", "--broker", "memory:"], 64,
            "--concurrency"
        ),
        (["nonsense"], 64, "nonsense"),
        (["queue", "list", "-o", "yaml", "--broker", "memory:"], 64, "yaml"),
    ])
    func `bad input ends with its code and a sentence`(
        _ arguments: [String], _ status: Int, _ sentence: String
    ) async throws {
        let outcome = try await Tool.godwit.run(arguments)
        #expect(outcome.status == Int32(status), "\(outcome)")
        #expect(outcome.err.contains(sentence), "\(outcome)")
        #expect(outcome.out.isEmpty)
    }

    @Test(arguments: ["redis://user:hunter2@127.0.0.1:1/0", "rediss://:hunter2@host/0"])
    func `a password on the command line is refused and not repeated`(_ url: String) async throws {
        let outcome = try await Tool.godwit.run(["queue", "list", "--broker", url])
        #expect(outcome.status == 64)
        #expect(outcome.err.contains("GODWIT_BROKER"))
        #expect(outcome.err.contains("GODWIT_REDIS_PASSWORD"))
        #expect(!outcome.err.contains("hunter2"))
    }

    @Test
    func `the same URL in the environment is taken, and a server that is down is unavailable`()
        async throws
    {
        // Port 1 of the loopback: nothing listens there.
        let outcome = try await Tool.godwit.run(
            ["queue", "list"], environment: ["GODWIT_BROKER": "redis://user:hunter2@127.0.0.1:1/0"])
        #expect(outcome.status == 69, "\(outcome)")
        #expect(!outcome.err.contains("hunter2"))
    }

    @Test func `a file that is no database is named and left alone`() async throws {
        try await withPlace { place in
            let text = String(repeating: "not a database. ", count: 1000)
            try text.write(to: place.file("jobs.db"), atomically: true, encoding: .utf8)
            let outcome = try await place.godwit("queue", "list")
            #expect(outcome.status == 65, "\(outcome)")
            #expect(outcome.err.contains("jobs.db"))
            #expect(try String(contentsOf: place.file("jobs.db"), encoding: .utf8) == text)
        }
    }

    @Test func `without a store named it is a file under the data directory`() async throws {
        try await withPlace { place in
            let outcome = try await Tool.godwit.run(
                ["enqueue", "mail", "welcome", "x"],
                environment: ["XDG_DATA_HOME": place.folder.path])
            #expect(outcome.status == 0, "\(outcome)")
            #expect(FileManager.default.fileExists(atPath: place.file("godwit/godwit.db").path))
        }
    }

    @Test func `help goes to stdout and ends with 0`() async throws {
        for arguments in [["--help"], ["work", "--help"], ["--version"]] {
            let outcome = try await Tool.godwit.run(arguments)
            #expect(outcome.status == 0)
            #expect(!outcome.out.isEmpty)
        }
    }

    @Test func `an unknown message is told apart from an unknown queue`() async throws {
        try await withPlace { place in
            _ = try await place.enqueue("mail", "welcome", "x")
            let outcome = try await place.godwit(
                "job", "show", "mail", "0197a3c4-0000-7000-8000-000000000001")
            #expect(outcome.status == 66)
            #expect(outcome.err.contains("knows no message 0197a3c4-0000-7000-8000-000000000001"))
        }
    }
}
