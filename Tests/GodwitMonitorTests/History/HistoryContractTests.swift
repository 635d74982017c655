// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import Testing

@Suite struct `A history` {
    @Test(arguments: HistoryKind.allCases)
    func `gives back every row as it was sent, newest first, a page at a time`(
        _ kind: HistoryKind
    ) async throws {
        try await withHistory(kind) { history in
            var random = RandomRows(seed: 1)
            let rows = random.rows(500)
            try await history.add(rows.shuffled(using: &random.random), [])
            var found: [RunRow] = []
            var query = RunQuery(.all, limit: 37)
            var pages = 0
            while true {
                let page = try await history.runs(query)
                #expect(page.runs.count <= 37)
                found += page.runs
                pages += 1
                guard let next = page.next, pages < 100 else { break }
                query.after = next
            }
            #expect(found == rows.sorted { $0.finishedAt > $1.finishedAt })
            #expect(pages == 14)
        }
    }

    @Test(arguments: HistoryKind.allCases)
    func `finds runs by queue, kind, verdict, fingerprint, worker and a part of the reason`(
        _ kind: HistoryKind
    ) async throws {
        try await withHistory(kind) { history in
            var random = RandomRows(seed: 2)
            let rows = random.rows(600)
            try await history.add(rows, [])
            let naive = Naive(rows: rows)
            func expect(_ query: RunQuery) async throws {
                let found = try await history.runs(query).runs
                #expect(found == naive.runs(query), "\(query)")
            }
            for queue in RandomRows.queues {
                for kind in RandomRows.kinds {
                    var range = HistoryRange.all
                    range.queue = queue
                    try await expect(RunQuery(range, limit: 1000))
                    range.kind = kind
                    try await expect(RunQuery(range, limit: 1000))
                }
            }
            for verdict in Event.Move.allCases {
                try await expect(RunQuery(.all, verdicts: [verdict, .reject], limit: 1000))
            }
            for reason in RandomRows.reasons where !reason.isEmpty {
                try await expect(RunQuery(.all, reason: reason.uppercased(), limit: 1000))
            }
            let failure = try #require(rows.first { $0.isFailure })
            try await expect(RunQuery(.all, fingerprint: failure.fingerprint, limit: 1000))
            try await expect(RunQuery(.all, worker: failure.worker, limit: 1000))
            try await expect(RunQuery(.all, fingerprint: "' OR 1=1 --", limit: 1000))
            let none = HistoryRange(from: HistoryRange.all.to, to: HistoryRange.all.from)
            try await expect(RunQuery(none, limit: 1000))
        }
    }

    @Test(arguments: HistoryKind.allCases)
    func `counts a row that is sent again once, in everything`(_ kind: HistoryKind) async throws {
        try await withHistory(kind) { history in
            var random = RandomRows(seed: 3)
            let rows = random.rows(1000)
            try await history.add(rows, [])
            try await history.add(rows, [])
            try await history.add(
                Array(rows.shuffled(using: &random.random).prefix(300)) + rows.prefix(10), [])
            let naive = Naive(rows: rows)
            #expect(try await history.runs(RunQuery(.all, limit: 10_000)).runs.count == 1000)
            try await expectAnswers(history, naive)
            // The upkeep makes panes; they say the same.
            _ = try await history.prune(.endless, now: RandomRows.start + .seconds(86_400))
            try await history.add(Array(rows.suffix(100)), [])
            try await expectAnswers(history, naive)
            _ = try await history.prune(.endless, now: RandomRows.start + .seconds(86_400))
            try await expectAnswers(history, naive)
        }
    }

    @Test(arguments: HistoryKind.allCases)
    func `adds what comes late to what it has summed up already`(_ kind: HistoryKind) async throws {
        try await withHistory(kind) { history in
            var random = RandomRows(seed: 4)
            let rows = random.rows(1000).shuffled(using: &random.random)
            var known: [RunRow] = []
            for part in 0..<4 {
                let next = Array(rows[part * 250..<(part + 1) * 250])
                known += next
                try await history.add(next, [])
                try await expectAnswers(history, Naive(rows: known))
                _ = try await history.prune(.endless, now: RandomRows.start + .seconds(86_400))
                try await expectAnswers(history, Naive(rows: known))
            }
        }
    }

