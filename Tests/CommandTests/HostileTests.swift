// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitSQLite
import Testing

/// Text of jobs is hostile: it reaches programs as it is, and terminals never.
@Suite(.timeLimit(.minutes(5))) struct `Hostile text` {
    static let strings: [String] = {
        var all = [
            "\u{1B}[2J", "\u{1B}[31mred", "\u{1B}]0;title\u{07}", "\u{1B}]52;c;ZXZpbA==\u{07}",
            "\u{1B}]8;;http://evil\u{1B}\\link\u{1B}]8;;\u{1B}\\", "\u{1B}P+q\u{1B}\\", "\u{1B}c",
            "\u{1B}[6n", "\u{1B}[?1049h", "\u{9B}2J", "\u{9D}0;x\u{9C}", "\u{90}x\u{9C}",
            "a\u{08}\u{08}b", "a\rb", "a\nb", "a\r\nb", "a\tb", "\u{07}", "\u{00}", "a\u{00}b",
            "\u{7F}", "\u{85}", "\u{0B}\u{0C}", "\u{202E}gnp.exe", "\u{202A}x\u{202C}",
            "\u{2066}x\u{2069}", "\u{2067}x", "\u{2068}x", "\u{200E}\u{200F}", "\u{61C}",
            "a\u{200B}b", "\u{FEFF}x", "a\u{AD}b", "\u{2028}x", "\u{2029}x", "\u{2060}x",
            "\u{E0041}\u{E0042}", "\u{FFF9}x\u{FFFA}y\u{FFFB}", "=1+1", "+1", "-1", "@SUM(A1)",
            "=HYPERLINK(\"http://evil\")", "'quoted'", "\"double\"", "\\", "\\n", "\\x1b",
            "\\u{1b}", "a\\tb", "$(rm -rf /)", "`id`", "; rm -rf /", "| cat", "%s%n%x", "{{x}}",
            "<script>alert(1)</script>", "&amp;", "-", "--", "--yes", "-o", "NULL", "null", "",
            " ", "日本語テキスト", "👩‍👩‍👧‍👦🏳️‍🌈", "e\u{301}\u{302}\u{303}", "\u{1D173}x", "../../etc/passwd",
        ]
        all.append(String(repeating: "x", count: 100_000))
        all.append(String(repeating: "\u{1B}[2J", count: 2000))
        all.append(String(repeating: "\u{301}", count: 1000))
        return all
    }()

    static func isHarmless(_ text: String, tabs: Bool = false) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0x0A: true
            case 0x09: tabs
            case 0..<0x20, 0x7F...0x9F: false
            case 0xAD, 0x61C, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F: false
            case 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F: false
            default: true
            }
        }
    }

    private static func fill(_ path: String) async throws -> [MessageID: String] {
        let broker = try await SQLiteBroker(path: path)
        let kind = try Kind("welcome")
        var sent: [MessageID: String] = [:]
        for (index, text) in strings.enumerated() {
            let queue = Queue("mail", on: broker)
            let short = String(decoding: text.utf8.prefix(120), as: UTF8.self)
            var options: [EnqueueOption] = [
                .headers(["trace": short, "x-\(short)": "1", "godwit-key": short])
            ]
            if !short.isEmpty { options.append(.unique(by: "\(index) \(short)")) }
            let accepted = try await queue.enqueue(
                kind: kind, payloads: [Array(text.utf8)], as: .bytes, options)
            sent[try #require(accepted.first).id] = text
        }
        while true {
            let leased = try await broker.reserve(ReserveRequest(16), from: "mail").messages
            if leased.isEmpty { break }
            _ = try await broker.settle(
                leased.map { message in
                    Settlement(
                        message.token,
                        .reject(String((sent[message.token.id] ?? "").prefix(1500))))
                }, in: "mail")
        }
        for (index, text) in strings.enumerated() {
            let short = String(decoding: text.utf8.prefix(200), as: UTF8.self)
            let beat = WorkerBeat(
                number: UInt32(index), name: short, version: short, queue: "mail",
                kinds: [short], slots: 1, startedAt: broker.time.now(), leaseMilliseconds: 1,
                running: [.init(id: short, kind: short, since: broker.time.now(), attempt: 0)])
            try await broker.board.write(
                try beat.bytes(), as: "\(index)", in: .workers, for: .seconds(600), if: .any)
        }
        await broker.shutdown()
        return sent
    }

    @Test func `no field of a job or worker drives a terminal, and programs get it whole`()
        async throws
    {
        #expect(Self.strings.count >= 60)
        try await withPlace { place in
            let sent = try await Self.fill(place.file("jobs.db").path)
            for words in [
                ["dead", "list", "mail"], ["dead", "groups"], ["worker", "list"],
                ["worker", "show", "0"], ["worker", "show", "3"], ["job", "tail", "--for", "1ms"],
                ["dead", "redrive", "mail", "--all", "--dry-run"],
            ] {
                for format in ["text", "json", "jsonl", "tsv"] {
                    let outcome = try await Tool.godwit.run(
                        words + ["-o", format, "--limit", "1000", "--broker", place.broker])
                    #expect(outcome.status == 0, "\(words) \(outcome.err)")
                    #expect(
                        Self.isHarmless(outcome.out, tabs: format == "tsv")
                            && Self.isHarmless(outcome.err), "\(words) \(format)")
                    if format == "tsv" { Self.checkCells(outcome.out, words) }
                }
            }
            for (id, text) in sent {
                let shown = try await place.godwit("job", "show", "\(id)")
                #expect(shown.status == 0 && Self.isHarmless(shown.out), "\(text.debugDescription)")
                let outcome = try await place.godwit("job", "show", "\(id)", "-o", "json")
                #expect(Self.isHarmless(outcome.out), "\(text.debugDescription)")
                let json = try outcome.object()
                #expect(json["payload"] as? String == text, "\(text.debugDescription)")
                let short = String(decoding: text.utf8.prefix(120), as: UTF8.self)
                #expect((json["headers"] as? [String: String])?["trace"] == short)
            }
            let file = place.file("letters.jsonl")
            let export = try await place.godwit("dead", "export", file.path, "mail")
            #expect(export.status == 0, "\(export)")
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(Self.isHarmless(text))
            let payloads = try text.split(separator: "\n").map { line in
                let object = try #require(
                    try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                let base64 = try #require(object["payload_base64"] as? String)
                return String(decoding: try #require(Data(base64Encoded: base64)), as: UTF8.self)
            }
            #expect(payloads.sorted() == Self.strings.sorted())
        }
    }

    private static func checkCells(_ out: String, _ words: [String]) {
        for line in out.split(separator: "\n").dropFirst() {
            for cell in line.split(separator: "\t", omittingEmptySubsequences: false) {
                let isFormula = cell.first.map { "=+-@".contains($0) } ?? false
                // A number may be negative: it is no text.
                #expect(!isFormula || Int(cell) != nil, "\(words): \(cell)")
            }
        }
    }

    @Test func `the command that enqueues again makes the same bytes`() async throws {
        try await withPlace { place in
            for text in Self.strings where text.utf8.count < 1000 && !text.isEmpty {
                let id = try await place.enqueue("mail", "welcome", "-", input: text)
                let shown = try await place.godwit("job", "show", id, "-o", "json").object()
                let command = try #require(shown["command"] as? String, "\(text.debugDescription)")
                #expect(Self.isHarmless(command))
                let script = place.file("again.sh")
                try Data(
                    command.replacing(
                        "godwit enqueue",
                        with: "'\(Tool.godwit.url.path)' enqueue --broker '\(place.broker)'"
                    ).utf8
                ).write(to: script)
                let again = try await Tool(path: "/bin/sh").run([script.path], in: place.folder)
                let copy = again.out.trimmingCharacters(in: .whitespacesAndNewlines)
                let other = try await place.godwit("job", "show", copy, "-o", "json").object()
                #expect(other["payload"] as? String == text, "\(command)")
            }
        }
    }

    @Test func `what was typed comes back harmless in an error`() async throws {
        for text in Self.strings where text.utf8.count < 2000 && !text.contains("\0") {
            for words in [
                ["queue", "show", text], ["job", "show", text], ["job", "list", "--where", text],
                ["queue", "list", "--fields", text], ["job", "list", "--after", text],
                ["worker", "show", text], ["context", "use", text],
                ["queue", "list", "--limit", text],
                ["--broker", text, "queue", "list"], ["--context", text, "queue", "list"],
            ] {
                let outcome = try await Tool.godwit.run(
                    words + (words.contains("--broker") ? [] : ["--broker", "memory:"]))
                #expect(Self.isHarmless(outcome.err), "\(words): \(outcome.err.debugDescription)")
                #expect(Self.isHarmless(outcome.out), "\(words)")
                #expect(![70, 132, 133, 134, 139].contains(outcome.status), "\(words): \(outcome)")
            }
        }
    }
}
