// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import Mailing

/// A mailing from its first job to its last mail, with a worker killed on the way.
struct Story: Sendable {
    var split: SplitIssue
    var workers: Int
    var concurrency: Int
    var every: Int
    var lease: Double
    var kills: Bool
    /// Seconds in which all must be mailed.
    var deadline: Int
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
        _ = try await split.enqueue(on: broker)
        Post.say(
            """
            \(split.recipients) recipients in \(split.batches.count) batches, \(workers) workers of \
            \(concurrency), a checkpoint every \(every) mails; the sink listens on port \(sink.port)
            """)
        let watching = try Watching(
            broker, into: "\(folder)/history.db", telling: receiver, secret: secret)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await watching.run() }
            let summary: Summary
            do {
                let crew = try Crew(arguments: workArguments(sink))
                try await watching.expect(deadline: deadline)
                let (killed, advice) = try await work(watching, crew, sink)
                let time = ContinuousClock.now - start
                let isWatched = try await watching.settle(
                    receiver, isAlertDue: !split.added.isEmpty, patience: .seconds(30))
                let report = RejectReport(path: "\(folder)/rejected.jsonl")
                summary = Summary(
                    self, sink.report, before: before,
                    after: try await broker.inspector.counts(of: Post.queue),
                    refused: try report.lines().count, held: killed, time: time,
                    alerts: receiver.calls, advice: advice.map(\.sentence), isWatched: isWatched,
                    plan: try await DeadlinePlan(
                        self, watching.history, now: broker.time.now() + broker.clockOffset))
            } catch {
                await watching.stop()
                throw error
            }
            await watching.stop()
            try await group.waitForAll()
            await watching.history.shutdown()
            return summary
        }
    }

    private func workArguments(_ sink: Sink) -> [String] {
        [
            "--broker", broker, "--smtp", "127.0.0.1:\(sink.port)", "--drain",
            "--concurrency", "\(concurrency)", "--every", "\(every)", "--lease", "\(lease)",
            "--report", "\(folder)/rejected.jsonl",
        ]
    }

    /// Runs the workers until nothing is left; returns how many batches the killed one held, and what
    /// advice there was on the way.
    private func work(
        _ watching: Watching, _ crew: Crew, _ sink: Sink
    ) async throws -> (killed: Int?, advice: [Advice]) {
        let broker = watching.broker
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<workers { group.addTask { try await crew.work() } }
            var started = workers
            var progress = Progress(total: split.recipients)
            var killed: Int?
            var advice: [Advice] = []
            var adviseAt = ContinuousClock.now + .seconds(2)
            while true {
                let counts = try await broker.inspector.counts(of: Post.queue)
                let sums = sink.report
                progress.show(sums, counts)
                // With nobody left to work it would never be drained; their errors come below.
                if counts.isDrained || crew.ended == started { break }
                if kills, killed == nil, sums.distinct * 5 >= split.recipients * 2 {
                    killed = try await crew.killOne(on: broker)
                    if killed != nil {
                        // Somebody comes in for the dead one, as a supervisor would see to.
                        group.addTask { try await crew.work() }
                        started += 1
                    }
                }
                if ContinuousClock.now >= adviseAt {
                    try await watching.advise(&advice)
                    adviseAt = ContinuousClock.now + .seconds(2)
                }
                try await Task.sleep(for: .milliseconds(killed == nil && kills ? 5 : 50))
            }
            progress.end(sink.report)
            try await group.waitForAll()
            return (killed, advice)
        }
    }
}
