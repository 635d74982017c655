// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser
import Foundation
import Godwit
public import GodwitMonitor

extension AlertCommands {
    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send one test message through a rule's channels, from here.",
            discussion: """
                Secrets are read here, from this process's environment and folder of secrets, and \
                GODWIT_ALERT_HOSTS lists the hosts that may be private. Exits with 1 when one could \
                not be delivered.
                """)
        @Argument(help: "A rule, or a channel.") var name: String
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(TrialRow.self)
            try await store.withStore { open in
                let book = AlertBook(open.broker.board)
                let rules = try await book.rules()
                let names = rules.first { $0.name == name }?.channels ?? [name]
                var channels: [AlertChannel] = []
                for name in names {
                    channels.append(try await book.requireChannel(name, on: open))
                }
                if store.isDry {
                    try output.list(
                        channels.map { TrialRow($0.name, false, "\($0.url)", "nothing was sent") })
                    return
                }
                let sender = AlertSender(on: open.broker)
                var rows: [TrialRow] = []
                for channel in channels {
                    let trial = await sender.test(channel)
                    rows.append(TrialRow(channel.name, trial.isDelivered, trial.place, trial.text))
                }
                try output.list(rows)
                let failed = rows.filter { !$0.isDelivered }
                if let first = failed.first {
                    throw Failure(
                        .failed,
                        "\(failed.count) of \(rows.count) test message(s) were not delivered: \(first.place): \(first.text)."
                    )
                }
            }
        }
    }

    struct Channels: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "All webhooks, without their secrets.")
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(ChannelRow.self)
            let limit = store.limit()
            try await store.withStore { open in
                let channels = try await AlertBook(open.broker.board).channels()
                try output.list(
                    channels.prefix(limit).map { ChannelRow(channel: $0) }, of: channels.count)
            }
        }
    }

    struct Channel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep or remove a webhook.",
            discussion: """
                The store keeps only where the URL and the secret are found at the process that \
                sends: --url-variable GODWIT_ALERT_… or --url-file alert… in its folder of secrets.
                """)
        @Argument(help: "Its name; `default` is where rules speak to by themselves.") var name:
            String
        @Option(help: "slack (also Mattermost, Rocket.Chat, Discord /slack) or generic (signed).")
        var form: AlertChannel.Form = .slack
        @Option(help: "The variable with the URL; begins with GODWIT_ALERT_.") var urlVariable:
            String?
        @Option(help: "The file with the URL, in the folder of secrets; begins with alert.")
        var urlFile: String?
        @Option(help: "The variable with the signing secret.") var secretVariable: String?
        @Option(help: "The file with the signing secret.") var secretFile: String?
        @Flag(help: "Take it away.") var remove = false
        @OptionGroup var store: StoreOptions

        func validate() throws {
            if remove { return }
            guard (urlVariable == nil) != (urlFile == nil) else {
                throw ValidationError("give --url-variable or --url-file: one of both.")
            }
            guard secretVariable == nil || secretFile == nil else {
                throw ValidationError("give --secret-variable or --secret-file: not both.")
            }
        }

        func run() async throws {
            let output = try store.output(ChannelRow.self)
            try await store.withStore { open in
                let book = AlertBook(open.broker.board)
                if remove {
                    let old = try await book.requireChannel(name, on: open)
                    if !store.isDry {
                        try await book.removeChannel(name)
                        await open.audit("alert channel", "", "remove \(name)", affected: 1)
                    }
                    try output.one(ChannelRow(channel: old))
                    if store.isDry { Talk.say("nothing was removed") }
                    return
                }
                let url = urlVariable.map(SecretPlace.environment) ?? .file(urlFile ?? "")
                let channel = AlertChannel(
                    name: name, form: form, url: url,
                    secret: secretVariable.map(SecretPlace.environment)
                        ?? secretFile.map(SecretPlace.file))
                if let problem = channel.problem {
                    throw Failure(.usage, "\(problem). Nothing was kept.")
                }
                if !store.isSure, try await book.channel(name) != nil {
                    throw Failure(
                        .exists,
                        "the channel '\(name)' is there already: `godwit alert channels`. Nothing was changed; add --yes to replace it."
                    )
                }
                if !store.isDry {
                    try await book.keep(channel)
                    await open.audit("alert channel", "", name, affected: 1)
                }
                try output.one(ChannelRow(channel: channel))
                Talk.say(
                    store.isDry
                        ? "nothing was kept"
                        : "try it with `godwit alert test \(name)`; undo: godwit alert channel \(name) --remove"
                )
            }
        }
    }
}

extension AlertChannel.Form: ExpressibleByArgument {}

extension AlertBook {
    /// One of the store, or the one of this process's environment.
    func requireChannel(_ name: String, on open: OpenStore) async throws -> AlertChannel {
        if let channel = try await channel(name) { return channel }
        if name == AlertChannel.defaultName,
            let own = AlertChannel.fromEnvironment(ProcessInfo.processInfo.environment)
        {
            return own
        }
        throw Failure(
            .noInput,
            """
            \(open.name) has no rule and no channel '\(name.prefix(64))'. `godwit alert channel \
            NAME --url-variable GODWIT_ALERT_…` makes one; `default` is also GODWIT_ALERT_URL of the \
            process that sends.
            """)
    }
}

struct TrialRow: Row {
    static let schema = "godwit.trial/1"
    static let columns: [Column<TrialRow>] = [
        .text("channel", "its name") { $0.channel },
        .flag("is_delivered", "the receiver took it") { $0.isDelivered },
        .text("place", "host and last four characters of the URL") { $0.place },
        .text("text", "what became of it") { $0.text },
    ]
    let channel: String
    let isDelivered: Bool
    let place: String
    let text: String

    init(_ channel: String, _ isDelivered: Bool, _ place: String, _ text: String) {
        self.channel = channel
        self.isDelivered = isDelivered
        self.place = place
        self.text = text
    }
}
