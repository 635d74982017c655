// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// Workers that call a service over gRPC, one of them killed, and every number answered exactly once.
@main
struct FibonacciCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fibonacci",
        abstract: "Exact Fibonacci numbers by a gRPC service and a queue that loses nothing.",
        discussion: """
            `run` is the whole story: the service, worker processes, one of which is killed, and an \
            independent implementation that checks the results. The other words are its parts, each \
            usable alone.
            """,
        subcommands: [
            RunCommand.self, ServiceCommand.self, WorkCommand.self, EnqueueCommand.self,
            ReportCommand.self,
        ],
        defaultSubcommand: RunCommand.self)
}
