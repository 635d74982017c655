// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// A mailing to a hundred thousand, one worker killed half way, and every mail accounted for.
@main
struct NewsletterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "newsletter",
        abstract: "Mails a newsletter by a queue that loses nothing, and says what it cost.",
        discussion: """
            `run` is the whole story: a mail server that only counts, a receiver of alerts, worker \
            processes, one of which is killed. The other words are its parts, each usable alone.
            """,
        subcommands: [
            RunCommand.self, SplitCommand.self, WorkCommand.self, SinkCommand.self,
            ReceiveCommand.self,
        ],
        defaultSubcommand: RunCommand.self)
}
