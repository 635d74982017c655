// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Godwit
package import GodwitProtos

extension MessageState {
    /// Nil for a word of a newer server, or none.
    package init?(_ wire: Godwit_V1_State) {
        switch wire {
        case .ready: self = .ready
        case .scheduled: self = .scheduled
        case .leased: self = .leased
        case .completed: self = .completed
        case .dead: self = .dead
        case .cancelled: self = .cancelled
        case .forwarded: self = .forwarded
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }

    package var wire: Godwit_V1_State {
        switch self {
        case .ready: .ready
        case .scheduled: .scheduled
        case .leased: .leased
        case .completed: .completed
        case .dead: .dead
        case .cancelled: .cancelled
        case .forwarded: .forwarded
        }
    }
}

extension MessageRecord.Attempt {
    package init(_ wire: Godwit_V1_Attempt) {
        self.init(
            at: Timestamp(wire: wire.atMs), worker: wire.worker, count: Int(wire.count),
            verdict: wire.verdict, reason: wire.reason)
    }

    package var wire: Godwit_V1_Attempt {
        var wire = Godwit_V1_Attempt()
        wire.atMs = at.wire
        wire.worker = worker
        wire.count = UInt32(clamping: count)
        wire.verdict = verdict
        wire.reason = reason
        return wire
    }
}

extension MessageRecord {
    /// Nil for what can't be read: another state than this client knows, or no entry.
    package init?(_ wire: Godwit_V1_Record) {
        guard let state = MessageState(wire.state),
            let entry = wire.entry.withUnsafeBytes({ Entry(bytes: $0) })
        else { return nil }
        self.init(
            state: state, entry: entry, kind: wire.hasKind ? wire.kind : nil,
            count: Int(wire.count),
            executedAt: wire.hasExecutedAtMs ? Timestamp(wire: wire.executedAtMs) : nil,
            finishedAt: wire.hasFinishedAtMs ? Timestamp(wire: wire.finishedAtMs) : nil,
            dueAt: wire.hasDueAtMs ? Timestamp(wire: wire.dueAtMs) : nil,
            leaseDeadline: wire.hasLeaseDeadlineMs ? Timestamp(wire: wire.leaseDeadlineMs) : nil,
            worker: wire.hasWorker ? wire.worker : nil,
            uniqueKey: wire.hasUniqueKey ? wire.uniqueKey : nil,
            reason: wire.hasReason ? wire.reason : nil,
            verdict: wire.hasVerdict ? Event.Move(rawValue: wire.verdict) : nil,
            checkpoint: wire.hasCheckpoint ? wire.checkpoint.array : nil,
            attempts: wire.attempts.map(Attempt.init),
            body: wire.hasBody ? wire.body.array : nil)
    }

    package var wire: Godwit_V1_Record {
        var wire = Godwit_V1_Record()
        wire.state = state.wire
        wire.entry = Data(wire: entry.bytes)
        wire.message = Godwit_V1_Message(entry, kind: kind ?? "", nil)
        wire.message.count = UInt32(clamping: count)
        wire.count = UInt32(clamping: count)
        if let kind { wire.kind = kind }
        if let executedAt { wire.executedAtMs = executedAt.wire }
        if let finishedAt { wire.finishedAtMs = finishedAt.wire }
        if let dueAt { wire.dueAtMs = dueAt.wire }
        if let leaseDeadline { wire.leaseDeadlineMs = leaseDeadline.wire }
        if let worker { wire.worker = worker }
        if let uniqueKey { wire.uniqueKey = uniqueKey }
        if let reason { wire.reason = reason }
        if let verdict { wire.verdict = verdict.rawValue }
        if let checkpoint { wire.checkpoint = Data(wire: checkpoint) }
        wire.attempts = attempts.map(\.wire)
        if let body { wire.body = Data(wire: body) }
        return wire
    }

    /// About how many bytes it takes on its way.
    package var wireSize: Int {
        var size = 200 + (body?.count ?? 0) + (checkpoint?.count ?? 0)
        size += (reason?.utf8.count ?? 0) + (uniqueKey?.utf8.count ?? 0)
        for attempt in attempts { size += attempt.reason.utf8.count + 40 }
        return size
    }
}

extension FoundMessage {
    package init?(_ wire: Godwit_V1_FoundRecord) {
        guard let queue = try? QueueName(wire.queue), let record = MessageRecord(wire.record)
        else { return nil }
        self.init(queue: queue, record: record)
    }

    package var wire: Godwit_V1_FoundRecord {
        var wire = Godwit_V1_FoundRecord()
        wire.queue = queue.text
        wire.record = record.wire
        return wire
    }
}

extension RedriveOutcome {
    /// Nil for a word of a newer server.
    package init?(_ wire: Godwit_V1_RedriveOutcome) {
        switch wire.result {
        case .redriven: self = .redriven
        case .notDead: self = .notDead
        case .uniqueKeyTaken:
            guard let id = try? MessageID(wire: wire.takenBy) else { return nil }
            self = .uniqueKeyTaken(by: id)
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }

    package var wire: Godwit_V1_RedriveOutcome {
        var wire = Godwit_V1_RedriveOutcome()
        switch self {
        case .redriven: wire.result = .redriven
        case .notDead: wire.result = .notDead
        case .uniqueKeyTaken(let id):
            wire.result = .uniqueKeyTaken
            wire.takenBy = id.wire
        }
        return wire
    }
}
