// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit
import GodwitGRPC

/// `godwit token …`
struct TokenCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Who may come through the gRPC door, and to do what.",
        discussion: """
            Tokens stand in the store that `godwit serve --grpc` opens, as hashes; so these commands \
            need that store itself and go through no door. A client sends its token as \
            `authorization: Bearer gdw_…`; this command takes it from GODWIT_TOKEN, or from the file \
            named by ?token-file= in the URL.
            """,
        subcommands: [List.self, Add.self, Remove.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "All tokens, without their secrets; those that ended stay for 30 days.")
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(TokenRow.self)
            let limit = store.limit()
            try await store.withTokens { open, book in
                let all = try await book.all()
                let rows = all.prefix(limit).map { TokenRow($0, at: open.now) }
                try output.list(rows, of: all.count)
                if all.isEmpty {
                    Talk.say("no token yet: `godwit token add NAME --allow 'QUEUE:work'` makes one")
                }
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token and show it, once.",
            discussion: """
                For example: godwit token add mailer --allow 'mail*:produce,work' --expires 30d

                The acts are produce (enqueue, append), work (reserve, settle), inspect (look) and \
                operate (redrive, cancel, pause, purge, …). Whatever is not allowed is refused.
                """)
        @Argument(help: "A name: letters, digits, . _ -; it is a part of the token.")
        var name: String
        @Option(
            help: ArgumentHelp(
                """
                Queues or streams and what may be done there; a * at the end of a name stands for \
                anything, alone for all. May be repeated.
                """, valueName: "queues:act,act"),
            transform: TokenCommands.grant)
        var allow: [Grant]
        @Option(
            help: ArgumentHelp(
                "It is good for this time; without it until removed.", valueName: "30d"),
            transform: StoreOptions.duration)
        var expires: Duration?
        @OptionGroup var store: StoreOptions

        func validate() throws {
            guard AccessToken.isName(name) else {
                throw ValidationError(
                    """
                    '\(name.prefix(60).shown)' can't be the name of a token. Use 1 to 64 characters out \
                    of A–Z a–z 0–9 . _ -
                    """)
            }
            if allow.isEmpty {
                throw ValidationError(
                    "a token that may do nothing is no use: add --allow 'QUEUES:ACT,ACT'.")
            }
            if allow.count > 100 {
                throw ValidationError("a token has at most 100 grants; use a * for many queues.")
            }
            if let expires, expires < .seconds(1) {
                throw ValidationError("--expires needs a second or more.")
            }
        }

        func run() async throws {
            let output = try store.output(NewTokenRow.self)
            try await store.withTokens { open, book in
                let end = expires.map { open.now + $0 }
                var token: String?
                if store.isDry {
                    if try await book.all().contains(where: { $0.name == name }) {
                        throw taken(open)
                    }
                } else {
                    guard
                        let new = try await book.add(
                            name, grants: allow, expiresAt: end, now: open.now)
                    else { throw taken(open) }
                    token = new.text
                    await open.audit(
                        "token add", "",
                        "\(name) \(allow.map { "\($0)" }.joined(separator: " "))", affected: 1)
                }
                try output.one(
                    NewTokenRow(name: name, token: token, grants: allow, expiresAt: end))
                Talk.say(
                    token == nil
                        ? "nothing was made"
                        : """
                        keep it now: it is shown this once. Doors take it within a second; away with \
                        `godwit token remove \(name)`
                        """)
            }
        }

        private func taken(_ open: OpenStore) -> Failure {
            Failure(
                .exists,
                """
                \(open.name) has a token '\(name)' already: `godwit token list`. Nothing was made; take \
                another name, or remove it first.
                """)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a token away; doors refuse it within 5 seconds.")
        @Argument(help: "Its name.") var name: String
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(TokenRow.self)
            try await store.withTokens { open, book in
                guard let record = try await book.all().first(where: { $0.name == name }) else {
                    throw Failure(
                        .noInput,
                        "\(open.name) has no token '\(name.prefix(64).shown)': `godwit token list`."
                    )
                }
                if !store.isDry {
                    guard try await book.remove(name) else {
                        throw Failure(.noInput, "somebody else has just removed '\(name)'.")
                    }
                    await open.audit("token remove", "", name, affected: 1)
                }
                try output.one(TokenRow(record, at: open.now))
                Talk.say(
                    store.isDry
                        ? "nothing was removed"
                        : """
                        removed; a new one with the same rights: godwit token add \(name) \
                        \(record.grants.map { "--allow \("\($0)".quoted)" }.joined(separator: " "))
                        """)
            }
        }
    }

    private static func grant(_ text: String) throws -> Grant {
        do throws(GrantError) {
            return try Grant(text)
        } catch {
            throw ValidationError("\(error)")
        }
    }
}

extension StoreOptions {
    /// Opens a store that is not behind a door: doors give no tokens out, and take none in.
    fileprivate func withTokens(
        _ body: @escaping @Sendable (OpenStore, TokenBook) async throws -> Void
    ) async throws {
        if case .grpc(let url) = try Compose.place(of: self).location {
            throw Failure(
                .usage,
                """
                \(url) is a gRPC door, and no door gives tokens out. Run this where the store is, with \
                --broker sqlite:PATH or redis://….
                """)
        }
        try await withStore { open in
            try await body(open, TokenBook(open.broker.board))
        }
    }
}
