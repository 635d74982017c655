// SPDX-License-Identifier: Apache-2.0
import Godwit

/// A stream in one line.
struct StreamRow: Row {
    static let columns = [
        "stream", "idle", "ready", "leased", "parked", "blocked", "pending", "appended", "handled",
        "dead", "late", "dropped",
    ]
    let stream: String
    let counts: StreamCounts

    var cells: [String] {
        [stream]
            + [
                counts.idle, counts.ready, counts.leased, counts.parked, counts.blocked,
                counts.pending, counts.appended, counts.handled, counts.dead, counts.late,
                counts.dropped,
            ].map(String.init)
    }

    func encode(to encoder: any Encoder) throws {
        try counts.encode(to: encoder)
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(stream, forKey: .stream)
    }

    private enum Keys: String, CodingKey { case stream }
}

struct LaneRow: Row {
    static let columns = ["key", "phase", "pending", "position", "attempt", "lost", "handled"]
    let key: String
    let phase: LanePhase
    let pending: Int
    let position: UInt64
    let attempt: Int
    let lost: Int
    let handledAt: String?

    init(_ lane: LaneSummary) {
        key = lane.key
        phase = lane.phase
        pending = lane.pending
        position = lane.position
        attempt = lane.attempt
        lost = lane.lost
        handledAt = lane.handledAt?.text
    }

    var cells: [String] {
        [
            key, phase.rawValue, "\(pending)", "\(position)", "\(attempt)", "\(lost)",
            handledAt ?? "-",
        ]
    }
}

struct LaneDetail: Row {
    struct Point: Encodable, Sendable {
        let id: String
        let isLate: Bool
        let bytes: String

        init(_ point: StoredPoint) {
            id = "\(point.id)"
            isLate = point.isLate
            bytes = Hex.string(point.body)
        }

        var text: String { "\(id)\(isLate ? " (late)" : "") \(bytes)" }
    }

    static let columns = LaneRow.columns + ["due", "reason", "state", "window", "waiting"]
    let lane: LaneRow
    let due: String?
    let reason: String
    let state: String
    let window: [Point]
    let waiting: [Point]

    init(_ record: LaneRecord) {
        lane = LaneRow(record.summary)
        due = record.due?.text
        reason = record.reason
        state = Hex.string(record.memory.state)
        window = record.memory.window.map(Point.init)
        waiting = record.pending.map(Point.init)
    }

    var cells: [String] {
        lane.cells + [
            due ?? "-", reason.isEmpty ? "-" : reason, state.isEmpty ? "-" : state,
            window.isEmpty ? "-" : window.map(\.text).joined(separator: ", "),
            waiting.isEmpty ? "-" : waiting.map(\.text).joined(separator: ", "),
        ]
    }
}

struct DroppedRow: Row {
    static let columns = ["key", "position", "handled", "dropped"]
    let key: String
    let position: UInt64
    let handledAt: String?
    let droppedAt: String

    init(_ dropped: DroppedKey) {
        key = dropped.key
        position = dropped.position
        handledAt = dropped.handledAt?.text
        droppedAt = dropped.droppedAt.text
    }

    var cells: [String] { [key, "\(position)", handledAt ?? "-", droppedAt] }
}
