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

    @OptionGroup var issue: IssueOptions
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
        guard (1...64).contains(workers) else {
            throw ValidationError("--workers is 1 to 64, not \(workers).")
        }
        guard (1...86_400 * 7).contains(deadline) else {
            throw ValidationError("--deadline is 1 second to a week, not \(deadline).")
        }
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
            split: issue.split(adding: noPoison ? [] : Story.added), workers: workers,
            concurrency: concurrency, every: every, lease: lease, kills: !noKill,
            deadline: deadline,
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
