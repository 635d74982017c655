// SPDX-License-Identifier: Apache-2.0
import Crypto
public import Godwit

/// One message to a human, decided on by an ``AlertJudge``; before it has a channel.
public struct AlertMessage: Sendable, Hashable, Codable {
    public enum Phase: String, Sendable, Hashable, Codable, CaseIterable {
        case first, update, resolved, digest, test
    }

    public var phase: Phase
    /// Nil for a digest and a test.
    public var key: AlertGroup.Key?
    public var trigger: AlertRule.Trigger
    /// The sentence of the group; of a digest, its lines. Hostile where it comes from jobs.
    public var text: String
    public var count: Int
    /// How many groups it speaks of.
    public var groups: Int
    public var samples: [String]
    public var firstAt: Timestamp
    public var lastAt: Timestamp
    /// When it was decided on.
    public var at: Timestamp
    /// The names of the rules in it, sorted, at most 20: a digest goes to the channels of them all.
    public var rules: [String]

    init(_ phase: Phase, _ group: AlertGroup, at now: Timestamp) {
        self.phase = phase
        key = group.key
        trigger = group.trigger
        text = group.text
        count = group.count
        groups = 1
        samples = group.samples
        firstAt = group.firstAt
        lastAt = group.lastAt
        at = now
        rules = [group.key.rule]
    }

    /// All that did not get a message of its own; shows the ten largest.
    init(digest words: [(phase: Phase, group: AlertGroup)], at now: Timestamp) {
        phase = .digest
        key = nil
        trigger = words.first?.group.trigger ?? .newGroup
        count = words.reduce(0) { $0 + ($1.phase == .resolved ? 0 : $1.group.count) }
        groups = words.count
        let shown = words.prefix(10).map { word in
            let mark = word.phase == .resolved ? "resolved: " : ""
            return
                "• \(mark)\(word.group.key.queue): \(word.group.text.cut(to: 120)) (\(word.group.count))"
        }
        let more = words.count > 10 ? ["… and \(words.count - 10) more groups"] : []
        text = (shown + more).joined(separator: "\n")
        samples = words.first?.group.samples ?? []
        firstAt = words.map(\.group.firstAt).min() ?? now
        lastAt = words.map(\.group.lastAt).max() ?? now
        at = now
        rules = Array(Set(words.lazy.map(\.group.key.rule)).sorted().prefix(20))
    }

    /// One that only says that the channel works.
    init(testAt now: Timestamp) {
        phase = .test
        key = nil
        trigger = .newGroup
        text = "This is a test. The channel works; there is nothing to do."
        count = 0
        groups = 0
        samples = []
        firstAt = now
        lastAt = now
        at = now
        rules = []
    }

    /// The id of the job that carries it to a channel: a UUID of version 7 with the minute in front, the
    /// rest SHA-256 over channel, phase, rule, queue, group and minute.
    ///
    /// Whoever says the same in the same minute makes the same id, and is told that it is known.
    package func id(on channel: String) -> MessageID {
        let minute = max(0, at.milliseconds / 60_000)
        var hash = SHA256()
        let parts = [
            channel, phase.rawValue, key?.rule ?? "", key?.queue ?? "", key?.group ?? "",
            phase == .test ? "\(at.milliseconds)" : "\(minute)",
        ]
        for part in parts {
            // Why the length: so that no two lists of parts are the same bytes.
            hash.update(data: Array("\(part.utf8.count):".utf8) + Array(part.utf8))
        }
        guard let sum = MessageID(bytes: Array(hash.finalize().prefix(16))) else {
            preconditionFailure("a SHA-256 has 32 bytes")
        }
        let time = UInt64(minute * 60_000) & 0xFFFF_FFFF_FFFF
        return MessageID(
            high: time << 16 | 0x7000 | sum.high & 0xFFF, low: sum.low >> 2 | 0x8000_0000_0000_0000)
    }
}

extension AlertMessage.Phase {
    var order: Int {
        switch self {
        case .first, .test: 0
        case .update: 1
        case .resolved, .digest: 2
        }
    }
}
