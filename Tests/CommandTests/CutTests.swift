// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// What is left out is said, and a dry run leaves nothing behind.
@Suite(.timeLimit(.minutes(3))) struct `What is cut` {
    @Test func `a list says whether it is all`() async throws {
        try await Stocked.lend { stock in
            let place = stock.place
            _ = try await place.enqueue("other", "welcome", "x")
            for name in ["one", "two"] {
                let kept = try await place.godwit(
                    "alert", "channel", name, "--url-variable", "GODWIT_ALERT_OPS")
                #expect(kept.status == 0, "\(kept)")
            }
            for words in [
                ["queue", "list"], ["dead", "groups"], ["alert", "list"], ["alert", "channels"],
            ] {
                let whole = try await Tool.godwit.run(
                    words + ["-o", "json", "--broker", place.broker])
                #expect(try whole.object()["complete"] as? Bool == true, "\(words): \(whole)")
                #expect(try whole.array().count > 1, "\(words): \(whole)")
                let part = try await Tool.godwit.run(
                    words + ["-o", "json", "--limit", "1", "--broker", place.broker])
                #expect(try part.object()["complete"] as? Bool == false, "\(words): \(part)")
                #expect(try part.array().count == 1, "\(words)")
                #expect(part.err.contains("--limit"), "\(words): \(part)")
            }
            for words in [["worker", "list"], ["alert", "groups"]] {
                let whole = try await Tool.godwit.run(
                    words + ["-o", "json", "--broker", place.broker])
                #expect(try whole.object()["complete"] as? Bool == true, "\(words): \(whole)")
            }
        }
    }

    @Test func `tail shows the last moves, oldest first, and says how many it passed over`()
        async throws
    {
        try await withPlace { place in
            var ids: [String] = []
            for payload in 0..<5 {
                let id = try await place.enqueue("mail", "welcome", "\(payload)")
                _ = try await place.godwit("job", "cancel", id)
                ids.append(id)
            }
            let tail = try await place.godwit(
                "job", "tail", "mail", "--last", "2", "--for", "1ms", "-o", "json")
            #expect(try tail.array().compactMap { $0["id"] as? String } == ids.suffix(2), "\(tail)")
            #expect(tail.err.contains("3 older move(s)"), "\(tail)")
            let all = try await place.godwit("job", "tail", "mail", "--for", "1ms", "-o", "json")
            #expect(try all.array().count == 5)
            #expect(!all.err.contains("older move"))
        }
    }

    @Test func `a dry run is not in the audit`() async throws {
        try await Stocked.lend { stock in
            let place = stock.place
            _ = try await place.godwit(
                "alert", "channel", "ops", "--url-variable", "GODWIT_ALERT_OPS")
            let before = try await place.godwit("audit", "list", "-o", "json").array().count
            for words in [
                ["alert", "channel", "ops", "--remove"], ["dead", "export", "-", "mail"],
                ["dead", "prune", "mail", "--older-than", "0s"], ["queue", "purge", "mail"],
            ] {
                let outcome = try await Tool.godwit.run(
                    words + ["--dry-run", "--broker", place.broker])
                #expect(outcome.status == 0, "\(words): \(outcome)")
            }
            let after = try await place.godwit("audit", "list", "-o", "json").array().count
            #expect(after == before)
            _ = try await place.godwit("alert", "channel", "ops", "--remove")
            #expect(
                try await place.godwit("audit", "list", "-o", "json").array().count == before + 1)
        }
    }
}
