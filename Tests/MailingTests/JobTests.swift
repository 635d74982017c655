// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitTesting
import Mailing
import Testing

@Suite(.timeLimit(.minutes(1))) struct `Newsletter jobs` {
    @Test(arguments: [(2000, 100, 20), (1999, 100, 20), (2001, 100, 21), (1, 1000, 1)])
    func `the batches of an issue are its recipients, each once`(
        _ recipients: Int, _ perJob: Int, _ count: Int
    ) throws {
        let split = SplitIssue(issue: "i", recipients: recipients, perJob: perJob)
        #expect(split.batches.count == count)
        let all = try split.batches.flatMap { try $0.recipients() }
        #expect(all.count == recipients && Set(all).count == recipients)
        let ids = try split.batches.flatMap { batch in
            try batch.recipients().map { batch.messageID(to: $0) }
        }
        #expect(Set(ids).count == recipients)
        #expect(
            try split.batches[0].recipients().map { split.batches[0].messageID(to: $0) }
                == Array(ids.prefix(split.batches[0].count)))
    }

    @Test func `a splitter that runs twice adds nothing, also behind batches that are done`()
        async throws
    {
        let broker = MemoryBroker()
        let queue = Queue("newsletter", on: broker)
        let split = SplitIssue(issue: "i", recipients: 50, perJob: 10)
        let id = MessageID(at: broker.time.now())
        try await split.split(id: id, into: queue)
        let leased = try await broker.reserve(ReserveRequest(2), from: "newsletter").messages
        _ = try await broker.settle(leased.map { Settlement($0.token, .ack) }, in: "newsletter")
        try await split.split(id: id, into: queue)
        let counts = try await broker.inspector.counts(of: "newsletter")
        #expect(counts.enqueued == 5 && counts.ready == 3)
        let other = MessageID(at: broker.time.now())
        let ids = split.batches.map { SplitIssue.id(of: $0, under: id) }
        #expect(Set(ids + split.batches.map { SplitIssue.id(of: $0, under: other) }).count == 10)
        #expect(ids.allSatisfy { $0.timestamp == id.timestamp })
        await broker.shutdown()
    }

    /// Works one issue on a broker in memory with a sink of its own.
    static func mail(
        _ split: SplitIssue, _ rules: SinkRules = SinkRules(), every: Int = 10,
        report: RejectReport? = nil
    ) async throws -> (sums: SinkReport, counts: QueueCounts, letters: [MessageRecord]) {
        try await `Sink`.with(rules, messageIDs: 100_000) { sink in
            let broker = MemoryBroker()
            let queue = Queue("newsletter", on: broker)
            try await queue.enqueue(split)
            let mailer = Mailer(host: "127.0.0.1", port: sink.port, every: every, report: report)
            let worker = Worker(queue, concurrency: 3) { jobs in
                jobs.handle(SplitIssue.self) { try await $0.split(id: $1.id, into: $1.queue) }
                jobs.handle(
                    SendBatch.self, retry: .constant(.milliseconds(1), maxAttempts: 100)
                ) { try await mailer.send($0, $1) }
            }
            try await worker.run(until: .drained)
            let counts = try await broker.inspector.counts(of: "newsletter")
            let letters = try await broker.inspector.messages(
                .dead, in: "newsletter", after: nil, limit: 10
            ).messages
            await broker.shutdown()
            return (sink.report, counts, letters)
        }
    }

    @Test func `each recipient gets one mail`() async throws {
        let (sums, counts, _) = try await Self.mail(
            SplitIssue(issue: "i", recipients: 200, perJob: 50))
        #expect(sums.distinct == 200 && sums.repeats == 0)
        #expect(counts.completed == 5)
    }

    /// Where a worker dies: before, at and behind a checkpoint, at the ends, and nowhere.
    @Test(arguments: [0, 4, 9, 10, 11, 57, 98, 99, nil])
    func `a run killed behind any mail repeats what it sent since its checkpoint, and no more`(
        _ place: Int?
    ) async throws {
        try await `Sink`.with { sink in
            let clock = VirtualClock()
            let broker = MemoryBroker(time: clock)
            let queue = Queue("newsletter", on: broker)
            let batch = SendBatch(issue: "i", batch: 0, first: 0, count: 100, added: nil)
            try await queue.enqueue(batch)
            var mailer = Mailer(host: "127.0.0.1", port: sink.port, every: 10)
            let request = ReserveRequest(1, lease: .seconds(10), takesSuspects: true)
            struct Killed: Error {}
            if let place {
                let first = try await broker.reserve(request, from: "newsletter").messages[0]
                mailer.afterMail = { position in
                    guard position == place else { return }
                    // The dead write nothing: the lease is another's when this run ends.
                    clock.advance(by: .seconds(11))
                    _ = try await broker.reclaim(64, in: "newsletter")
                    throw Killed()
                }
                await #expect(throws: Killed.self) {
                    try await mailer.send(batch, JobContext(queue: queue, leased: first))
                }
                #expect(sink.report.raw == place + 1)
            }
            mailer.afterMail = { _ in }
            let second = try await broker.reserve(request, from: "newsletter").messages[0]
            try await mailer.send(batch, JobContext(queue: queue, leased: second))
            let sums = sink.report
            #expect(sums.distinct == 100, "\(sums)")
            #expect(sums.repeats == place.map { ($0 % 10) + 1 } ?? 0, "\(sums)")
            #expect(sums.raw == sums.distinct + sums.repeats)
            await broker.shutdown()
        }
    }

    @Test func `recipients that are put off are tried again, alone`() async throws {
        let (sums, counts, _) = try await Self.mail(
            SplitIssue(issue: "i", recipients: 300, perJob: 100), SinkRules(deferEvery: 3))
        #expect(sums.distinct == 300 && sums.repeats == 0)
        #expect(sums.deferred >= 99 && sums.deferred < 200)
        #expect(counts.completed == 4 && counts.retried > 0)
    }

    @Test func `a cut connection repeats the mail in doubt and no other`() async throws {
        let (sums, counts, _) = try await Self.mail(
            SplitIssue(issue: "i", recipients: 300, perJob: 100), SinkRules(cutEvery: 37))
        #expect(sums.distinct == 300)
        #expect(sums.cut >= 8 && sums.repeats <= sums.cut)
        #expect(counts.completed == 4)
    }

    @Test func `a batch with a malformed address is dead with its reason, and none of it is sent`()
        async throws
    {
        let (sums, counts, letters) = try await Self.mail(
            SplitIssue(
                issue: "i", recipients: 20, perJob: 10,
                added: ["good@example.org", "eve@example.org>\r\nRCPT TO:<x@example.org"]))
        #expect(sums.distinct == 20)
        #expect(counts.dead == 1)
        let reason = try #require(letters.first?.reason)
        #expect(reason.contains("recipient 2 of 2 in batch i/2") && reason.contains("line break"))
        #expect(!reason.utf8.contains { $0 < 0x20 })
    }

    @Test func `a recipient that is refused for good is reported, and the others get their mail`()
        async throws
    {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("rejected-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let report = RejectReport(path: path)
        let (sums, counts, _) = try await Self.mail(
            SplitIssue(
                issue: "i", recipients: 10, perJob: 10,
                added: ["nobody@example.org", "somebody@example.org"]), report: report)
        #expect(sums.distinct == 11 && sums.rejected == 1)
        #expect(counts.dead == 0)
        let lines = try report.lines()
        #expect(lines.map(\.recipient) == ["nobody@example.org"])
        #expect(lines.first?.reply.hasPrefix("550") == true)
    }

    @Test func `a checkpoint of another shape is passed over, and one in shape is gone on from`()
        throws
    {
        for text in [
            "", "{}", "not json",
            "{\"fraction\":1,\"next\":11,\"of\":10,\"deferred\":[],\"rejected\":0}",
            "{\"fraction\":1,\"next\":5,\"of\":10,\"deferred\":[7],\"rejected\":0}",
            "{\"fraction\":1,\"next\":-1,\"of\":10,\"deferred\":[],\"rejected\":0}",
        ] {
            #expect(
                BatchProgress(reading: Array(text.utf8), of: 10) == BatchProgress(of: 10), "\(text)"
            )
        }
        let text = "{\"fraction\":0.4,\"next\":5,\"of\":10,\"deferred\":[2],\"rejected\":0}"
        let progress = BatchProgress(reading: Array(text.utf8), of: 10)
        #expect(progress.next == 5 && progress.deferred == [2])
        #expect(BatchProgress(reading: try progress.bytes, of: 10) == progress)
    }

    @Test func `a checkpoint fits in its 4 KiB with as many put off as it takes`() throws {
        let deferred = (99_744..<100_000).map(String.init).joined(separator: ",")
        let text =
            "{\"fraction\":0.123,\"next\":100000,\"of\":100000,\"deferred\":[\(deferred)],\"rejected\":100000}"
        let progress = BatchProgress(reading: Array(text.utf8), of: 100_000)
        #expect(progress.deferred.count == 256)
        #expect(try progress.bytes.count <= 4096)
    }
}
