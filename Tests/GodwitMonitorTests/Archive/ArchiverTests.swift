// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import GodwitTesting
import Synchronization
import Testing

@Suite struct `An archiver` {
    @Test func `keeps one row for every run that ended`() async throws {
        try await withHistory(.sqlite) { history in
            let (broker, clock) = brokerWithClock()
            let runs = try await work(on: broker, clock, messages: 700)
            var round = ArchiveRound(Archiver(broker, into: history))
            await drain(&round, clock)
            let found = try await history.runs(RunQuery(.virtual, limit: 10_000)).runs
            #expect(found.count == runs.count)
            #expect(Set(found.map { Key($0) }) == Set(runs.keys))
            for row in found {
                #expect(runs[Key(row)] == row.verdict)
                #expect(row.worker == 7)
                #expect(row.count == row.run + 1)
                // Rounds of 8 ms, the reserve 3 ms after their beginning.
                #expect(row.waitMilliseconds.map { $0 % 8 } == 3)
                #expect(row.runMilliseconds == 5)
                #expect(row.isFailure == !row.fingerprint.isEmpty)
                if row.verdict == .retry { #expect(row.reason == "user 17 not found") }
            }
            // Again from the beginning, as after a crash before the mark.
            var second = ArchiveRound(Archiver(broker, into: history))
            await drain(&second, clock)
            #expect(
                try await history.stats(.virtual).reduce(0) { $0 + $1.runs } == runs.count)
        }
    }

    @Test func `marks only what the history has committed`() async throws {
        try await withHistory(.sqlite) { real in
            let (broker, clock) = brokerWithClock()
            let history = FaultyHistory(real)
            let runs = try await work(on: broker, clock, messages: 300)
            history.isDown = true
            var round = ArchiveRound(Archiver(broker, into: history))
            await drain(&round, clock)
            // What is marked may go at any moment: this drops it.
            for _ in 0..<100 { try await broker.prune(64, in: "mail") }
            history.isDown = false
            clock.advance(by: .seconds(60))
            await drain(&round, clock)
            #expect(
                try await real.runs(RunQuery(.virtual, limit: 10_000)).runs.count == runs.count)
        }
    }

    @Test func `goes on where it was when the history comes back`() async throws {
        try await withHistory(.sqlite) { real in
            let (broker, clock) = brokerWithClock()
            let history = FaultyHistory(real)
            var round = ArchiveRound(Archiver(broker, into: history))
            var count = 0
            for turn in 0..<6 {
                history.isDown = turn % 2 == 1
                count += try await work(on: broker, clock, messages: 50).count
                await drain(&round, clock)
                clock.advance(by: .seconds(60))
            }
            history.isDown = false
            await drain(&round, clock)
            #expect(try await real.runs(RunQuery(.virtual, limit: 10_000)).runs.count == count)
            #expect(history.refused > 0)
        }
    }

    @Test func `samples each queue once a minute`() async throws {
        try await withHistory(.sqlite) { history in
            let (broker, clock) = brokerWithClock()
            _ = try await work(on: broker, clock, messages: 20)
            _ = try await broker.enqueue([message(clock)], to: "mail")
            var round = ArchiveRound(Archiver(broker, into: history))
            for _ in 0..<30 {
                _ = await round.once()
                clock.advance(by: .seconds(10))
            }
            let samples = try await history.samples(.virtual)
            #expect((5...6).contains(samples.count))
            #expect(samples.allSatisfy { $0.queue == "mail" && $0.at.milliseconds % 60_000 == 0 })
            #expect(samples.last?.ready == 1)
            #expect(samples.last?.enqueued == 21)
        }
    }

    @Test(arguments: [false, true])
    func `keeps the others' runs when one queue can't be archived`(_ isOutage: Bool) async throws {
        try await withHistory(.sqlite) { real in
            let (broker, clock) = brokerWithClock()
            let history = FaultyHistory(real, badQueue: "bad", isOutage: isOutage)
            _ = try await work(on: broker, clock, messages: 20, in: "bad")
            let runs = try await work(on: broker, clock, messages: 50)
            var round = ArchiveRound(Archiver(broker, into: history))
            for _ in 0..<12 {
                #expect(await round.once() <= .seconds(30))
                clock.advance(by: .seconds(11))
            }
            let found = try await real.runs(RunQuery(.virtual, limit: 10_000)).runs
            #expect(found.count == runs.count)
            #expect(Set(found.map(\.queue)) == ["mail"])
            #expect(try await broker.eventLog.backlog(of: "bad").waiting > 0)
            // What is done once a minute is done, too.
            let samples = try await real.samples(.virtual)
            #expect(samples.count { $0.queue == "bad" } >= 2)
            #expect(samples.count { $0.queue == "mail" } >= 2)
        }
    }

    @Test func `says that the store is down`() async throws {
        try await withHistory(.sqlite) { history in
            let books = FaultyBooks(MemoryBroker(time: VirtualClock()))
            books.isDown.withLock { $0 = true }
            var round = ArchiveRound(Archiver(books, into: history))
            #expect(await round.once() <= .seconds(1))
            #expect(round.lastWarning?.contains("the store is down") == true)
        }
    }

    @Test func `sends no more rows at once than a history takes`() {
        var options = ArchiverOptions()
        #expect(options.rows(at: 50_000) == 50_000)
        options.batchRows = 100_000
        // The last page of the log: 128 calls of 256 runs.
        #expect(options.rows(at: 50_000) + 128 * 256 <= 100_000)
        options.batchRows = 0
        #expect(options.rows(at: 50_000) == 1)
    }

    // MARK: Work to archive

    private struct Key: Hashable {
        var id: MessageID
        var run: UInt32

        init(_ row: RunRow) { (id, run) = (row.id, row.run) }
        init(_ token: LeaseToken) { (id, run) = (token.id, token.entry.epoch) }
    }

    private func brokerWithClock() -> (MemoryBroker, VirtualClock) {
        let clock = VirtualClock()
        return (MemoryBroker(time: clock), clock)
    }

    private func message(_ clock: VirtualClock) throws -> NewMessage {
        NewMessage(id: MessageID(at: clock.now()), kind: try Kind("mail.send"), body: [1])
    }

    /// Runs messages until all have ended: some fail first, some for good.
    private func work(
        on broker: MemoryBroker, _ clock: VirtualClock, messages: Int, in queue: QueueName = "mail"
    ) async throws -> [Key: Event.Move] {
        _ = try await broker.enqueue(try (0..<messages).map { _ in try message(clock) }, to: queue)
        var runs: [Key: Event.Move] = [:]
        while true {
            clock.advance(by: .milliseconds(3))
            let taken = try await broker.reserve(ReserveRequest(64, worker: 7), from: queue)
                .messages
            guard !taken.isEmpty else { return runs }
            clock.advance(by: .milliseconds(5))
            let settlements = taken.enumerated().map { index, message in
                let isFirst = message.token.entry.epoch == 0
                let verdict: Verdict =
                    index % 9 == 1 && isFirst
                    ? .retry(after: .zero, reason: "user 17 not found")
                    : index % 11 == 2 ? .reject("no") : .ack
                return Settlement(message.token, verdict)
            }
            for settlement in settlements {
                let move: Event.Move =
                    switch settlement.verdict {
                    case .ack: .ack
                    case .retry: .retry
                    default: .reject
                    }
                runs[Key(settlement.token)] = move
            }
            _ = try await broker.settle(settlements, in: queue)
        }
    }

    private func drain(_ round: inout ArchiveRound, _ clock: VirtualClock) async {
        for _ in 0..<4 {
            _ = await round.once()
            clock.advance(by: .seconds(6))
        }
    }
}

