// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit
import Mailing

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "The whole story; ends with 0 only when every sum is exact.",
        discussion: """
            Starts a sink and a receiver, hands in one issue, starts workers of itself, kills one while \
            it sends, and counts: distinct Message-IDs must be the recipients, repeats at most the \
            mails since the last checkpoints of the batches that the killed one held.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: "The issue's name; a part of every Message-ID.") var issue = "2026-11"
    @Option(help: "How many get it.") var recipients = 100_000
    @Option(help: "Mails in one job.") var perJob = 1000
    @Option(help: "Worker processes.") var workers = 3
    @Option(help: "Batches each of them sends at once.") var concurrency = 2
    @Option(help: "A checkpoint after so many mails.") var every = 10
    @Option(help: "Seconds until a dead worker's batches run again.") var lease = 5.0
    @Option(help: "Seconds in which all must be mailed; what the advice is asked for.")
    var deadline = 3600
    @Option(help: "sqlite:PATH, redis://… or redis+unix://…; a file in --into when left out.")
    var broker: String?
    @Option(help: "Where reports and store go; a new temporary directory when left out.")
    var into: String?
    @Flag(help: "Kill nobody.") var noKill = false
    @Flag(help: "No batch with a malformed address.") var noPoison = false
    @Option(name: .shortAndLong, help: "text or json.") var output = Format.text
    @OptionGroup var sink: SinkOptions

    func validate() throws {
        guard (1...10_000_000).contains(recipients), (1...100_000).contains(perJob) else {
            throw ValidationError("--recipients is 1 to 10000000, --per-job 1 to 100000.")
        }
        guard recipients / perJob < 100_000 else {
            throw ValidationError("that would be over 100000 jobs. Raise --per-job.")
        }
        guard (1...64).contains(workers) else {
            throw ValidationError("--workers is 1 to 64, not \(workers).")
        }
        guard (1...86_400 * 7).contains(deadline) else {
            throw ValidationError("--deadline is 1 second to a week, not \(deadline).")
        }
        guard !issue.isEmpty, issue.utf8.count <= 64,
            issue.utf8.allSatisfy({ (0x21..<0x7F).contains($0) })
        else { throw ValidationError("--issue is 1 to 64 visible ASCII characters.") }
    }

    func run() async throws {
        let folder =
            into
            ?? FileManager.default.temporaryDirectory
            .appendingPathComponent("newsletter-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        let secret = "\(UUID())\(UUID())"
        let receiver = try await Receiver.start(secret: secret)
        let sink = try await Sink.start(rules: self.sink.rules)
        let story = Story(
            issue: issue, recipients: recipients, perJob: perJob, workers: workers,
            concurrency: concurrency, every: every, lease: lease, kills: !noKill,
            isPoisoned: !noPoison, deadline: .seconds(deadline),
            broker: broker ?? "sqlite:\(folder)/newsletter.db", folder: folder)
        let summary = try await story.run(sink, receiver, secret: secret)
        await sink.stop()
        await receiver.stop()
        switch output {
        case .text: print(summary.text)
        case .json: try Post.print(summary)
        }
        for problem in summary.problems { Post.say("NOT EXACT: \(problem)") }
        if !summary.isExact { throw ExitCode(1) }
    }
}
