// SPDX-License-Identifier: Apache-2.0
import Godwit

/// A line of `queue list`.
struct QueueRow: Row {
    static let schema = "godwit.queue/1"
    static let columns: [Column<QueueRow>] = {
        let own: [Column<QueueRow>] = [
            .text("queue", "its name") { $0.queue },
            .text("state", "paused or running") { $0.counts.isPaused ? "paused" : "running" },
        ]
        return own
            + QueueCounts.columns.map { column in
                Column<QueueRow>(
                    name: column.name, type: column.type, about: column.about,
                    place: column.place == .list ? .list : .detail
                ) { column.value($0.counts) }
            }
    }()
    let queue: String
    let counts: QueueCounts
}

/// What `queue show` prints.
struct QueueDetail: Row {
    static let schema = "godwit.queue.detail/1"
    static let columns: [Column<QueueDetail>] = [
        .text("queue", "its name") { $0.queue },
        .text("state", "paused or running") { $0.counts.isPaused ? "paused" : "running" },
        .object("counts", "what stands where and what went through", .list) { detail in
            QueueCounts.columns.map { ($0.name, $0.value(detail.counts)) }
        },
        .object("settings", "how it is kept", .list) { $0.settings.fields },
        .time("oldest_ready_at", "since when the oldest ready message waits") { detail in
            detail.kinds.compactMap(\.oldestReadyAt).min()
        },
        .list("kinds", "kinds ever enqueued, with how many are ready and since when") { detail in
            detail.kinds.map { kind in
                .object([
                    ("kind", .text(kind.kind)), ("ready", .int(kind.ready)),
                    ("oldest_ready_at", .optional(kind.oldestReadyAt)),
                ])
            }
        },
    ]
    let queue: String
    let counts: QueueCounts
    let settings: QueueSettings
    let kinds: [KindCount]
}

extension QueueCounts {
    static let columns: [Column<QueueCounts>] = [
        .int("ready", "waits for a worker") { $0.ready },
        .int("scheduled", "waits for its time") { $0.scheduled },
        .int("leased", "a worker has it") { $0.leased },
        .int("dead", "gave up; see `godwit dead`") { $0.dead },
        .int("completed", "ever acked") { $0.completed },
        .int("suspects", "of the ready ones, those that run alone", .detail) { $0.suspects },
        .flag("is_paused", "nothing is handed out", .detail) { $0.isPaused },
        .int("enqueued", "ever accepted", .detail) { $0.enqueued },
        .int("retried", "ever retried", .detail) { $0.retried },
        .int("released", "ever handed back unrun", .detail) { $0.released },
        .int("rejected", "ever sent to the dead letters", .detail) { $0.rejected },
        .int("forwarded", "ever moved on to another queue", .detail) { $0.forwarded },
        .int("cancelled", "ever cancelled or purged", .detail) { $0.cancelled },
        .int("lost", "leases that ran out", .detail) { $0.lost },
        .int("redriven", "dead letters that got a second life", .detail) { $0.redriven },
        .int("pruned", "dead letters that were dropped", .detail) { $0.pruned },
    ]
}

extension QueueSettings {
    var fields: [(String, Value)] {
        [
            ("keep_ms", .span(.milliseconds(keepMilliseconds))),
            ("keep_records", .int(keepRecords)),
            ("keep_dead_ms", .span(.milliseconds(keepDeadMilliseconds))),
            ("keep_dead", .int(keepDead)), ("max_messages", .int(maxMessages)),
            ("max_leased", .optional(maxLeased)), ("tracks_leases", .flag(tracksLeases)),
            ("records_events", .flag(recordsEvents)),
        ]
    }
}
