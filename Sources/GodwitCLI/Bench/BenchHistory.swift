// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import Synchronization

/// `godwit bench --mode history`: the way of runs from an event log in memory into a history, and
/// how long its questions take afterwards.
///
/// The runs are spread over a day of a clock of the bench's own, so that there are hours to sum up.
struct BenchHistory: Sendable {
    /// Kept below the bound of the log, so that none is dropped.
    private static let round = 250_000
    private static let kinds = (0..<10).map { "bench.kind-\($0)" }

    let history: any HistoryStore
    let runs: Int
    let queue: QueueName

    init(_ history: any HistoryStore, runs: Int) throws {
        self.history = history
        self.runs = runs
        queue = try QueueName("bench-\(UInt64.random(in: 0 ... .max))")
    }

    func measure() async throws -> HistoryFigures {
        // A whole day, yesterday: summed up like any other, and dropped like any other.
        let today = SystemTime().now().milliseconds / 86_400_000 * 86_400_000
        let start = Timestamp(milliseconds: today - 86_400_000)
        let clock = BenchClock(start)
        let broker = MemoryBroker(time: clock)
        var options = ArchiverOptions()
        options.samples = false
        var round = ArchiveRound(Archiver(broker, into: history, options: options))
        var figures = HistoryFigures()
        let step = 86_400_000 * 256 / Int64(max(256, runs))
        var done = 0
        var seconds = 0.0
        while done < runs {
            // Why few at first: a store drops what is old while it has never seen an archiver.
            let count = done == 0 ? min(256, runs) : min(Self.round, runs - done)
            try await fill(broker, clock, count, step)
            done += count
            let began = ContinuousClock.now
            while try await broker.eventLog.events(
                in: queue, after: broker.eventLog.backlog(of: queue).archived, limit: 1
            ).isEmpty == false {
                _ = await round.once()
                clock.advance(6_000)
            }
            seconds += (ContinuousClock.now - began) / .seconds(1)
        }
        figures.runs = done
        figures.archivedPerS = Double(done) / seconds
        // Whole hours, up to behind the last run.
        let end = Timestamp(milliseconds: (clock.now().milliseconds / 3_600_000 + 1) * 3_600_000)
        try await ask(HistoryRange(from: start, to: end, queue: queue.text), &figures)
        await broker.shutdown()
        return figures
    }

    private func ask(_ range: HistoryRange, _ figures: inout HistoryFigures) async throws {
        var endless = HistoryRetention()
        endless.runs = .seconds(36_500 * 86_400)
        (endless.minutes, endless.hours) = (endless.runs, endless.runs)
        let keep = endless
        figures.sumUpMs = try await time(1) {
            while try await history.prune(keep, now: SystemTime().now()) {}
        }
        figures.statsMs = try await time(7) { _ = try await history.stats(range) }
        var edged = range
        edged.from = range.from + .milliseconds(61_234)
        edged.to = range.to + .milliseconds(-98_765)
        let odd = edged
        figures.statsOddMs = try await time(7) { _ = try await history.stats(odd) }
        figures.runsMs = try await time(7) { _ = try await history.runs(RunQuery(range)) }
        figures.slowestMs = try await time(3) { _ = try await history.slowest(range, limit: 50) }
        figures.groupsMs = try await time(3) { _ = try await history.groups(range, limit: 50) }
        figures.rateMs = try await time(3) {
            _ = try await history.rate(range, step: .seconds(3600))
        }
        figures.counted = try await history.stats(range).reduce(0) { $0 + $1.runs }
    }

    /// The median of `count` calls, in milliseconds.
    private func time(_ count: Int, _ body: () async throws -> Void) async throws -> Double {
        var times: [Double] = []
        for _ in 0..<count {
            let began = ContinuousClock.now
            try await body()
            times.append((ContinuousClock.now - began) / .milliseconds(1))
        }
        return times.sorted()[count / 2]
    }

    /// Enqueues, reserves and settles; one in twenty fails and is rejected.
    private func fill(
        _ broker: MemoryBroker, _ clock: BenchClock, _ count: Int, _ step: Int64
    ) async throws {
        let kinds = try Self.kinds.map { try Kind($0) }
        var left = count
        while left > 0 {
            let part = min(256, left)
            left -= part
            let now = clock.now()
            _ = try await broker.enqueue(
                (0..<part).map {
                    NewMessage(id: MessageID(at: now), kind: kinds[$0 % kinds.count], body: [1])
                }, to: queue)
            clock.advance(.random(in: 0..<max(1, step / 2)))
            let taken = try await broker.reserve(ReserveRequest(part), from: queue).messages
            clock.advance(now.milliseconds + step - clock.now().milliseconds)
            _ = try await broker.settle(
                taken.enumerated().map { index, message in
                    Settlement(
                        message.token,
                        index % 20 == 7 ? .reject("user \(index) was not found") : .ack)
                }, in: queue)
            _ = try await broker.prune(64, in: queue)
        }
    }
}

/// What was found, rows a second and milliseconds.
struct HistoryFigures: Codable, Sendable {
    var runs = 0
    var counted = 0
    var archivedPerS = 0.0
    var sumUpMs = 0.0
    var statsMs = 0.0
    /// Over a range that begins and ends within a minute.
    var statsOddMs = 0.0
    var runsMs = 0.0
    var slowestMs = 0.0
    var groupsMs = 0.0
    var rateMs = 0.0
}

/// A clock that only moves when it is told to.
private final class BenchClock: TimeSource {
    private let time: Mutex<Timestamp>

    init(_ start: Timestamp) { time = Mutex(start) }

    var isVirtual: Bool { true }

    func now() -> Timestamp { time.withLock { $0 } }

    func advance(_ milliseconds: Int64) {
        time.withLock { $0.milliseconds += max(0, milliseconds) }
    }

    /// Nothing in the bench waits for time to pass.
    func schedule(
        after delay: Duration, _ action: @escaping @Sendable () -> Void
    ) -> ScheduledAction { ScheduledAction {} }
}
