// SPDX-License-Identifier: Apache-2.0
import Godwit
import RedisClient

/// Which lanes' commits go to the store in which call.
struct CommitPlan {
    struct Group {
        /// Places among the settlements.
        var members: [Int] = []
        var bytes = 0
    }

    private(set) var groups: [Group] = []

    init(_ settlements: [LaneSettlement]) {
        // Why apart when they are many: each call puts what it releases before everything else, so
        // the last call goes first and the first one ends up at the head.
        groups = Self.groups(of: settlements.indices, settlements)
        if groups.count < 2 { return }
        let released = settlements.indices.filter { settlements[$0].end == .release }
        let others = settlements.indices.filter { settlements[$0].end != .release }
        groups =
            Self.groups(of: others, settlements) + Self.groups(of: released, settlements).reversed()
    }

    private static func groups(
        of members: some Sequence<Int>, _ settlements: [LaneSettlement]
    ) -> [Group] {
        var groups: [Group] = []
        for member in members {
            let size = settlements[member].size
            let isFull =
                groups.last.map {
                    $0.members.count >= StreamLimits.lanes || $0.bytes + size > StreamPlan.bytes
                } ?? true
            if isFull { groups.append(Group()) }
            groups[groups.count - 1].members.append(member)
            groups[groups.count - 1].bytes += size
        }
        return groups
    }

    /// Reads the replies into the outcomes at the members' places; an error of any call is thrown.
    func take(
        _ replies: some Collection<RESPValue>, into outcomes: inout [SettleOutcome]
    ) throws(RedisError) {
        for (group, reply) in zip(groups, replies) {
            let refused = try reply.get().elements ?? []
            for start in stride(from: 0, to: refused.count - 1, by: 2) {
                guard let place = refused[start].int, group.members.indices.contains(place) else {
                    continue
                }
                outcomes[group.members[place]] = refused[start + 1].int == 2 ? .targetBusy : .stale
            }
        }
    }
}

extension LaneSettlement {
    fileprivate var size: Int {
        emissions.reduce(token.key.utf8.count + (state?.count ?? 0) + reason.utf8.count + 64) {
            $0 + $1.message.body.count + 256
        }
    }

    fileprivate var reason: String {
        switch end {
        case .retry(_, let reason), .block(let reason): reason.cut(to: Event.textBytes)
        case .next, .skip, .release: ""
        }
    }

    fileprivate var letter: UInt8 {
        switch end {
        case .next: UInt8(ascii: "n")
        case .retry: UInt8(ascii: "r")
        case .skip: UInt8(ascii: "k")
        case .block: UInt8(ascii: "b")
        case .release: UInt8(ascii: "e")
        }
    }

    fileprivate var delay: Int64 {
        guard case .retry(let delay, _) = end else { return 0 }
        return max(0, min(delay.roundedUp, 0x7FFF_FFFF_FFFF))
    }

    /// handled 2 | newest id 8 | bytes of the window 4 | end 1 | has a state 1 | delay_ms 6 | token
    fileprivate var facts: [UInt8] {
        var facts: [UInt8] = []
        facts.reserveCapacity(30 + token.key.utf8.count)
        func append(_ number: UInt64, _ bytes: Int) {
            for index in 0..<bytes {
                facts.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * (bytes - 1 - index))))
            }
        }
        append(UInt64(min(handled, 0xFFFF)), 2)
        append(newest.rawValue, 8)
        append(UInt64(max(0, min(windowBytes, Int(Int32.max)))), 4)
        facts.append(letter)
        facts.append(state == nil ? 0 : 1)
        append(UInt64(delay), 6)
        append(token.nonce, 8)
        facts += token.key.utf8
        return facts
    }
}

extension RedisBroker {
    func commands(
        _ plan: CommitPlan, of settlements: [LaneSettlement], in stream: RedisQueue
    ) -> [RedisCommand] {
        plan.groups.map { command($0, of: settlements, in: stream) }
    }

    /// One call of STREAM_COMMIT.
    private func command(
        _ group: CommitPlan.Group, of settlements: [LaneSettlement], in stream: RedisQueue
    ) -> RedisCommand {
        let emits = group.members.contains { !settlements[$0].emissions.isEmpty }
        var command = call(
            emits ? scripts.streamCommitEmit : scripts.streamCommit, in: stream,
            capacity: group.bytes + 64 * group.members.count)
        command.append(group.members.count)
        for member in group.members {
            command.append(settlements[member].facts)
            command.append(settlements[member].state ?? [])
            command.append(settlements[member].reason)
        }
        if emits {
            let emissions = group.members.enumerated().map { place, member in
                (lane: place + 1, emissions: settlements[member].emissions)
            }
            append(emissions, to: &command)
        }
        seal(&command)
        return command
    }

    /// Appends emissions of lanes and their number, as stream_emit reads them.
    func append(
        _ emissions: [(lane: Int, emissions: [Emission])], to command: inout RedisCommand
    ) {
        for (lane, emissions) in emissions {
            for emission in emissions {
                let message = emission.message
                let keys = KeySpace(namespace: namespace, queue: emission.queue)
                command.append(lane)
                command.append(keys.tag)
                command.append(
                    keys.list(band: message.priority.band, kind: message.kind.hash))
                command.append(message.id.bytes)
                append(message, to: &command, isUnique: emission.deadReason == nil)
                if let reason = emission.deadReason {
                    command.append("")
                    command.append("x")
                    command.append(reason.cut(to: BrokerLimits.reasonBytes))
                } else {
                    command.append(message.uniqueKey ?? "")
                    command.append(due(message.due))
                    command.append("")
                }
            }
        }
        command.append(emissions.reduce(0) { $0 + $1.emissions.count })
    }
}
