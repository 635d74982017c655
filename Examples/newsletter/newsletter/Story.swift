// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import Mailing

/// A mailing from its first job to its last mail, with a worker killed on the way.
struct Story: Sendable {
    var issue: String
    var recipients: Int
    var perJob: Int
    var workers: Int
    var concurrency: Int
    var every: Int
    var lease: Double
    var kills: Bool
    var isPoisoned: Bool
    var deadline: Duration
    var broker: String
    var folder: String

    /// What came in by the form on the web page: the second is an attack, and the batch is dead for it.
    static let added = [
        "late-subscriber@example.net",
        "eve@example.net>\r\nRCPT TO:<everybody@example.net",
    ]

    func run(_ sink: Sink, _ receiver: Receiver, secret: String) async throws -> Summary {
        let broker = try await Post.open(broker)
        do {
            let summary = try await run(on: broker, sink, receiver, secret: secret)
            await broker.shutdown()
            return summary
        } catch {
            await broker.shutdown()
            throw error
        }
    }

    private func run(
        on broker: any Broker, _ sink: Sink, _ receiver: Receiver, secret: String
    ) async throws -> Summary {
        let start = ContinuousClock.now
        let before = try await broker.inspector.counts(of: Post.queue)
        guard before.isDrained else {
            throw Wrong(
                """
                the queue '\(Post.queue)' holds \(before.ready + before.scheduled + before.leased) \
                batch(es) of an earlier run, whose mails would count as this one's. Let `newsletter work` \
                send them, or name another store by --broker or --into.
                """)
        }
        let split = SplitIssue(
            issue: issue, recipients: recipients, perJob: perJob,
            added: isPoisoned ? Self.added : [])
        try await Queue(Post.queue, on: broker).enqueue(split, .unique(by: "split \(issue)"))
        Post.say(
            """
            \(recipients) recipients in \(split.batches.count) batches, \(workers) workers of \
            \(concurrency), a checkpoint every \(every) mails; the sink listens on port \(sink.port)
            """)
        let crew = try Crew(arguments: workArguments(sink))
        let killed = try await work(broker, crew, sink)
        let time = ContinuousClock.now - start
        let counts = try await broker.inspector.counts(of: Post.queue)
        let report = RejectReport(path: "\(folder)/rejected.jsonl")
        return Summary(
            self, jobs: split.batches.count, sink.report, before: before, after: counts,
            refused: try report.lines().count, held: killed, time: time)
    }

    private func workArguments(_ sink: Sink) -> [String] {
        [
            "--broker", broker, "--smtp", "127.0.0.1:\(sink.port)", "--drain",
            "--concurrency", "\(concurrency)", "--every", "\(every)", "--lease", "\(lease)",
            "--report", "\(folder)/rejected.jsonl",
        ]
    }

    /// Runs the workers until nothing is left; returns how many batches the killed one held.
    private func work(_ broker: any Broker, _ crew: Crew, _ sink: Sink) async throws -> Int? {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<workers { group.addTask { try await crew.work() } }
            var started = workers
            var progress = Progress(total: recipients)
            var killed: Int?
            while true {
                let counts = try await broker.inspector.counts(of: Post.queue)
                let sums = sink.report
                progress.show(sums, counts)
                // With nobody left to work it would never be drained; their errors come below.
                if counts.isDrained || crew.ended == started { break }
                if kills, killed == nil, sums.distinct * 5 >= recipients * 2 {
                    killed = try await crew.killOne(on: broker)
                    if killed != nil {
                        // Somebody comes in for the dead one, as a supervisor would see to.
                        group.addTask { try await crew.work() }
                        started += 1
                    }
                }
                try await Task.sleep(for: .milliseconds(killed == nil && kills ? 5 : 50))
            }
            progress.end(sink.report)
            try await group.waitForAll()
            return killed
        }
    }
}
