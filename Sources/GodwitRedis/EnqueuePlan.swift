// SPDX-License-Identifier: Apache-2.0
import Godwit
import RedisClient

/// Which messages go to the store in which call, and whose answers come back in which reply.
///
/// One call holds messages of one list (priority and kind) and one mode, in their order. Calls are
/// in the order of the messages as far as it can be seen: within a list always, and among messages
/// that are looked up (a unique key, a resend) also between lists.
struct EnqueuePlan: Sendable {
    /// How the script takes messages in.
    enum Mode: Int, Sendable {
        /// Fresh ids, ready now, no unique key: nothing is looked up.
        case plain = 0
        case resend = 1
        case first = 2
    }

    struct Group: Sendable {
        var list: UInt64
        var mode: Mode
        var members: [Int] = []
        var bytes = 0
    }

    let messages: [NewMessage]
    private(set) var groups: [Group] = []

    /// `now` is the store's clock as well as it is known here, give or take `slack`.
    init(_ messages: [NewMessage], limits: BrokerLimits, now: Timestamp, slack: Duration) {
        self.messages = messages
        let repeated = Self.repetitions(messages)
        let fresh =
            (now.milliseconds - slack.milliseconds)...(now.milliseconds + slack.milliseconds)
        var latest: [UInt64: Int] = [:]
        var latestLookedUp = -1
        for (index, message) in messages.enumerated() {
            let list = Self.list(of: message)
            let mode = repeated.contains(index) ? .resend : Self.mode(of: message, fresh)
            let most = min(
                limits.batch, mode == .plain ? RedisBroker.batch : RedisBroker.smallBatch)
            let size = message.body.count + 64
            var place: Int?
            if let last = groups.indices.last, groups[last].list == list {
                place = last
            } else if groups.count > 1 {
                place = latest[list]
            }
            if let candidate = place {
                let group = groups[candidate]
                let fits = group.members.count < most && group.bytes + size <= limits.batchBytes
                let inOrder = mode == .plain || candidate == latestLookedUp
                if group.mode != mode || !fits || !inOrder { place = nil }
            }
            let target: Int
            if let place {
                target = place
            } else {
                target = groups.count
                groups.append(Group(list: list, mode: mode))
                latest[list] = target
                if mode != .plain { latestLookedUp = target }
            }
            groups[target].members.append(index)
            groups[target].bytes += size
        }
    }

    private static func list(of message: NewMessage) -> UInt64 {
        UInt64(message.priority.band) << 32 | UInt64(message.kind.hash)
    }

    private static func mode(of message: NewMessage, _ fresh: ClosedRange<Int64>) -> Mode {
        if message.isResend { return .resend }
        // Why: a plain message has no record before its first run; until then its id tells when it
        // was enqueued, so the id must be a fresh one.
        if message.uniqueKey == nil, case .now = message.due, let made = message.id.timestamp,
            fresh.contains(made.milliseconds)
        {
            return .plain
        }
        return .first
    }

    /// The places whose id stood before in this very batch; the store must look at these (I12).
    private static func repetitions(_ messages: [NewMessage]) -> Set<Int> {
        // Why: ids made by one process rise, so most batches need one comparison per message.
        var rises = true
        for index in messages.indices.dropFirst() where messages[index].id <= messages[index - 1].id
        {
            rises = false
            break
        }
        if rises { return [] }
        var seen: Set<MessageID> = []
        var repeated: Set<Int> = []
        for (index, message) in messages.enumerated() where !seen.insert(message.id).inserted {
            repeated.insert(index)
        }
        return repeated
    }
}

extension RedisBroker {
    /// One call of ENQUEUE.
    func command(
        _ group: EnqueuePlan.Group, of messages: [NewMessage], in queue: RedisQueue
    ) -> RedisCommand {
        let count = group.members.count
        var command = call(
            scripts.enqueue, in: queue, moreKeys: 1,
            capacity: queue.keys.listBytes + 48 * count + group.bytes
                + (group.mode == .plain ? 0 : 64 * count))
        queue.keys.appendList(
            band: UInt8(truncatingIfNeeded: group.list >> 32),
            kind: UInt32(truncatingIfNeeded: group.list), to: &command)
        command.append(group.mode.rawValue)
        command.append(count: 16 * count) { buffer in
            for (place, member) in group.members.enumerated() {
                let id = messages[member].id
                buffer.storeBytes(of: id.high.bigEndian, toByteOffset: 16 * place, as: UInt64.self)
                buffer.storeBytes(
                    of: id.low.bigEndian, toByteOffset: 16 * place + 8, as: UInt64.self)
            }
        }
        for member in group.members {
            let message = messages[member]
            append(message, to: &command)
            if group.mode == .plain { continue }
            command.append(message.uniqueKey ?? "")
            command.append(due(message.due))
            command.append("")
        }
        seal(&command)
        return command
    }

    /// A message's value: band, kind, attempts, and the body behind them.
    func append(_ message: NewMessage, to command: inout RedisCommand, isUnique: Bool = true) {
        let body = message.body
        let head = StoredValue.Head(
            band: message.priority.band | Entry.sizeClass(ofBody: body.count) << 3
                | (message.uniqueKey == nil || !isUnique ? 0 : 0x80),
            kind: message.kind.hash, maxAttempts: message.maxAttempts)
        command.append(count: StoredValue.headBytes + body.count) { buffer in
            head.write(into: buffer)
            body.withUnsafeBytes { bytes in
                guard !bytes.isEmpty else { return }
                UnsafeMutableRawBufferPointer(rebasing: buffer[StoredValue.headBytes...])
                    .copyMemory(from: bytes)
            }
        }
    }

    /// 0 is now, more is a delay in ms, less is a moment in ms.
    func due(_ due: NewMessage.Due) -> Int {
        let latest = Int64(0xFFFF_FFFF_FFFF)
        switch due {
        case .now: return 0
        case .after(let delay):
            let milliseconds = delay.roundedUp
            // One beyond what six bytes hold stands for the last moment.
            return milliseconds > latest / 2 ? -Int(latest) : Int(max(0, milliseconds))
        case .at(let moment): return -Int(max(0, min(moment.milliseconds, latest)))
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up: what is delayed never starts early (I8).
    var roundedUp: Int64 {
        let milliseconds = milliseconds
        return milliseconds < .max && self > .milliseconds(milliseconds)
            ? milliseconds + 1 : milliseconds
    }
}
