// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestRedis
import Testing

extension Tool {
    static let newsletter = Tool(name: "newsletter")
}

@Suite(.timeLimit(.minutes(5))) struct `newsletter` {
    /// A story of 2,000 recipients in 20 jobs by 3 processes, one of which is killed.
    static let small = [
        "run", "--recipients", "2000", "--per-job", "100", "--lease", "2", "--delay", "2",
        "--every", "5", "-o", "json",
    ]

    /// What must hold whoever was killed where.
    static func check(_ outcome: Tool.Outcome, recipients: Int, jobs: Int) throws {
        #expect(outcome.status == 0, "\(outcome)")
        let sums = try outcome.object()
        #expect(sums["distinct"] as? Int == recipients, "\(sums)")
        let repeats = try #require(sums["repeats"] as? Int)
        let held = try #require(sums["heldByKilled"] as? Int)
        #expect((1...2).contains(held))
        // 5 mails since the last checkpoint of each batch whose lease was lost: those of the killed worker,
        // and maybe of one that a busy machine starved.
        let lost = try #require(sums["lostLeases"] as? Int)
        #expect(lost >= held && lost <= held + 4, "\(sums)")
        #expect(repeats <= 5 * lost, "\(sums)")
        #expect(sums["raw"] as? Int == recipients + repeats)
        #expect(sums["completed"] as? Int == jobs + 1)
        #expect(sums["dead"] as? Int == 1)
        #expect(outcome.err.contains("SIGKILL"))
    }

    @Test func `with a worker killed, everybody gets one mail and repeats stay within the bound`()
        async throws
    {
        try await withPlace { place in
            let outcome = try await Tool.newsletter.run(
                Self.small + ["--into", place.folder.path], in: place.folder)
            try Self.check(outcome, recipients: 2000, jobs: 20)
            let broker = "sqlite:\(place.folder.path)/newsletter.db"
            let dead = try await Tool.godwit.run([
                "dead", "list", "newsletter", "-o", "jsonl", "--broker", broker,
            ])
            #expect(dead.out.contains("recipient 2 of 2 in batch"), "\(dead)")
            #expect(dead.out.contains("line break"))
            #expect(try outcome.object()["alertsBelieved"] as? Int == 1)
        }
    }

    @Test func `the same on Redis`() async throws {
        let server = try await SharedRedis.freshURL()
        try await withPlace { place in
            let outcome = try await Tool.newsletter.run(
                Self.small + ["--into", place.folder.path, "--broker", server], in: place.folder)
            try Self.check(outcome, recipients: 2000, jobs: 20)
        }
    }

    @Test func `an issue that is handed in twice is one job`() async throws {
        try await withPlace { place in
            var ids: [String] = []
            for isNew in [true, false] {
                let outcome = try await Tool.newsletter.run([
                    "split", "--broker", place.broker, "--recipients", "100",
                ])
                #expect(outcome.status == 0, "\(outcome)")
                let accepted = try outcome.object()
                #expect(accepted["isNew"] as? Bool == isNew)
                ids.append(try #require(accepted["id"] as? String))
            }
            #expect(Set(ids).count == 1)
            #expect(try await place.state(of: ids[0], in: "newsletter") == "ready")
            // A story does not begin among jobs whose mails it would count as its own.
            let refused = try await Tool.newsletter.run(
                Self.small + ["--into", place.folder.path, "--broker", place.broker])
            #expect(refused.status != 0 && refused.err.contains("earlier run"), "\(refused)")
        }
    }

    @Test(arguments: [
        (["run", "--recipients", "0"], "--recipients"), (["run", "--workers", "0"], "--workers"),
        (["run", "--issue", "a\r\nb"], "--issue"), (["run", "--issue", ""], "--issue"),
        (["run", "--recipients", "9999999", "--per-job", "1"], "--per-job"),
        (["run", "--delay", "-1"], "--delay"),
        (["work", "--broker", "sqlite:x.db", "--smtp", "nonsense"], "host:port"),
        (["work", "--broker", "sqlite:x.db", "--smtp", "h:1", "--every", "0"], "--every"),
        (["work", "--broker", "nonsense", "--smtp", "h:1"], "--broker"),
        (["receive"], "NEWSLETTER_WEBHOOK_SECRET"),
    ])
    func `bad input is refused with the option that holds it`(
        _ arguments: [String], _ word: String
    ) async throws {
        try await withPlace { place in
            let outcome = try await Tool.newsletter.run(arguments, in: place.folder)
            #expect(outcome.status != 0)
            #expect(outcome.err.contains(word), "\(outcome)")
            #expect(outcome.out.isEmpty)
        }
    }
}
