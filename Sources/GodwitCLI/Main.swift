// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// The `godwit` command: data on stdout, talk on stderr, exit codes of sysexits.
@main
struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "godwit",
        abstract: "A reliable queue: what was accepted is worked, or is in the dead letters.",
        usage: "godwit [global options] <noun> <verb> [id …] [--where QUERY]",
        discussion: """
            The store is --broker, else a --context, GODWIT_BROKER, the context in use, or a SQLite \
            file under the user's data directory. It takes memory:, sqlite:PATH, \
            redis://host:port/db, rediss://…, redis+unix:///path and the door of a `godwit serve`, \
            grpcs://host:port or, on this machine, grpc://127.0.0.1:50051. Passwords go into \
            GODWIT_BROKER, GODWIT_REDIS_PASSWORD, a context or a file named by ?password-file=, \
            a token for a door into GODWIT_TOKEN or a file named by ?token-file=, never onto the \
            command line.

            Every command takes --broker, --context, --history, -o text|json|jsonl|tsv|none, \
            --fields a,b, --limit, --time, --color, --timeout, -q, -v, --yes and --dry-run, before \
            the noun or behind the verb. Data goes to stdout, talk to stderr.
            """,
        version: "godwit 0.1.0",
        subcommands: [
            Enqueue.self, Work.self, Serve.self, QueueCommands.self, JobCommands.self,
            DeadCommands.self,
            WorkerCommands.self, StreamCommands.self, HistoryCommands.self, AuditCommands.self,
            AlertCommands.self, TokenCommands.self,
            Doctor.self, Bench.self, ContextCommands.self, Completion.self, HelpJSON.self,
            HelpQuery.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot(
                Grammar.ordered(Array(CommandLine.arguments.dropFirst())))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.exit(with: error)
        }
    }
}
