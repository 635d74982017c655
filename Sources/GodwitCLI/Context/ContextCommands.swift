// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit

/// `godwit context …`
struct ContextCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context",
        abstract: "Names for stores and their histories.",
        discussion: """
            Kept in $XDG_CONFIG_HOME/godwit/contexts.json (0600). --broker comes first, then \
            --context, GODWIT_BROKER, GODWIT_CONTEXT, and the one in use.
            """,
        subcommands: [List.self, Use.self, Add.self, Remove.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "All contexts, without their secrets.")
        @OptionGroup var store: StoreOptions

        func run() throws {
            let output = try store.output(ContextRow.self)
            let all = try Contexts.load()
            let rows = all.contexts.sorted { $0.key < $1.key }
                .map { ContextRow($0.key, $0.value, isCurrent: $0.key == all.current) }
            try output.list(Array(rows.prefix(store.limit())))
            if rows.isEmpty { Talk.say("no context yet: `godwit context add NAME URL` makes one") }
        }
    }

    struct Use: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take this one where nothing else is named.")
        @Argument(help: "Its name; - for none.") var name: String
        @OptionGroup var store: StoreOptions

        func run() throws {
            let output = try store.output(ContextRow.self)
            var all = try Contexts.load()
            let old = all.current
            all.current = name == "-" ? nil : name
            let context = name == "-" ? nil : try all.named(name)
            if !store.isDry { try all.save() }
            if let context { try output.one(ContextRow(name, context, isCurrent: true)) }
            Talk.say(
                (store.isDry ? "would be in use; nothing was changed" : "in use")
                    + "; back with `godwit context use \(old ?? "-")`")
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Name a store, or change what a name means (with --yes).",
            discussion: """
                Secrets never stand on the command line: give - as URL and the URL with its password \
                on stdin, or --password-variable with the name of an environment variable, or \
                ?password-file=/path in the URL. A token for grpcs:// is in GODWIT_TOKEN when it is \
                used, or in the file of ?token-file=/path.
                """)
        @Argument(help: "The name: letters, digits, . _ -") var name: String
        @Argument(help: "The broker's URL; - reads it from stdin.") var url: String
        @Option(
            help: "The environment variable that holds the broker's password, looked at when used.")
        var passwordVariable: String?
        @OptionGroup var store: StoreOptions

        func validate() throws {
            _ = try StoreOptions.queue(name)
            if url == "-", store.history == "-" {
                throw ValidationError("stdin holds one URL: give the other as an argument.")
            }
        }

        func run() throws {
            let output = try store.output(ContextRow.self)
            let broker = url == "-" ? try Self.line() : url
            if url.hasPrefix("grpc"), Compose.holdsPassword(url) {
                throw Failure(.usage, Compose.exposedToken("the URL"))
            }
            if url != "-", Compose.holdsPassword(url) {
                throw Failure(
                    .usage,
                    """
                    the URL holds a password, and every user of this machine can read command lines. \
                    Nothing was done. Give - and the URL on stdin, or --password-variable; and \
                    change the password if others may have seen it.
                    """)
            }
            _ = try Compose.parse(broker, from: "the URL")
            var history = store.history
            if history == "-" {
                history = try Self.line()
            } else if let history,
                HistoryPlace.holdsPassword(history)
            {
                throw Failure(
                    .usage,
                    "the history's URL holds a password: put it into GODWIT_CLICKHOUSE_PASSWORD. Nothing was done."
                )
            }
            var all = try Contexts.load()
            if let old = all.contexts[name], !store.isSure {
                throw Failure(
                    .exists,
                    """
                    the context '\(name)' is there already, for \
                    \(Contexts.Context.shown(old.broker)). Nothing was changed; add --yes to change it.
                    """)
            }
            let context = Contexts.Context(
                broker: broker, history: history, passwordVariable: passwordVariable)
            all.contexts[name] = context
            if !store.isDry { try all.save() }
            try output.one(ContextRow(name, context, isCurrent: all.current == name))
            Talk.say(
                store.isDry
                    ? "nothing was written"
                    : "use it with --context \(name) or `godwit context use \(name)`; away with `godwit context remove \(name)`"
            )
        }

        private static func line() throws -> String {
            guard let line = readLine(), !line.isEmpty else {
                throw Failure(.data, "stdin holds no URL. Nothing was done.")
            }
            return line
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a name; the store is not touched.")
        @Argument(help: "Its name.") var name: String
        @OptionGroup var store: StoreOptions

        func run() throws {
            let output = try store.output(ContextRow.self)
            var all = try Contexts.load()
            let old = try all.named(name)
            all.contexts[name] = nil
            if all.current == name { all.current = nil }
            if !store.isDry { try all.save() }
            try output.one(ContextRow(name, old, isCurrent: false))
            Talk.say(
                (store.isDry ? "would be removed; nothing was changed" : "removed")
                    + "; again with `godwit context add \(name) \(Contexts.Context.shown(old.broker).shown)`"
            )
        }
    }
}

struct ContextRow: Row {
    static let schema = "godwit.context/1"
    static let columns: [Column<ContextRow>] = [
        .text("name", "its name") { $0.name },
        .flag("current", "taken where nothing else is named") { $0.isCurrent },
        .text("broker", "the store, without credentials") { $0.broker },
        .text("history", "its history, without credentials") { $0.history },
        .text("password_variable", "the environment variable with the password", .detail) {
            $0.passwordVariable
        },
    ]
    let name: String
    let isCurrent: Bool
    let broker: String
    let history: String?
    let passwordVariable: String?

    init(_ name: String, _ context: Contexts.Context, isCurrent: Bool) {
        self.name = name
        self.isCurrent = isCurrent
        broker = Contexts.Context.shown(context.broker)
        history = context.history.map(Contexts.Context.shown)
        passwordVariable = context.passwordVariable
    }
}
