// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser
import Godwit
public import GodwitMonitor

/// `godwit alert …`
struct AlertCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alert",
        abstract: "Rules that tell people of trouble, and the webhooks they speak to.",
        discussion: """
            Without a rule of its own a store has one of each trigger, to the channel `default`: \
            GODWIT_ALERT_URL at the process that watches.
            """,
        subcommands: [
            List.self, Groups.self, Add.self, Remove.self, Mute.self, Test.self, Channels.self,
            Channel.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All rules.")
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(RuleRow.self)
            let limit = store.limit()
            try await store.withStore { open in
                let rules = try await AlertBook(open.broker.board).rules()
                try output.list(rules.prefix(limit).map { RuleRow(rule: $0) }, of: rules.count)
            }
        }
    }

    struct Groups: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What is alerted now, the latest first.")
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(OpenAlertRow.self)
            let limit = store.limit()
            try await store.withStore { open in
                let groups = try await AlertBook(open.broker.board).openGroups()
                try output.list(
                    groups.prefix(limit).map { OpenAlertRow(group: $0) }, of: groups.count)
                if groups.isEmpty { Talk.say("nothing is alerted now") }
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep a rule; one of the same name is replaced with --yes.",
            discussion: "The first rule of a store is kept together with the defaults.")
        @Argument(help: "Its name.") var name: String
        @Option(
            help: ArgumentHelp(
                AlertRule.Trigger.allCases.map(\.rawValue).joined(separator: ", "),
                valueName: "trigger"))
        var trigger: AlertRule.Trigger
        @Option(help: "Names of queues with commas between them; each may end in *.")
        var queues: String = "*"
        @Option(name: .customLong("where"), help: "Only dead letters that match.")
        var condition: String?
        @Option(help: "From how many, or how many seconds, on.") var threshold: Int?
        @Option(help: "In which time.", transform: StoreOptions.duration)
        var window: Duration = .seconds(60)
        @Option(help: "To this channel; may be repeated.") var channel: [String] = []
        @Flag(help: "Send the first sample's payload along.") var payload = false
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(RuleRow.self)
            if let condition { _ = try Search(condition) }
            let rule = AlertRule(
                name: name, trigger: trigger, queues: queues, query: condition,
                threshold: threshold, windowSeconds: Int(clamping: window.wholeMilliseconds / 1000),
                channels: channel.isEmpty ? [AlertChannel.defaultName] : channel,
                includesPayload: payload)
            if let problem = rule.problem { throw Failure(.usage, "\(problem). Nothing was kept.") }
            try await store.withStore { open in
                let book = AlertBook(open.broker.board)
                let old = try await book.rules()
                let isFirst = try await open.broker.board.notes(in: .rules)
                    .allSatisfy { $0.name.hasPrefix("channel:") }
                if !isFirst, old.contains(where: { $0.name == name }), !store.isSure {
                    throw Failure(
                        .exists,
                        "the rule '\(name)' is there already: `godwit alert list`. Nothing was changed; add --yes to replace it."
                    )
                }
                if !store.isDry {
                    // Why: the first rule of a store would end the defaults, and nobody asked for that.
                    if isFirst {
                        for other in AlertRule.defaults where other.name != name {
                            try await book.keep(other)
                        }
                    }
                    try await book.keep(rule)
                    await open.audit("alert add", queues, name, affected: 1)
                }
                try output.one(RuleRow(rule: rule))
                Talk.say(
                    store.isDry
                        ? "nothing was kept"
                        : "try it with `godwit alert test \(name)`; undo: godwit alert remove \(name)"
                )
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a rule away; its open groups are closed.")
        @Argument(help: "Its name.") var name: String
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(RuleRow.self)
            try await store.withStore { open in
                let book = AlertBook(open.broker.board)
                let rule = try await book.require(name, on: open)
                if !store.isDry {
                    guard try await book.removeRule(name) else {
                        throw Failure(
                            .failed,
                            "'\(name)' is one of the defaults: add a rule of your own, then remove it."
                        )
                    }
                    await open.audit("alert remove", rule.queues, name, affected: 1)
                }
                try output.one(RuleRow(rule: rule))
                Talk.say(
                    store.isDry
                        ? "nothing was removed"
                        : "again: godwit alert add \(name) --trigger \(rule.trigger.rawValue) --queues \(rule.queues.shown.quoted) --threshold \(rule.threshold)"
                )
            }
        }
    }

    struct Mute: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a rule say nothing for a while; --for 0s lets it speak again.")
        @Argument(help: "Its name.") var name: String
        @Option(
            name: .customLong("for"), help: "For how long.", transform: StoreOptions.duration)
        var time: Duration = .seconds(3600)
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(RuleRow.self)
            try await store.withStore { open in
                let book = AlertBook(open.broker.board)
                var rule = try await book.require(name, on: open)
                rule.mutedUntil = time == .zero ? nil : open.now + time
                if !store.isDry {
                    let isFirst = try await open.broker.board.notes(in: .rules)
                        .allSatisfy { $0.name.hasPrefix("channel:") }
                    for other in AlertRule.defaults where isFirst && other.name != name {
                        try await book.keep(other)
                    }
                    try await book.keep(rule)
                    await open.audit(
                        "alert mute", rule.queues, "\(name) for \(time.brief)", affected: 1)
                }
                try output.one(RuleRow(rule: rule))
                Talk.say(
                    store.isDry ? "nothing was changed" : "undo: godwit alert mute \(name) --for 0s"
                )
            }
        }
    }
}

extension AlertRule.Trigger: ExpressibleByArgument {}

extension AlertBook {
    func require(_ name: String, on open: OpenStore) async throws -> AlertRule {
        let all = try await rules()
        if let rule = all.first(where: { $0.name == name }) { return rule }
        throw Failure(
            .noInput,
            """
            \(open.name) has no rule '\(name.prefix(64))'. There are: \
            \(all.map(\.name).joined(separator: ", ")). `godwit alert add` makes one.
            """)
    }
}
