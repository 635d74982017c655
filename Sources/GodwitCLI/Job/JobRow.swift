// SPDX-License-Identifier: Apache-2.0
import Godwit

/// A line of a list of messages.
struct JobRow: Row {
    static let schema = "godwit.job/1"
    static let columns: [Column<JobRow>] = [
        .text("id", "UUIDv7; enough by itself for every verb") { "\($0.record.id)" },
        .text("queue", "where it is", .detail) { $0.queue },
        .text("kind", "which handler runs it") { $0.record.kind },
        .text("state", MessageState.allCases.map(\.rawValue).joined(separator: ", ")) {
            $0.record.state.rawValue
        },
        .int("attempt", "reported failures") { Int($0.record.entry.attempt) },
        .int("count", "reserves, also those that were handed back", .detail) { $0.record.count },
        .int("lost", "leases that ran out", .detail) { Int($0.record.entry.lost) },
        .int("generation", "redrives", .detail) { Int($0.record.entry.generation) },
        .int("priority", "0 is served first, 7 last", .detail) {
            Int($0.record.entry.priority.band)
        },
        .time("inserted_at", "accepted by the store") { $0.record.entry.insertedAt },
        .time("due_at", "will be ready", .detail) { $0.record.dueAt },
        .time("executed_at", "its last start", .detail) { $0.record.executedAt },
        .time("finished_at", "completed, dead, cancelled or forwarded") { $0.record.finishedAt },
        .text("verdict", "how its last run ended", .detail) { $0.record.verdict?.rawValue },
        .text("fingerprint", "its error group", .detail) { $0.fingerprint },
        .text("unique_key", "at most one live message of the queue has it", .detail) {
            $0.record.uniqueKey
        },
        .text("worker", "who has or had it last: see `godwit worker list`", .detail) {
            $0.record.worker.map(String.init)
        },
        .text("reason", "what the last failure said") { $0.record.reason },
    ]
    let queue: String
    let record: MessageRecord

    init(_ found: FoundMessage) {
        queue = found.queue.text
        record = found.record
    }

    var fingerprint: String? { record.fingerprint }
}

extension MessageRecord {
    /// The group of its last failure; nil where it has not failed.
    var fingerprint: String? {
        guard let reason, state == .dead || entry.attempt > 0 || entry.lost > 0 else { return nil }
        return Fingerprint(kind: kind ?? "", reason: reason).id
    }
}

/// What became of one id.
struct MovedRow: Row {
    static let schema = "godwit.moved/1"
    static let columns: [Column<MovedRow>] = [
        .text("id", "the message, or the key of a stream") { $0.id },
        .text("queue", "where it is") { $0.queue },
        .text("outcome", "what became of it, or where it stands") { $0.outcome },
    ]
    let id: String
    var queue: String?
    let outcome: String
}
