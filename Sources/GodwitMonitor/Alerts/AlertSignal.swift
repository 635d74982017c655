// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// One thing that a rule saw in one look, before storm control decides whether anybody hears of it.
public struct AlertSignal: Sendable, Hashable {
    /// The name of the rule.
    public var rule: String
    public var trigger: AlertRule.Trigger
    /// The queue, or the store's own name where the trigger is about the store.
    public var queue: String
    /// What belongs together: a fingerprint, a kind, a worker.
    public var group: String
    /// The sentence of the group. Hostile where it comes from jobs.
    public var text: String
    /// Events since the last look; for a condition, how many or how long it is now.
    public var count: Int
    /// Up to three ids.
    public var samples: [String]
    public var at: Timestamp

    public init(
        rule: String, trigger: AlertRule.Trigger, queue: String, group: String, text: String,
        count: Int, samples: [String] = [], at: Timestamp
    ) {
        self.rule = rule
        self.trigger = trigger
        self.queue = queue
        self.group = group
        self.text = text
        self.count = count
        self.samples = samples
        self.at = at
    }
}

extension AlertRule.Trigger {
    /// Its count is how bad it is now, not how often it happened.
    var isCondition: Bool {
        switch self {
        case .newGroup, .crashLoop: false
        case .deathRate, .age, .noWorker, .stuck, .storeRefuses: true
        }
    }
}

/// What storm control knows of one group: open from its first signal until ten quiet minutes are over.
public struct AlertGroup: Sendable, Hashable, Codable {
    public struct Key: Sendable, Hashable, Codable {
        public var rule: String
        public var queue: String
        public var group: String

        public init(rule: String, queue: String, group: String) {
            self.rule = rule
            self.queue = queue
            self.group = group
        }
    }

    /// Stands for all groups of a queue beyond its bound.
    public static let other = "_other"

    public var key: Key
    public var trigger: AlertRule.Trigger
    /// At most 200 bytes.
    public var text: String
    public var firstAt: Timestamp
    public var lastAt: Timestamp
    public var count: Int
    public var samples: [String]
    /// When and with which count it was last told of; nil: not yet.
    public var toldAt: Timestamp?
    public var toldCount: Int

    init(_ signal: AlertSignal, _ key: Key) {
        self.key = key
        trigger = signal.trigger
        text = key.group == Self.other ? "many other groups" : signal.text.cut(to: 200)
        firstAt = signal.at
        lastAt = signal.at
        count = 0
        samples = []
        toldCount = 0
    }

    mutating func take(_ signal: AlertSignal) {
        count = trigger.isCondition ? signal.count : min(count + max(0, signal.count), 1 << 50)
        lastAt = max(lastAt, signal.at)
        if samples.count < 3 { samples += signal.samples.prefix(3 - samples.count) }
    }
}
