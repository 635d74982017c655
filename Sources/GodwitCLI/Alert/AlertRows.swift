// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor

struct RuleRow: Row {
    static let schema = "godwit.rule/1"
    static let columns: [Column<RuleRow>] = [
        .text("name", "its name") { $0.rule.name },
        .text("trigger", AlertRule.Trigger.allCases.map(\.rawValue).joined(separator: ", ")) {
            $0.rule.trigger.rawValue
        },
        .text("queues", "where it looks") { $0.rule.queues },
        .text("query", "only dead letters that match", .detail) { $0.rule.query },
        .int("threshold", "from how many, or how many seconds, on") { $0.rule.threshold },
        .span("window_ms", "in which time") { .seconds($0.rule.windowSeconds) },
        .list("channels", "whom it tells") { $0.rule.channels.map(Value.text) },
        .time("muted_until", "says nothing before") { $0.rule.mutedUntil },
        .flag("includes_payload", "the first sample's payload goes along", .detail) {
            $0.rule.includesPayload
        },
    ]
    let rule: AlertRule
}

/// A group that is alerted now.
struct OpenAlertRow: Row {
    static let schema = "godwit.alert/1"
    static let columns: [Column<OpenAlertRow>] = [
        .text("rule", "which rule") { $0.group.key.rule },
        .text("queue", "where") { $0.group.key.queue },
        .text("group", "the fingerprint, or what else makes the group") { $0.group.key.group },
        .int("count", "how often") { $0.group.count },
        .time("first_at", "since when") { $0.group.firstAt },
        .time("last_at", "last") { $0.group.lastAt },
        .text("text", "what it says") { $0.group.text },
        .list("samples", "three ids", .detail) { $0.group.samples.map(Value.text) },
        .time("told_at", "when people were told", .detail) { $0.group.toldAt },
    ]
    let group: AlertGroup
}

struct ChannelRow: Row {
    static let schema = "godwit.channel/1"
    static let columns: [Column<ChannelRow>] = [
        .text("name", "its name") { $0.channel.name },
        .text("form", "slack or generic") { $0.channel.form.rawValue },
        .text("url", "where its URL is found; never the URL") { "\($0.channel.url)" },
        .text("secret", "where its secret is found") { $0.channel.secret.map { "\($0)" } },
    ]
    let channel: AlertChannel
}
