// SPDX-License-Identifier: Apache-2.0
import CrashWorker
import Foundation
import Godwit
import Testing

@Suite struct `Drain` {
    /// Long enough that only a cancelled handler ends within a test.
    private static let endless = 3_600_000

    @Test(arguments: StoreKind.allCases)
    func `SIGTERM ends what runs, releases the rest and uses no attempt`(
        _ kind: StoreKind
    ) async throws {
        try await withStore(kind) { store in
            let queue = Queue("drain", on: store.broker)
            // Three handlers never end, so the fourth slot works off the short ones; what is behind
            // them stands prefetched when the signal comes.
            try await queue.enqueue(
                contentsOf: (0..<3).map { Parcel(Load(index: $0, milliseconds: Self.endless)) },
                .priority(0))
            let short = try await queue.enqueue(
                contentsOf: (3..<5).map { Parcel(Load(index: $0, milliseconds: 100)) })
            try await queue.enqueue(
                contentsOf: (5..<60).map { Parcel(Load(index: $0, milliseconds: Self.endless)) },
                .priority(7))
            let journal = Journal()
            let grace = Duration.seconds(2)
            let process = try WorkerProcess(
                index: 0,
                [store.name, queue.name.text, "30000", "\(Chaos.milliseconds(grace))"]
            ) { journal.hear($0, from: 0) }
            let limit = store.broker.time.schedule(after: .seconds(60)) { process.signal(SIGKILL) }
            defer {
                limit.cancel()
                process.signal(SIGKILL)
            }
            let last = Run(id: short[1].id, count: 1)
            // Its prefetch of 8 is full: no reserve is under way when the signal comes.
            let isReady = {
                journal.read { state in
                    state.runs[last]?.starts == 1 && state.runs.count - state.starts == 8
                        || state.hasEnded(0)
                }
            }
            while !isReady() { await journal.changed.wait() }

            let clock = ContinuousClock()
            let signalled = clock.now
            process.signal(SIGTERM)
            let status = await process.end()
            let took = clock.now - signalled
            print("drain on \(kind.rawValue): \(took) after SIGTERM, with a grace of \(grace)")

            #expect(status == 0)
            #expect(took < grace + .seconds(10))
            let (running, starts, reserved, wasDone) = journal.read { state in
                (
                    state.running[0] ?? [], state.starts, state.runs.count,
                    state.runs[last]?.ending == .done
                )
            }
            #expect(wasDone, "what ran and could end within the grace has ended")
            #expect(running == [], "every handler was told to end")
            #expect(reserved > starts, "something was prefetched")
            let counts = try await store.broker.inspector.counts(of: queue.name)
            #expect(counts.completed == 2)
            #expect(counts.leased == 0)
            #expect(counts.released == reserved - 2)
            #expect(counts.ready == 58)
            #expect(counts.lost + counts.retried + counts.rejected == 0)
            // No attempt is used, and it can be had at once.
            let reservation = try await store.broker.reserve(
                ReserveRequest(128, lease: .seconds(30)), from: queue.name)
            let entries = reservation.messages.map(\.token.entry)
            #expect(entries.count == 58)
            #expect(entries.allSatisfy { $0.attempt == 0 && $0.lost == 0 })
            #expect(try await store.broker.inspector.check(queue.name, limit: 1000) == [])
        }
    }
}