@Suite struct `A duty` {
    @Test func `is one process's at a time and goes on when that dies`() async throws {
        let clock = VirtualClock()
        let board = SmallBoard(clock)
        var first = Duty("archive/mail", owner: "a")
        var second = Duty("archive/mail", owner: "b")
        #expect(try await first.isHeld(on: board, now: clock.now()))
        #expect(try await !second.isHeld(on: board, now: clock.now()))
        for _ in 0..<20 {
            clock.advance(by: .seconds(7))
            #expect(try await first.isHeld(on: board, now: clock.now()))
            #expect(try await !second.isHeld(on: board, now: clock.now()))
        }
        // The first one dies.
        clock.advance(by: .seconds(31))
        #expect(try await second.isHeld(on: board, now: clock.now()))
        #expect(try await !first.isHeld(on: board, now: clock.now()))
        await second.giveUp(on: board)
        clock.advance(by: .seconds(10))
        #expect(try await first.isHeld(on: board, now: clock.now()))
    }
}

extension HistoryRange {
    static var virtual: HistoryRange {
        let start = Timestamp(milliseconds: 1_767_225_600_000)
        return HistoryRange(from: start, to: start + .seconds(86_400))
    }
}

/// Notes as the seam describes them, in memory.
final class SmallBoard: Board {
    private let clock: VirtualClock
    private let state = Mutex((notes: [String: Note](), last: Int64(0)))

    init(_ clock: VirtualClock) { self.clock = clock }

    func notes(in folder: NoteFolder) async throws(BrokerError) -> [Note] { [] }

    func note(_ name: String, in folder: NoteFolder) async throws(BrokerError) -> Note? {
        state.withLock { live($0.notes[name]) }
    }

    private func live(_ note: Note?) -> Note? {
        note.flatMap { ($0.expiresAt ?? Timestamp(milliseconds: .max)) > clock.now() ? $0 : nil }
    }

    private func stands(_ note: Note?, _ expected: NoteExpectation) -> Bool {
        switch expected {
        case .absent: note == nil
        case .version(let version): note?.version == version
        default: true
        }
    }

    func write(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?,
        if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        state.withLock { state in
            guard stands(live(state.notes[name]), expected) else { return false }
            state.last += 1
            state.notes[name] = Note(
                name: name, bytes: bytes, version: state.last, writtenAt: clock.now(),
                expiresAt: time.map { clock.now() + $0 })
            return true
        }
    }

    func erase(
        _ name: String, in folder: NoteFolder, if expected: NoteExpectation
    ) async throws(BrokerError) -> Bool {
        state.withLock { state in
            guard let note = live(state.notes[name]), stands(note, expected) else { return false }
            state.notes[name] = nil
            return true
        }
    }
}
