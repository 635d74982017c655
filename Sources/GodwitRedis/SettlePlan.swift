// SPDX-License-Identifier: Apache-2.0
import Godwit
import RedisClient

/// Which settlements go to the store in which call: acks apart from the rest, in their order.
struct SettlePlan: Sendable {
    struct Group: Sendable {
        var isAck: Bool
        var members: [Int] = []
        var bytes = 0
        /// Raised by a second settle of one message: what comes after it stays behind it.
        var part = 0
    }

    private(set) var groups: [Group] = []

    /// `members` are places in `settlements`, for all but those that are answered otherwise.
    init(_ settlements: [Settlement], members: some Sequence<Int>, limits: BrokerLimits) {
        var ack: Int?
        var rest: Int?
        // Why: a message may stand in a call once. The second settle of it goes into a later one.
        var seen: Set<UInt64> = []
        var part = 0
        for member in members {
            let settlement = settlements[member]
            if !seen.insert(settlement.token.id.low).inserted {
                (ack, rest) = (nil, nil)
                part += 1
                seen = [settlement.token.id.low]
            }
            let isAck = settlement.verdict == .ack
            let size = isAck ? 56 : settlement.verdict.textBytes + 128
            let most = min(limits.batch, isAck ? RedisBroker.batch : RedisBroker.smallBatch)
            var place = isAck ? ack : rest
            if let open = place,
                groups[open].members.count >= most || groups[open].bytes + size > limits.batchBytes
            {
                place = nil
            }
            let target = place ?? groups.count
            if place == nil { groups.append(Group(isAck: isAck, part: part)) }
            if isAck { ack = target } else { rest = target }
            groups[target].members.append(member)
            groups[target].bytes += size
        }
        // Why: each call puts what is released before everything else, so the last one goes first
        // and the first one ends up at the head.
        if groups.count > 1 { sort() }
    }

    private mutating func sort() {
        let order = groups.indices.sorted { left, right in
            let (a, b) = (groups[left], groups[right])
            if a.part != b.part { return a.part < b.part }
            if a.isAck != b.isAck { return a.isAck }
            return a.isAck ? left < right : left > right
        }
        groups = order.map { groups[$0] }
    }

    /// Reads the replies into the outcomes at the members' places; an error of any call is thrown.
    func take(
        _ replies: some Collection<RESPValue>, into outcomes: inout [SettleOutcome]
    ) throws(RedisError) {
        for (group, reply) in zip(groups, replies) {
            let stale = try reply.get().elements ?? []
            for place in stale {
                guard let place = place.int, group.members.indices.contains(place) else { continue }
                outcomes[group.members[place]] = .stale
            }
        }
    }
}

extension Verdict {
    fileprivate var textBytes: Int {
        switch self {
        case .ack, .release: 0
        case .retry(_, let reason), .reject(let reason): reason.utf8.count
        case .forward(let queue): queue.text.utf8.count
        }
    }
}

extension RedisBroker {
    func commands(
        _ plan: SettlePlan, of settlements: [Settlement], in queue: RedisQueue
    ) -> [RedisCommand] {
        plan.groups.map { group in
            group.isAck
                ? ack(group, of: settlements, in: queue) : settle(group, of: settlements, in: queue)
        }
    }

    private func ack(
        _ group: SettlePlan.Group, of settlements: [Settlement], in queue: RedisQueue
    ) -> RedisCommand {
        var command = call(
            scripts.ack, in: queue, capacity: LeaseToken.size * group.members.count)
        command.append("")
        append(group.members.lazy.map { settlements[$0].token }, to: &command)
        seal(&command)
        return command
    }

    private func settle(
        _ group: SettlePlan.Group, of settlements: [Settlement], in queue: RedisQueue
    ) -> RedisCommand {
        let count = group.members.count
        var command = call(
            scripts.settle, in: queue, capacity: (LeaseToken.size + 48) * count + group.bytes)
        command.append("")
        append(group.members.lazy.map { settlements[$0].token }, to: &command)
        command.append(count: count) { buffer in
            for (place, member) in group.members.enumerated() {
                buffer[place] =
                    switch settlements[member].verdict {
                    case .ack: UInt8(ascii: "a")
                    case .retry: UInt8(ascii: "s")
                    case .release: UInt8(ascii: "r")
                    case .reject: UInt8(ascii: "d")
                    case .forward: UInt8(ascii: "f")
                    }
            }
        }
        for member in group.members {
            switch settlements[member].verdict {
            case .ack, .release:
                command.append(0)
                command.append("")
            case .retry(let delay, let reason):
                command.append(Int(max(0, min(delay.roundedUp, 0x7FFF_FFFF_FFFF))))
                command.append(reason.cut(toBytes: BrokerLimits.reasonBytes))
            case .reject(let reason):
                command.append(0)
                command.append(reason.cut(toBytes: BrokerLimits.reasonBytes))
            case .forward(let target):
                command.append(0)
                command.append(target.text)
            }
        }
        seal(&command)
        return command
    }

    /// Appends tokens, packed, as one argument.
    func append(_ tokens: some Collection<LeaseToken>, to command: inout RedisCommand) {
        command.append(count: LeaseToken.size * tokens.count) { buffer in
            var offset = 0
            for token in tokens {
                token.withUnsafeBytes { bytes in
                    UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]).copyMemory(
                        from: bytes)
                }
                offset += LeaseToken.size
            }
        }
    }
}

extension String {
    /// The longest beginning of at most `limit` bytes that ends with a whole scalar.
    func cut(toBytes limit: Int) -> String {
        if utf8.count <= limit { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: limit)
        while end > startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(decoding: utf8[..<end], as: UTF8.self)
    }
}
