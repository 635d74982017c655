// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// The `godwit` command: data on stdout, talk on stderr, exit codes of sysexits.
@main
struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "godwit",
        abstract: "A reliable queue: what was accepted is worked, or is in the dead letters.",
        discussion: """
            The store is --broker, else GODWIT_BROKER, else a SQLite file under the user's data \
            directory. It takes memory:, sqlite:PATH, redis://host:port/db, rediss://… and \
            redis+unix:///path. Passwords go into GODWIT_BROKER, GODWIT_REDIS_PASSWORD or a file \
            named by ?password-file=, never onto the command line.

            Exit codes: 0 done, 1 a check found something, 64 usage, 65 bad data, 66 no such \
            queue, message or file, 69 the store is unavailable, 70 a defect, 73 can't create, \
            74 input or output failed, 75 try again later, 78 wrong configuration.
            """,
        version: "godwit 0.1.0",
        subcommands: [
            Enqueue.self, Work.self, Serve.self, QueueCommands.self, JobCommands.self, DeadCommands.self,
            StreamCommands.self, Doctor.self, Bench.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
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
