// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// What somebody wants to be told of, and where. Rules live on the board (``AlertBook``).
public struct AlertRule: Sendable, Hashable, Codable {
    /// What raises it.
    public enum Trigger: String, Sendable, Hashable, Codable, CaseIterable {
        /// A group of failures reaches the dead letters that was not open there.
        case newGroup = "new-group"
        /// More than `threshold` dead letters within the window.
        case deathRate = "death-rate"
        /// A message ended because it took one worker after the other with it.
        case crashLoop = "crash-loop"
        /// The oldest ready job has waited longer than the queue's target, else `threshold` seconds.
        case age
        /// Jobs of a kind are ready for the window and no live worker knows it.
        case noWorker = "no-worker"
        /// A run without progress for `threshold` seconds, or a lease that nobody reclaims.
        case stuck
        /// The store refuses writes: memory, disk, replicas.
        case storeRefuses = "store-refuses"
    }

    /// `A–Z a–z 0–9 . _ -`, at most 64 of them.
    public var name: String
    public var trigger: Trigger
    /// Names of queues with commas between them; each may end in `*`.
    public var queues: String
    /// Only dead letters that match this query count; nil: all.
    public var query: String?
    public var threshold: Int
    public var windowSeconds: Int
    /// Names of channels; each gets every message.
    public var channels: [String]
    /// Says nothing before this moment.
    public var mutedUntil: Timestamp?
    /// Sends along the first sample's payload, at most 2 KiB of it: never unless asked for.
    public var includesPayload: Bool

    public init(
        name: String, trigger: Trigger, queues: String = "*", query: String? = nil,
        threshold: Int? = nil, windowSeconds: Int = 60,
        channels: [String] = [AlertChannel.defaultName], mutedUntil: Timestamp? = nil,
        includesPayload: Bool = false
    ) {
        self.name = name
        self.trigger = trigger
        self.queues = queues
        self.query = query
        self.threshold = threshold ?? Self.threshold(of: trigger)
        self.windowSeconds = windowSeconds
        self.channels = channels
        self.mutedUntil = mutedUntil
        self.includesPayload = includesPayload
    }

    /// Reads a rule that an older or a newer version wrote: what is missing has its default.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let trigger = try values.decode(Trigger.self, forKey: .trigger)
        self.init(
            name: try values.decode(String.self, forKey: .name), trigger: trigger,
            queues: try values.decodeIfPresent(String.self, forKey: .queues) ?? "*",
            query: try values.decodeIfPresent(String.self, forKey: .query),
            threshold: try values.decodeIfPresent(Int.self, forKey: .threshold),
            windowSeconds: try values.decodeIfPresent(Int.self, forKey: .windowSeconds) ?? 60,
            channels: try values.decodeIfPresent([String].self, forKey: .channels)
                ?? [AlertChannel.defaultName],
            mutedUntil: try values.decodeIfPresent(Timestamp.self, forKey: .mutedUntil),
            includesPayload: try values.decodeIfPresent(Bool.self, forKey: .includesPayload)
                ?? false)
    }

    private static func threshold(of trigger: Trigger) -> Int {
        switch trigger {
        case .newGroup, .crashLoop, .noWorker, .storeRefuses: 1
        case .deathRate: 10
        case .age: 300
        case .stuck: 3600
        }
    }

    /// What holds in a store that has no rules: one of each trigger, for all queues.
    public static let defaults: [AlertRule] = Trigger.allCases.map {
        AlertRule(name: $0.rawValue, trigger: $0)
    }
}

extension AlertRule {
    /// What is wrong with the rule, for the one who writes it; nil when it can be kept.
    public var problem: String? {
        if !Self.isName(name) {
            return "'\(name.escapedForDisplay)' can't name a rule: use 1 to 64 of A–Z a–z 0–9 . _ -"
        }
        if channels.isEmpty || channels.count > 8 { return "a rule has 1 to 8 channels" }
        if let wrong = channels.first(where: { !Self.isName($0) }) {
            return
                "'\(wrong.escapedForDisplay)' can't name a channel: use 1 to 64 of A–Z a–z 0–9 . _ -"
        }
        if threshold < 1 { return "the threshold must be at least 1, it is \(threshold)" }
        if !(10...3600).contains(windowSeconds) {
            return "the window must be 10 to 3,600 seconds, it is \(windowSeconds)"
        }
        if queues.isEmpty || queues.utf8.count > 1024 { return "the queues take 1 to 1,024 bytes" }
        if let query, !query.isEmpty {
            do {
                if let term = Self.bodyTerm(of: try Query(query)) {
                    return """
                        the query asks for '\(term.escapedForDisplay)', which stands in a message's \
                        body, and rules read dead letters without bodies, so it would never fire: ask \
                        for kind, error:"…", fingerprint, attempt or another field of the record
                        """
                }
            } catch {
                return "the query can't be read: \(error)"
            }
        }
        return nil
    }

    /// The first term that can't be judged without a body (`args.`, `key:`, `tag:`, `trace:`, `size`,
    /// words).
    private static func bodyTerm(of query: Query) -> String? {
        query.terms.lazy.map { Query(terms: [$0]) }
            .first { QueryMatcher($0, now: Timestamp(milliseconds: 0)).stage == .body }?.description
    }

    static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// It watches this queue, and is not muted now. The alerts' own queue is nobody's.
    func isActive(for queue: QueueName, at now: Timestamp) -> Bool {
        if queue == AlertQueue.name { return false }
        if let mutedUntil, now < mutedUntil { return false }
        return covers(queue)
    }

    func covers(_ queue: QueueName) -> Bool {
        queues.split(separator: ",").contains { part in
            let part = part.drop { $0 == " " }
            return part.hasSuffix("*")
                ? queue.text.hasPrefix(part.dropLast()) : queue.text == part
        }
    }

    /// Says of a dead letter whether the rule's query means it.
    ///
    /// The one place where a rule's query is applied. Dead letters are read without their bodies, so
    /// terms that need one are refused when a rule is kept, and left out in one that stands there
    /// nevertheless. A query that can't be read means every letter: a rule that was broken speaks too
    /// much rather than never.
    func filter(
        in queue: QueueName, at now: Timestamp
    ) -> (MessageRecord) -> Bool {
        guard let query, !query.isEmpty, let parsed = try? Query(query) else {
            return { _ in true }
        }
        let matcher = QueryMatcher(parsed, now: now)
        return { matcher.matches($0, in: queue, at: .record) }
    }
}

/// The queue that alerts go through.
public enum AlertQueue {
    public static let name: QueueName = "godwit.alerts"

    /// The most alerts that wait or are dead; further ones are dropped and counted.
    public static let maxMessages = 1000
}
