// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import Mailing

/// How an issue is cut.
struct IssueOptions: ParsableArguments {
    @Option(help: "The issue's name; a part of every Message-ID.") var issue = "2026-11"
    @Option(help: "How many get it.") var recipients = 100_000
    @Option(help: "Mails in one job.") var perJob = 1000

    func validate() throws {
        guard (1...10_000_000).contains(recipients), (1...100_000).contains(perJob) else {
            throw ValidationError("--recipients is 1 to 10000000, --per-job 1 to 100000.")
        }
        guard recipients / perJob < 100_000 else {
            throw ValidationError("that would be over 100000 jobs. Raise --per-job.")
        }
        guard !issue.isEmpty, issue.utf8.count <= 64,
            issue.utf8.allSatisfy({ (0x21..<0x7F).contains($0) })
        else { throw ValidationError("--issue is 1 to 64 visible ASCII characters.") }
    }

    func split(adding added: [String] = []) -> SplitIssue {
        SplitIssue(issue: issue, recipients: recipients, perJob: perJob, added: added)
    }
}

extension SplitIssue {
    /// Hands the issue in. While it waits or is being cut, the same issue again is the same message.
    func enqueue(on broker: any Broker) async throws -> Enqueued {
        try await Queue(Post.queue, on: broker).enqueue(self, .unique(by: "split \(issue)"))
    }
}

struct SplitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "split",
        abstract: "Hands in an issue: one job, which a worker cuts into batches.",
        discussion:
            "Prints the job's id. While that job is there, the same issue again adds nothing.")

    @Option(help: "sqlite:PATH, redis://… or redis+unix://…") var broker: String
    @OptionGroup var issue: IssueOptions

    private struct Accepted: Encodable { let id: MessageID, isNew: Bool }

    func run() async throws {
        let broker = try await Post.open(broker)
        do {
            let accepted = try await issue.split().enqueue(on: broker)
            try Post.print(Accepted(id: accepted.id, isNew: accepted.isNew))
            await broker.shutdown()
        } catch {
            await broker.shutdown()
            throw error
        }
    }
}