    /// Every question over ranges that begin and end in hours, minutes and milliseconds.
    private func expectAnswers(
        _ history: any HistoryStore, _ naive: Naive,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let start = RandomRows.start
        let ranges: [(Int64, Int64)] = [
            (0, 18_000_000), (3_600_000, 10_800_000), (61_000, 17_000_001), (1_234_567, 1_834_567),
            (3_599_999, 3_600_001), (120_000, 7_320_000), (500, 17_999_999), (-5_000, 90_000_000),
        ]
        for (from, to) in ranges {
            var range = HistoryRange(
                from: start + .milliseconds(from), to: start + .milliseconds(to))
            for queue in [nil, RandomRows.queues[0], RandomRows.queues[2]] {
                range.queue = queue
                range.kind = queue == RandomRows.queues[2] ? RandomRows.kinds[3] : nil
                expectSame(
                    try await history.stats(range), naive.stats(range),
                    sourceLocation: sourceLocation)
                let groups = try await history.groups(range, limit: 10_000)
                let wanted = naive.groups(range)
                #expect(
                    groups.map(\.count) == wanted.map(\.count).sorted(by: >),
                    sourceLocation: sourceLocation)
                for group in groups {
                    let same = wanted.first {
                        [$0.fingerprint, $0.queue, $0.kind]
                            == [group.fingerprint, group.queue, group.kind]
                    }
                    #expect(same?.count == group.count, sourceLocation: sourceLocation)
                    #expect(same?.firstAt == group.firstAt, sourceLocation: sourceLocation)
                    #expect(same?.lastAt == group.lastAt, sourceLocation: sourceLocation)
                    #expect((1...3).contains(group.samples.count))
                    #expect(group.samples.allSatisfy { same?.samples.contains($0) == true })
                }
                let slowest = try await history.slowest(range, limit: 25)
                #expect(
                    slowest.map(\.runMilliseconds)
                        == naive.inside(range).compactMap(\.runMilliseconds).sorted(by: >)
                        .prefix(25).map { $0 }, sourceLocation: sourceLocation)
            }
            for step in [3_600_000, 900_000, 60_000, 54_321] as [Int64] {
                guard to - from < step * 9_000 else { continue }
                #expect(
                    try await history.rate(range, step: .milliseconds(step))
                        == naive.rate(range, step: step), sourceLocation: sourceLocation)
            }
        }
    }

    @Test(arguments: HistoryKind.allCases)
    func `keeps percentiles within one percent whatever the durations look like`(
        _ kind: HistoryKind
    ) async throws {
        try await withHistory(kind) { history in
            for seed in 10..<16 as Range<UInt64> {
                var random = RandomRows(seed: seed)
                let start = RandomRows.start + .seconds(Int64(seed) * 36_000)
                let rows = (0..<3000).map { index -> RunRow in
                    var row = random.row(at: 0)
                    row.verdict = .ack
                    row.fingerprint = ""
                    row.queue = "q"
                    row.kind = "k"
                    row.finishedAt = start + .milliseconds(Int64(index) * 2400)
                    // Log-uniform, uniform, nearly constant, two humps, heavy tail, all the same.
                    let run: Int64 =
                        switch seed {
                        case 10: 1 << Int64.random(in: 0...30, using: &random.random)
                        case 11: .random(in: 0...100_000, using: &random.random)
                        case 12: 777_000 + .random(in: 0...50, using: &random.random)
                        case 13: index % 2 == 0 ? 130 + Int64(index % 7) : 1_000_000 + Int64(index)
                        case 14: 10_000_000 / .random(in: 1...10_000, using: &random.random)
                        default: 129
                        }
                    let executed = row.finishedAt.milliseconds - run
                    row.executedAt = Timestamp(milliseconds: executed)
                    row.readyAt = Timestamp(milliseconds: executed - run * 3)
                    return row
                }
                try await history.add(rows, [])
                let range = HistoryRange(from: start, to: start + .seconds(7200))
                expectSame(try await history.stats(range), Naive(rows: rows).stats(range))
            }
        }
    }

    @Test(arguments: HistoryKind.allCases)
    func `knows all runs of one message, oldest first`(_ kind: HistoryKind) async throws {
        try await withHistory(kind) { history in
            var random = RandomRows(seed: 5)
            var rows = random.rows(50)
            for index in 0..<5 {
                rows[index * 10].id = rows[0].id
                rows[index * 10].run = UInt32(index)
            }
            try await history.add(rows, [])
            let wanted = rows.filter { $0.id == rows[0].id }.sorted {
                $0.finishedAt < $1.finishedAt
            }
            #expect(try await history.runs(of: rows[0].id) == wanted)
            #expect(wanted.count == 5)
            #expect(try await history.runs(of: MessageID(high: 1, low: 2)) == [])
        }
    }

    @Test(arguments: HistoryKind.allCases)
    func `keeps one sample of a queue and a minute`(_ kind: HistoryKind) async throws {
        try await withHistory(kind) { history in
            let samples = (0..<30).map { index in
                QueueSample(
                    queue: RandomRows.queues[index % 3],
                    at: RandomRows.start + .seconds(Int64(index / 3) * 60), ready: index,
                    scheduled: 2, leased: 3, dead: 4, enqueued: 5_000_000_000, ended: 6,
                    oldestReadyMilliseconds: 7_000_000_000, slots: 8, busySlots: 9)
            }
            try await history.add([], samples)
            try await history.add([], Array(samples.prefix(7)))
            let wanted = samples.sorted { ($0.at, $0.queue) < ($1.at, $1.queue) }
            #expect(try await history.samples(.all) == wanted)
            var range = HistoryRange(
                from: RandomRows.start + .seconds(60), to: RandomRows.start + .seconds(180))
            range.queue = RandomRows.queues[2]
            #expect(
                try await history.samples(range)
                    == wanted.filter {
                        $0.queue == range.queue && $0.at >= range.from && $0.at < range.to
                    })
        }
    }

    @Test(arguments: HistoryKind.allCases)
    func `notes who did what`(_ kind: HistoryKind) async throws {
        try await withHistory(kind) { history in
            let entries = (0..<5).map { index in
                AuditEntry(
                    at: RandomRows.start + .seconds(Int64(index)), who: RandomRows.reasons[3],
                    verb: "dead redrive", queue: RandomRows.queues[index % 3],
                    what: RandomRows.reasons[4], affected: index)
            }
            for entry in entries { try await history.audit(entry) }
            #expect(try await history.audits(.all, limit: 1_000_000_000) == entries.reversed())
            #expect(
                try await history.audits(.all, limit: 2) == entries.reversed().prefix(2).map { $0 })
            var range = HistoryRange.all
            range.queue = RandomRows.queues[2]
            #expect(try await history.audits(range, limit: 10) == [entries[2]])
        }
    }

    @Test(arguments: HistoryKind.allCases)
    func `clamps what is asked for and refuses what it can't answer`(
        _ kind: HistoryKind
    ) async throws {
        try await withHistory(kind) { history in
            var random = RandomRows(seed: 6)
            try await history.add(random.rows(60), [])
            #expect(try await history.runs(RunQuery(.all, limit: 1_000_000_000)).runs.count == 60)
            #expect(try await history.runs(RunQuery(.all, limit: -5)).runs.count == 1)
            #expect(try await history.slowest(.all, limit: 1_000_000_000).count <= 60)
            _ = try await history.groups(.all, limit: 1_000_000_000)
            let endless = HistoryRange(
                from: Timestamp(milliseconds: .min), to: Timestamp(milliseconds: .max))
            #expect(try await history.stats(endless).reduce(0) { $0 + $1.runs } == 60)
            #expect(try await history.runs(RunQuery(endless, limit: 100)).runs.count == 60)
            await #expect(throws: HistoryError.self) {
                try await history.rate(endless, step: .milliseconds(1))
            }
            await #expect(throws: HistoryError.self) {
                try await history.rate(.all, step: .zero)
            }
            await #expect(throws: HistoryError.self) {
                try await history.runs(RunQuery(.all, after: PageCursor("' OR 1=1 --")))
            }
        }
    }

    @Test(arguments: HistoryKind.allCases)
    func `drops what is past its time and nothing else`(_ kind: HistoryKind) async throws {
        try await withHistory(kind) { history in
            var random = RandomRows(seed: 7)
            // Two months, so that partitions by month can go as a whole.
            let old = random.rows(400).map { row in
                var row = row
                row.finishedAt = row.finishedAt + .seconds(-60 * 86_400)
                return row
            }
            let new = random.rows(200)
            func sample(_ at: Timestamp) -> QueueSample {
                QueueSample(
                    queue: "mail", at: at, ready: 0, scheduled: 0, leased: 0, dead: 0, enqueued: 0,
                    ended: 0, oldestReadyMilliseconds: 0, slots: 0, busySlots: 0)
            }
            let samples = [
                sample(RandomRows.start + .seconds(-60 * 86_400)), sample(RandomRows.start),
            ]
            try await history.add(old + new, samples)
            let now = RandomRows.start + .seconds(86_400)
            // Panes of whole hours outlive the rows.
            _ = try await history.prune(.endless, now: now)
            var calls = 0
            while try await history.prune(HistoryRetention(), now: now), calls < 100 { calls += 1 }
            let everything = HistoryRange(
                from: RandomRows.start + .seconds(-90 * 86_400),
                to: RandomRows.start + .seconds(86_400))
            let found = try await history.runs(RunQuery(everything, limit: 1000)).runs
            #expect(found == new.sorted { $0.finishedAt > $1.finishedAt })
            #expect(try await history.samples(everything) == [samples[1]])
            expectSame(
                try await history.stats(everything), Naive(rows: old + new).stats(everything))
            var short = HistoryRetention()
            short.hours = .seconds(30 * 86_400)
            calls = 0
            while try await history.prune(short, now: now), calls < 100 { calls += 1 }
            expectSame(try await history.stats(everything), Naive(rows: new).stats(everything))
        }
    }
}

extension HistoryRetention {
    static var endless: HistoryRetention {
        var keep = HistoryRetention()
        keep.runs = .seconds(3650 * 86_400)
        keep.minutes = keep.runs
        keep.hours = keep.runs
        return keep
    }
}
