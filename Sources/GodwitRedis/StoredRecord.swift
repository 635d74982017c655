// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What the hash `m` holds of a message, read from its bytes:
///
///     entry 42                                                     waits
///     token 56                                                     leased
///     entry 42 | executedAt 6 | nonce 8 | letter 1 | when 6 | reason    after a settle
struct StoredRecord {
    enum Place {
        case waits
        case leased
        case settled(letter: UInt8, at: Timestamp, reason: String)
    }

    let bytes: ArraySlice<UInt8>
    let entry: Entry
    let place: Place

    /// Nil for what is shorter than an entry.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard let entry = bytes.withUnsafeBytes({ Entry(bytes: $0) }) else { return nil }
        self.bytes = bytes
        self.entry = entry
        switch bytes.count {
        case ..<LeaseToken.size: place = .waits
        case LeaseToken.size: place = .leased
        default:
            place = .settled(
                letter: bytes[bytes.startIndex + LeaseToken.size],
                at: bytes.timestamp(at: LeaseToken.size + 1),
                reason: bytes.dropFirst(LeaseToken.size + 7).text)
        }
    }

    /// The last run; zero when it never ran in this generation.
    var executedAt: Timestamp? {
        let time = bytes.timestamp(at: Entry.size)
        return time.milliseconds == 0 ? nil : time
    }

    var worker: UInt32? {
        executedAt.map { _ in UInt32(truncatingIfNeeded: bytes.number(at: 48, bytes: 4)) }
    }

    /// The state by this record; nil when it depends on whether it stands in the schedule.
    var state: MessageState? {
        switch place {
        case .waits: nil
        case .leased: .leased
        case .settled(let letter, _, _):
            switch letter {
            case UInt8(ascii: "a"): .completed
            case UInt8(ascii: "d"): .dead
            case UInt8(ascii: "k"): .cancelled
            case UInt8(ascii: "f"): .forwarded
            default: nil
            }
        }
    }

    /// Reserves up to now: the entry's own count leaves out the run that it stands for.
    var count: Int {
        let count = Int(entry.count)
        switch place {
        case .waits: return count
        case .leased: return count + 1
        case .settled(let letter, _, _):
            switch letter {
            case UInt8(ascii: "a"), UInt8(ascii: "f"): return count + 1
            case UInt8(ascii: "k"):
                // Cancelled under a lease; else the entry came back after its last run.
                let wasRunning = executedAt.map { entry.readyAt <= $0 } ?? false
                return wasRunning ? count + 1 : count
            default: return count
            }
        }
    }

    /// Repeated: when 6, worker 4, count 2, letter 1, length 1, reason.
    static func attempts(_ bytes: ArraySlice<UInt8>) -> [MessageRecord.Attempt] {
        var attempts: [MessageRecord.Attempt] = []
        var rest = bytes
        while rest.count >= 14 {
            let reason = rest.dropFirst(14).prefix(Int(rest.number(at: 13, bytes: 1))).text
            let move: Event.Move
            switch UInt8(truncatingIfNeeded: rest.number(at: 12, bytes: 1)) {
            case UInt8(ascii: "s"): move = .retry
            case UInt8(ascii: "l"): move = .reclaim
            default: move = reason == "crash-loop" ? .crashLoop : .reject
            }
            attempts.append(
                MessageRecord.Attempt(
                    at: rest.timestamp(at: 0),
                    worker: UInt32(truncatingIfNeeded: rest.number(at: 6, bytes: 4)),
                    count: Int(rest.number(at: 10, bytes: 2)), verdict: move.rawValue,
                    reason: reason))
            rest = rest.dropFirst(14 + Int(rest.number(at: 13, bytes: 1)))
        }
        return attempts
    }
}

/// All that was read of one message, in the order of ``fields``.
struct StoredMessage {
    static let fields: [StaticString] = ["m", "pr", "ah", "ui"]

    var record: StoredRecord?
    var checkpoint: [UInt8]?
    var attempts: [MessageRecord.Attempt]
    var uniqueKey: String?

    init(
        record: ArraySlice<UInt8>?, _ checkpoint: ArraySlice<UInt8>?,
        _ attempts: ArraySlice<UInt8>?, _ uniqueKey: ArraySlice<UInt8>?
    ) {
        self.record = record.flatMap { StoredRecord($0) }
        self.checkpoint = checkpoint.map { Array($0) }
        self.attempts = attempts.map { StoredRecord.attempts($0) } ?? []
        self.uniqueKey = uniqueKey.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The message as it stands in `state`; `entry` is what its place says, and the place wins.
    func message(
        _ state: MessageState, _ entry: Entry, kinds: [UInt32: String], score: Timestamp? = nil,
        body: [UInt8]? = nil
    ) -> MessageRecord {
        // What another run wrote meanwhile says nothing of this place.
        let record = record.flatMap { $0.entry.epoch == entry.epoch || state.hasEnded ? $0 : nil }
        var message = MessageRecord(
            state: state, entry: entry, kind: kinds[entry.kindHash],
            count: record?.count ?? Int(entry.count) + (state == .leased ? 1 : 0),
            executedAt: record?.executedAt, worker: record?.worker,
            uniqueKey: state.hasEnded ? nil : uniqueKey, reason: reason(record),
            verdict: state == .leased ? nil : state.verdict ?? verdict(record),
            checkpoint: state.hasEnded ? nil : checkpoint,
            attempts: state.hasEnded ? [] : attempts, body: body)
        switch state {
        case .scheduled: message.dueAt = score
        case .leased: message.leaseDeadline = score
        case .dead: message.finishedAt = score
        case .completed, .cancelled, .forwarded:
            if case .settled(_, let at, _)? = record?.place { message.finishedAt = at }
        case .ready: break
        }
        return message
    }

    /// The message under a lease, also where leases are not tracked: then the token says it all.
    func message(
        _ lease: (token: LeaseToken, deadline: Timestamp), kinds: [UInt32: String],
        body: [UInt8]? = nil
    ) -> MessageRecord {
        let entry = lease.token.entry
        var message = message(.leased, entry, kinds: kinds, score: lease.deadline, body: body)
        message.executedAt = lease.token.executedAt
        message.worker = UInt32(truncatingIfNeeded: lease.token.nonce >> 32)
        message.count = Int(entry.count) + 1
        return message
    }

    /// How the last run ended. A letter d is a reject, but for what the store itself writes: a crash-loop
    /// has lost three leases, and a lost body leaves no attempt behind.
    private func verdict(_ record: StoredRecord?) -> Event.Move? {
        guard case .settled(let letter, _, let reason)? = record?.place else { return nil }
        switch letter {
        case UInt8(ascii: "s"): return .retry
        case UInt8(ascii: "r"): return .release
        case UInt8(ascii: "l"): return .reclaim
        case UInt8(ascii: "d"):
            if reason == "crash-loop", record?.entry.lost ?? 0 > 2 { return .crashLoop }
            let isLost = reason == RedisBroker.payloadLost && attempts.last?.reason != reason
            return isLost ? .payloadLost : .reject
        default: return nil
        }
    }

    /// The reason of the last settle that gave one.
    private func reason(_ record: StoredRecord?) -> String? {
        guard case .settled(let letter, _, let reason)? = record?.place else {
            return record?.executedAt == nil ? nil : attempts.last?.reason
        }
        switch letter {
        case UInt8(ascii: "a"), UInt8(ascii: "k"): return nil
        case UInt8(ascii: "r"): return attempts.last?.reason
        default: return reason
        }
    }
}
