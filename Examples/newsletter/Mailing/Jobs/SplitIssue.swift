// SPDX-License-Identifier: Apache-2.0
import Crypto
package import Godwit

/// Cuts an issue's recipients into batches: one message each. It is a job itself, so that who
/// starts a mailing hands in one message and is done.
package struct SplitIssue: Job {
    package static let name = "newsletter.split"
    package static var defaults: JobDefaults {
        JobDefaults(
            retry: .exponential(maxAttempts: 10, base: .milliseconds(200)), timeout: .seconds(300))
    }

    /// The issue's name: a part of every Message-ID.
    package let issue: String
    package let recipients: Int
    package let perJob: Int
    /// Addresses that came in by hand, as they came; a batch of their own behind the others.
    package let added: [String]

    package init(issue: String, recipients: Int, perJob: Int, added: [String] = []) {
        self.issue = issue
        self.recipients = recipients
        self.perJob = perJob
        self.added = added
    }

    /// The jobs it makes, in their order.
    package var batches: [SendBatch] {
        let step = max(1, perJob)
        var batches: [SendBatch] = []
        var first = 0
        while first < recipients {
            let count = min(step, recipients - first)
            batches.append(
                SendBatch(
                    issue: issue, batch: batches.count, first: first, count: count, added: nil))
            first += count
        }
        if !added.isEmpty {
            batches.append(
                SendBatch(
                    issue: issue, batch: batches.count, first: 0, count: 0, added: added))
        }
        return batches
    }

    /// Enqueues the batches; a second run adds none, wherever the first one ended.
    ///
    /// Why ids and no unique keys: a key is free again as soon as its message ends, an id is not. They are made
    /// of this message's own id, which is the same in each of its runs.
    package func split(id: MessageID, into queue: Queue) async throws {
        for batch in batches {
            try await queue.enqueue(batch, .id(Self.id(of: batch, under: id)))
        }
    }

    /// A UUIDv7 with its parent's time, and 74 bits of a hash in place of the random ones.
    package static func id(of batch: SendBatch, under parent: MessageID) -> MessageID {
        let digest = Array(SHA256.hash(data: Array("\(parent)/\(batch.title)".utf8)))
        let words = (0..<2).map { half in
            digest[half * 8..<half * 8 + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        return MessageID(
            high: parent.high & ~0xFFF | words[0] & 0xFFF,
            low: words[1] >> 2 | 0x8000_0000_0000_0000)
    }
}
