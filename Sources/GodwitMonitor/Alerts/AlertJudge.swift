// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// Storm control: turns signals into few messages. A pure value; time is an argument.
///
/// A group is told of at once when it opens, then at most once a minute while there is more to say, and
/// once when ten minutes were quiet. In any 60 seconds there are at most ten messages: nine of single
/// groups, and one digest of all others. A million failures are ten messages too.
public struct AlertJudge: Sendable {
    public static let messagesPerMinute = 10
    public static let groupsPerQueue = 10_000
    /// The most groups of all queues together.
    public static let groupsInAll = 20_000

    static let minute = Duration.seconds(60)
    static let quiet = Duration.seconds(600)

    public private(set) var groups: [AlertGroup.Key: AlertGroup] = [:]
    private(set) var perQueue: [String: Int] = [:]
    /// When single messages went out, within the last minute.
    public internal(set) var sent: [Timestamp] = []
    public internal(set) var digestAt: Timestamp?
    /// What differs from what was last kept; the watch clears it.
    package var changed: Set<AlertGroup.Key> = []

    public init() {}

    /// Goes on where another left off.
    public init(groups: [AlertGroup], sent: [Timestamp], digestAt: Timestamp?) {
        for group in groups { put(group) }
        changed = []
        self.sent = Array(sent.suffix(Self.messagesPerMinute))
        self.digestAt = digestAt
    }

    /// Takes what a look saw and says what to send.
    ///
    /// Repeated: with the same signals it counts them again, so a signal is to be given once. The ids of
    /// messages depend on the group, its phase and the minute alone: two judges in step say the same.
    public mutating func judge(_ signals: [AlertSignal], at now: Timestamp) -> [AlertMessage] {
        for signal in signals { take(signal) }
        // Why: moments ahead of now come from a clock that was set back; they must not block.
        sent.removeAll { $0 > now || now - $0 >= Self.minute }
        var words: [(phase: AlertMessage.Phase, group: AlertGroup)] = []
        for group in groups.values {
            if let phase = phase(of: group, at: now) { words.append((phase, group)) }
        }
        words.sort { left, right in
            let (one, two) = (left.group, right.group)
            let ranks = (left.phase.order, one.trigger.order, -one.count, one.firstAt)
            let others = (right.phase.order, two.trigger.order, -two.count, two.firstAt)
            if ranks != others { return ranks < others }
            // Why to the end: two judges in step must choose the same groups.
            return (one.key.queue, one.key.group, one.key.rule)
                < (two.key.queue, two.key.group, two.key.rule)
        }
        let free = max(0, Self.messagesPerMinute - 1 - sent.count)
        var messages: [AlertMessage] = []
        for word in words.prefix(free) {
            messages.append(AlertMessage(word.phase, word.group, at: now))
            sent.append(now)
            settle(word.phase, word.group, at: now)
        }
        let rest = words.dropFirst(free)
        if !rest.isEmpty, digestAt.map({ $0 > now || now - $0 >= Self.minute }) ?? true {
            messages.append(AlertMessage(digest: rest.map { ($0.phase, $0.group) }, at: now))
            digestAt = now
            for word in rest { settle(word.phase, word.group, at: now) }
        }
        return messages
    }

    /// Marks what a message that was decided on by an earlier judge said, so that nobody says it again.
    mutating func remember(_ message: AlertMessage) {
        guard let key = message.key, message.phase != .digest, message.phase != .test else {
            return
        }
        if message.phase == .resolved { return remove(key) }
        var group =
            groups[key]
            ?? AlertGroup(
                AlertSignal(
                    rule: key.rule, trigger: message.trigger, queue: key.queue, group: key.group,
                    text: message.text, count: message.count, samples: message.samples,
                    at: message.lastAt), key)
        // Why not its count: whoever did not get to keep the group did not keep what it had read
        // either, so the same letters are about to be counted again.
        group.toldCount = message.count
        group.toldAt = message.at
        put(group)
    }

    private mutating func take(_ signal: AlertSignal) {
        var key = AlertGroup.Key(rule: signal.rule, queue: signal.queue, group: signal.group)
        if groups[key] == nil,
            perQueue[signal.queue, default: 0] >= Self.groupsPerQueue
                || groups.count >= Self.groupsInAll
        {
            key.group = AlertGroup.other
        }
        var group = groups[key] ?? AlertGroup(signal, key)
        group.take(signal)
        put(group)
    }

    private func phase(of group: AlertGroup, at now: Timestamp) -> AlertMessage.Phase? {
        guard let toldAt = group.toldAt else { return .first }
        if now - group.lastAt >= Self.quiet, now - toldAt >= Self.minute { return .resolved }
        guard toldAt > now || now - toldAt >= Self.minute else { return nil }
        // Why: a condition that goes on is news only when it has become twice as bad.
        let isNews =
            group.trigger.isCondition
            ? group.count >= 2 * max(1, group.toldCount) : group.count > group.toldCount
        return isNews ? .update : nil
    }

    private mutating func settle(
        _ phase: AlertMessage.Phase, _ group: AlertGroup, at now: Timestamp
    ) {
        if phase == .resolved { return remove(group.key) }
        var group = group
        group.toldAt = now
        group.toldCount = group.count
        put(group)
    }

    private mutating func put(_ group: AlertGroup) {
        if groups.updateValue(group, forKey: group.key) == nil {
            perQueue[group.key.queue, default: 0] += 1
        }
        changed.insert(group.key)
    }

    private mutating func remove(_ key: AlertGroup.Key) {
        guard groups.removeValue(forKey: key) != nil else { return }
        let left = perQueue[key.queue, default: 1] - 1
        perQueue[key.queue] = left > 0 ? left : nil
        changed.insert(key)
    }
}

extension AlertRule.Trigger {
    /// What is told of first when not all can be.
    var order: Int {
        switch self {
        case .storeRefuses: 0
        case .crashLoop: 1
        case .noWorker: 2
        case .age: 3
        case .deathRate: 4
        case .stuck: 5
        case .newGroup: 6
        }
    }
}
