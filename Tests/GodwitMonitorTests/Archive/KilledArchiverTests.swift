// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import GodwitSQLite
import TestRedis
import Testing

@Suite struct `An archiver that is killed` {
    @Test(.timeLimit(.minutes(5)))
    func `loses nothing and doubles nothing, wherever it dies`() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = Seeded(seed)
        try await withFolder { folder in
            let (queueFile, historyFile) = ("\(folder)/queue.db", "\(folder)/history.db")
            let broker = try await SQLiteBroker(path: queueFile)
            let history = try SQLiteHistory(path: historyFile)
            var runs = 0
            for _ in 0..<100 { runs += try await work(on: broker) }
            let end = Timestamp(Date()) + .seconds(3600)
            let range = HistoryRange(from: end + .seconds(-7200), to: end)
            var kills = 0
            var kept = 0
            while kept < runs, kills < 200 {
                let (reading, writing) = try Spawned.pipe()
                let none = open("/dev/null", O_RDWR)
                let worker = try ChildProcess(
                    Self.program, [queueFile, historyFile], input: reading, output: none,
                    errors: none)
                close(reading)
                close(none)
                // Some more rows than before, and then a moment anywhere within a batch.
                let goal = min(runs, kept + Int.random(in: 1...600, using: &random))
                let limit = ContinuousClock.now + .seconds(60)
                while kept < goal {
                    try #require(ContinuousClock.now < limit, "it archives nothing; seed \(seed)")
                    kept = try await count(history, range)
                }
                if goal < runs {
                    try await Task.sleep(
                        for: .microseconds(Int.random(in: 0...20_000, using: &random)))
                }
                await worker.kill()
                close(writing)
                kills += 1
                kept = try await count(history, range)
            }
            let rows = try await history.runs(RunQuery(range, limit: 10_000)).runs
            #expect(rows.count == runs, "seed \(seed)")
            #expect(kills > 5)
            let summed = try await history.stats(
                HistoryRange(from: range.from + .seconds(-3600), to: range.to))
            #expect(summed.reduce(0) { $0 + $1.runs } == runs, "seed \(seed)")
            #expect(Set(rows.map { "\($0.id) \($0.run)" }).count == runs)
            await history.shutdown()
            await broker.shutdown()
        }
    }

    private func count(_ history: SQLiteHistory, _ range: HistoryRange) async throws -> Int {
        try await history.stats(range).reduce(0) { $0 + $1.runs }
    }

    /// 64 messages, a quarter of which fail once; the number of runs.
    private func work(on broker: SQLiteBroker) async throws -> Int {
        let now = Timestamp(Date())
        let messages = try (0..<64).map { _ in
            NewMessage(id: MessageID(at: now), kind: try Kind("mail.send"), body: [1])
        }
        _ = try await broker.enqueue(messages, to: "mail")
        var runs = 0
        while true {
            let taken = try await broker.reserve(ReserveRequest(7), from: "mail").messages
            guard !taken.isEmpty else { return runs }
            runs += taken.count
            _ = try await broker.settle(
                taken.enumerated().map { index, message in
                    Settlement(
                        message.token,
                        index % 4 == 0 && message.token.entry.epoch == 0
                            ? .retry(after: .zero, reason: "once") : .ack)
                }, in: "mail")
        }
    }

    /// The folder of the build holds the test bundle and the program.
    private static let program: String = {
        let places = [Bundle.main.executablePath].compactMap { $0 } + CommandLine.arguments
        for place in places {
            var folder = URL(fileURLWithPath: place).deletingLastPathComponent()
            for _ in 0..<5 {
                let path = folder.appendingPathComponent("ArchiveWorker").path
                if FileManager.default.isExecutableFile(atPath: path) { return path }
                folder = folder.deletingLastPathComponent()
            }
        }
        return ".build/release/ArchiveWorker"
    }()
}
