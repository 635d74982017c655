// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@Suite struct `Enqueue` {
    @Test func `a payload is stored as given, as JSON where it is JSON`() async throws {
        try await withPlace { place in
            for (payload, type) in [
                ("{\"a\": 1}", "application/json"), ("17", "application/json"),
                ("{\"a\": ", "application/octet-stream"),
                ("plain words", "application/octet-stream"),
            ] {
                let id = try await place.enqueue("mail", "welcome", payload)
                let shown = try await place.godwit("job", "show", "mail", id, "-o", "json").object()
                #expect(shown["payload"] as? String == payload)
                #expect(shown["content_type"] as? String == type)
                #expect(shown["state"] as? String == "ready")
                #expect(shown["kind"] as? String == "welcome")
            }
        }
    }

    @Test func `a dash reads the payload from stdin, newline and all`() async throws {
        try await withPlace { place in
            let id = try await place.enqueue("mail", "welcome", "-", input: "two\nlines\n")
            let shown = try await place.godwit("job", "show", "mail", id, "-o", "json").object()
            #expect(shown["payload"] as? String == "two\nlines\n")
        }
    }

    @Test func `lines become one message each, byte for byte`() async throws {
        try await withPlace { place in
            let lines = (0..<1000).map { $0 % 3 == 0 ? "{\"n\": \($0)}" : "word \($0)" }
            try lines.joined(separator: "\n").write(
                to: place.file("lines"), atomically: true, encoding: .utf8)
            let outcome = try await place.godwit(
                "enqueue", "words", "word", "--lines", place.file("lines").path, "-o", "jsonl")
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.out.split(separator: "\n").count == 1000)
            let output = try await place.godwit(
                "work", "words", "--drain", "--concurrency", "1", "--exec", "cat; echo")
            #expect(output.status == 0)
            #expect(output.out.split(separator: "\n").map(String.init).sorted() == lines.sorted())
        }
    }

    @Test func `lines come from stdin too, an empty one is an empty message`() async throws {
        try await withPlace { place in
            let outcome = try await place.godwit(
                "enqueue", "words", "word", "--lines", "-", "-o", "json", input: "one\n\ntwo\n")
            #expect(outcome.status == 0, "\(outcome)")
            #expect(try outcome.array().count == 3)
        }
    }

    @Test func `every option reaches the message`() async throws {
        try await withPlace { place in
            let own = "0197a3c4-0000-7000-8000-0000000000aa"
            let id = try await place.enqueue(
                "mail", "welcome", "x", "--priority", "0", "--delay", "2h", "--unique", "key",
                "--header",
                "tenant=acme", "--header", "path=a=b", "--id", own, "--max-attempts", "4")
            #expect(id == own)
            let shown = try await place.godwit("job", "show", "mail", id, "-o", "json").object()
            #expect(shown["state"] as? String == "scheduled")
            #expect(shown["priority"] as? Int == 0)
            #expect(shown["max_attempts"] as? Int == 4)
            #expect(shown["unique_key"] as? String == "key")
            #expect(shown["headers"] as? [String: String] == ["tenant": "acme", "path": "a=b"])
        }
    }

    @Test func `the same id again adds nothing and says so`() async throws {
        try await withPlace { place in
            let own = "0197a3c4-0000-7000-8000-0000000000ab"
            _ = try await place.enqueue("mail", "welcome", "x", "--id", own)
            let again = try await place.godwit(
                "enqueue", "mail", "welcome", "x", "--id", own, "-o", "json")
            #expect(try again.object()["is_new"] as? Bool == false)
            let counts = try await place.godwit("queue", "list", "-o", "json").array()
            #expect(counts.first?["ready"] as? Int == 1)
        }
    }

    @Test func `a unique key gives the live message's id`() async throws {
        try await withPlace { place in
            let first = try await place.enqueue("mail", "welcome", "x", "--unique", "k")
            let second = try await place.enqueue("mail", "welcome", "y", "--unique", "k")
            #expect(first == second)
        }
    }

    @Test func `a moment that has passed is now, one to come is scheduled`() async throws {
        try await withPlace { place in
            let past = try await place.enqueue(
                "mail", "welcome", "x", "--at", "2020-01-01T00:00:00Z")
            #expect(try await place.state(of: past, in: "mail") == "ready")
            let later = try await place.enqueue(
                "mail", "welcome", "x", "--at", "2099-01-01T00:00:00+01:00")
            #expect(try await place.state(of: later, in: "mail") == "scheduled")
        }
    }

    @Test func `a payload over the limit is refused with its size`() async throws {
        try await withPlace { place in
            let outcome = try await place.godwit(
                "enqueue", "mail", "welcome", "-", input: String(repeating: "x", count: 1 << 20))
            #expect(outcome.status == 65)
            #expect(outcome.err.contains("1048576"))
        }
    }

    @Test func `lines before one that is too long are accepted, and counted`() async throws {
        try await withPlace { place in
            let long = String(repeating: "x", count: 2 << 20)
            let outcome = try await place.godwit(
                "enqueue", "words", "word", "--lines", "-", input: "one\ntwo\n\(long)\nthree\n")
            #expect(outcome.status == 65)
            #expect(outcome.out.split(separator: "\n").count == 2)
            #expect(outcome.err.contains("line 3 of stdin"))
            #expect(outcome.err.contains("2 line(s) before it were accepted"))
            let counts = try await place.godwit("queue", "list", "-o", "json").array()
            #expect(counts.first?["ready"] as? Int == 2)
        }
    }

    @Test func `an id that tells no time is refused`() async throws {
        try await withPlace { place in
            let outcome = try await place.godwit(
                "enqueue", "mail", "welcome", "x", "--id", "8f0d2c11-93b7-4a5e-9c3a-000000000001")
            #expect(outcome.status != 0)
            #expect(outcome.err.contains("version 7"))
        }
    }
}
