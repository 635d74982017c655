// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Mailing
import NIOCore
import UnixSignals

/// How the sink treats its clients.
struct SinkOptions: ParsableArguments {
    @Option(help: "Milliseconds that the answer to each mail waits, as from a server far away.")
    var delay = 0.0
    @Option(help: "Put every n-th recipient off by a 451; 0: none.") var deferEvery = 0
    @Option(help: "Cut the connection behind every n-th mail taken, unanswered; 0: none.")
    var cutEvery = 0

    func validate() throws {
        guard (0...60_000).contains(delay) else {
            throw ValidationError("--delay is 0 to 60000 milliseconds, not \(delay).")
        }
        guard deferEvery >= 0, cutEvery >= 0 else {
            throw ValidationError("--defer-every and --cut-every are 0 or more.")
        }
    }

    var rules: SinkRules {
        SinkRules(
            delay: .nanoseconds(Int64(delay * 1_000_000)), deferEvery: deferEvery,
            cutEvery: cutEvery)
    }
}

struct SinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sink",
        abstract: "A mail server that keeps nothing and counts: mails, Message-IDs, repeats.",
        discussion: """
            Says its port as JSON, runs until SIGTERM or Ctrl-C, and ends with its sums as JSON. It \
            is for mailings that must not leave the machine. Recipients named nobody… are unknown to it.
            """)

    @Option(help: "Address to listen on.") var host = "127.0.0.1"
    @Option(help: "Port; 0 takes a free one.") var port = 2525
    @Option(help: "File for the sums, written at the end.") var sums: String?
    @OptionGroup var options: SinkOptions

    private struct Listening: Encodable { let host: String, port: Int }

    func run() async throws {
        let sink = try await Sink.start(host: host, port: port, rules: options.rules)
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try Post.print(Listening(host: host, port: sink.port))
        for await _ in signals { break }
        await sink.stop()
        try Post.print(sink.report)
        if let sums {
            try JSONEncoder().encode(sink.report).write(
                to: URL(fileURLWithPath: sums), options: .atomic)
        }
    }
}
