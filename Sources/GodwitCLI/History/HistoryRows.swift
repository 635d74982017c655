// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor

/// One run of one message.
struct RunLine: Row {
    static let schema = "godwit.run/1"
    static let columns: [Column<RunLine>] = [
        .time("finished_at", "when it ended") { $0.run.finishedAt },
        .text("id", "the message") { "\($0.run.id)" },
        .text("queue", "where", .detail) { $0.run.queue },
        .text("kind", "its kind") { $0.run.kind },
        .text("verdict", "how it ended") { $0.run.verdict.rawValue },
        .int("attempt", "reported failures before") { Int($0.run.attempt) },
        .int("lost", "leases that had run out before", .detail) { Int($0.run.lost) },
        .int("count", "reserves, this one included", .detail) { Int($0.run.count) },
        .int("generation", "redrives before", .detail) { Int($0.run.generation) },
        .int("run", "its number; with id and generation its key", .detail) { Int($0.run.run) },
        .text("worker", "who ran it", .detail) { "\($0.run.worker)" },
        .time("inserted_at", "accepted", .detail) { $0.run.insertedAt },
        .time("ready_at", "ready", .detail) { $0.run.readyAt },
        .time("executed_at", "started", .detail) { $0.run.executedAt },
        .span("wait_ms", "from ready to its start") {
            $0.run.waitMilliseconds.map { .milliseconds($0) }
        },
        .span("run_ms", "from its start to its end") {
            $0.run.runMilliseconds.map { .milliseconds($0) }
        },
        .text("fingerprint", "its error group", .detail) {
            $0.run.fingerprint.isEmpty ? nil : $0.run.fingerprint
        },
        .text("reason", "what it said") { $0.run.reason.isEmpty ? nil : $0.run.reason },
    ]
    let run: RunRow

    init(_ run: RunRow) { self.run = run }
}

/// What became of the runs of one kind in one queue.
struct StatsRow: Row {
    static let schema = "godwit.stats/1"
    static let columns: [Column<StatsRow>] = [
        .text("queue", "where") { $0.stats.queue },
        .text("kind", "of which kind") { $0.stats.kind },
        .int("runs", "how many ended") { $0.stats.runs },
        .int("failures", "of them, those that failed") { $0.stats.failures },
        .number("error_percent", "failures in a hundred runs") {
            $0.stats.runs == 0
                ? nil : (1000 * Double($0.stats.failures) / Double($0.stats.runs)).rounded() / 10
        },
        .number("run_mean_ms", "mean run") { $0.stats.run.mean.rounded(to: 1) },
        .number("run_p50_ms", "half of the runs are shorter") { $0.stats.run.p50.rounded(to: 1) },
        .number("run_p95_ms", "95 % are shorter") { $0.stats.run.p95.rounded(to: 1) },
        .number("run_p99_ms", "99 % are shorter") { $0.stats.run.p99.rounded(to: 1) },
        .number("run_max_ms", "the longest", .detail) { $0.stats.run.max.rounded(to: 1) },
        .number("wait_mean_ms", "mean wait", .detail) { $0.stats.wait.mean.rounded(to: 1) },
        .number("wait_p50_ms", "half of the waits are shorter", .detail) {
            $0.stats.wait.p50.rounded(to: 1)
        },
        .number("wait_p95_ms", "95 % are shorter") { $0.stats.wait.p95.rounded(to: 1) },
        .number("wait_p99_ms", "99 % are shorter", .detail) { $0.stats.wait.p99.rounded(to: 1) },
        .number("wait_max_ms", "the longest", .detail) { $0.stats.wait.max.rounded(to: 1) },
        .object("verdicts", "how many ended with which verdict") { row in
            row.stats.verdicts.sorted { $0.key < $1.key }.map { ($0.key, .int($0.value)) }
        },
    ]
    let stats: RunStats
}

struct RateRow: Row {
    static let schema = "godwit.rate/1"
    static let columns: [Column<RateRow>] = [
        .time("at", "the beginning of the step") { $0.rate.at },
        .int("runs", "how many ended in it") { $0.rate.runs },
        .int("failures", "of them, those that failed") { $0.rate.failures },
    ]
    let rate: RunRate
}

/// A write that a person made.
struct AuditRow: Row {
    static let schema = "godwit.audit/1"
    static let columns: [Column<AuditRow>] = [
        .time("at", "when") { $0.entry.at },
        .text("who", "user and host") { $0.entry.who },
        .text("verb", "what was done") { $0.entry.verb },
        .text("queue", "where") { $0.entry.queue.isEmpty ? nil : $0.entry.queue },
        .int("affected", "to how many") { $0.entry.affected },
        .text("what", "the ids or the query") { $0.entry.what.isEmpty ? nil : $0.entry.what },
    ]
    let entry: AuditEntry
}
