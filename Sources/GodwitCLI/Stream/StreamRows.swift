// SPDX-License-Identifier: Apache-2.0
import Godwit

/// A stream in one line.
struct StreamRow: Row {
    static let schema = "godwit.stream/1"
    static let columns: [Column<StreamRow>] = [
        .text("stream", "its name") { $0.stream },
        .int("idle", "keys that wait for nothing") { $0.counts.idle },
        .int("ready", "keys with points to handle") { $0.counts.ready },
        .int("leased", "keys that a worker has") { $0.counts.leased },
        .int("parked", "keys that wait for a retry") { $0.counts.parked },
        .int("blocked", "keys that an operator must look at") { $0.counts.blocked },
        .int("pending", "points that wait") { $0.counts.pending },
        .int("appended", "points ever appended") { $0.counts.appended },
        .int("handled", "points ever handled") { $0.counts.handled },
        .int("dead", "points that were given up") { $0.counts.dead },
        .int("late", "points that came late") { $0.counts.late },
        .int("dropped", "keys that were dropped") { $0.counts.dropped },
    ]
    let stream: String
    let counts: StreamCounts
}

struct LaneRow: Row {
    static let schema = "godwit.key/1"
    static let columns: [Column<LaneRow>] = [
        .text("key", "its name") { $0.lane.key },
        .text("phase", LanePhase.allCases.map(\.rawValue).joined(separator: ", ")) {
            $0.lane.phase.rawValue
        },
        .int("pending", "points that wait") { $0.lane.pending },
        .int("position", "points ever handled or skipped") { Int(clamping: $0.lane.position) },
        .int("attempt", "reported failures of its head") { $0.lane.attempt },
        .int("lost", "leases of its head that ran out") { $0.lane.lost },
        .time("handled_at", "its last commit") { $0.lane.handledAt },
    ]
    let lane: LaneSummary

    init(_ lane: LaneSummary) { self.lane = lane }
}

struct LaneDetail: Row {
    static let schema = "godwit.key.detail/1"
    static let columns: [Column<LaneDetail>] = [
        // As one object, because programs read a key beside its points.
        .text("key", "its name") { $0.row.lane.key },
        .object("lane", "where it stands", .list) { detail in
            LaneRow.columns.map { ($0.name, $0.value(detail.row)) }
        },
        .time("due", "when it is tried again") { $0.record.due },
        .text("reason", "what its last failure said") {
            $0.record.reason.isEmpty ? nil : $0.record.reason
        },
        .text("state", "the handler's own state, in hex") {
            $0.record.memory.state.isEmpty ? nil : Hex.string($0.record.memory.state)
        },
        .list("window", "the last handled points, oldest first") {
            $0.record.memory.window.map(Self.point)
        },
        .list("waiting", "points that wait, oldest first") { $0.record.pending.map(Self.point) },
    ]
    let row: LaneRow
    let record: LaneRecord

    init(_ record: LaneRecord) {
        row = LaneRow(record.summary)
        self.record = record
    }

    private static func point(_ point: StoredPoint) -> Value {
        .object([
            ("id", .text("\(point.id)")), ("is_late", .flag(point.isLate)),
            ("bytes", .text(Hex.string(point.body))),
        ])
    }
}

struct DroppedRow: Row {
    static let schema = "godwit.dropped/1"
    static let columns: [Column<DroppedRow>] = [
        .text("key", "its name") { $0.dropped.key },
        .int("position", "points it had handled or skipped") { Int(clamping: $0.dropped.position) },
        .time("handled_at", "its last commit") { $0.dropped.handledAt },
        .time("dropped_at", "when it was dropped") { $0.dropped.droppedAt },
    ]
    let dropped: DroppedKey

    init(_ dropped: DroppedKey) { self.dropped = dropped }
}

struct AppendedRow: Row {
    static let schema = "godwit.append/1"
    static let columns: [Column<AppendedRow>] = [
        .text("key", "its name") { $0.key },
        .text("id", "the point") { $0.id },
        .text("outcome", "appended, late, duplicate, full, ahead") { $0.outcome },
    ]
    let key: String
    let id: String
    let outcome: String

    init(key: String, id: String, _ outcome: AppendOutcome) {
        self.key = key
        self.id = id
        self.outcome =
            switch outcome {
            case .appended: "appended"
            case .appendedLate, .late: "late"
            case .duplicate: "duplicate"
            case .full: "full"
            case .ahead: "ahead"
            }
    }
}
