// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitMonitor
import Testing

@Suite struct `Stuck jobs` {
    private static let now = Scenario.at

    private func record(
        _ state: MessageState, ready: Double = 0, lost: UInt8 = 0, due: Double? = nil,
        deadline: Double? = nil, executed: Double? = nil
    ) -> MessageRecord {
        func ago(_ seconds: Double) -> Timestamp {
            Self.now + .milliseconds(Int64(-seconds * 1000))
        }
        let id = MessageID(at: ago(ready))
        return MessageRecord(
            state: state,
            entry: Entry(
                id: id, kindHash: 1, maxAttempts: 3, insertedAt: ago(ready), readyAt: ago(ready),
                lost: lost),
            kind: "mail", count: 1, executedAt: executed.map(ago), dueAt: due.map(ago),
            leaseDeadline: deadline.map(ago))
    }

    private func finder(_ change: (inout StuckFinder) -> Void) -> [Stuck.Kind] {
        var finder = StuckFinder("mail", now: Self.now)
        change(&finder)
        let stuck = finder.stuck()
        #expect(stuck.allSatisfy { $0.next.hasPrefix("godwit ") && !$0.subject.isEmpty })
        return stuck.map(\.kind)
    }

    @Test func `a lease that ran out counts only after the next reclaim should have come`() {
        #expect(finder { $0.leased = [record(.leased, deadline: 4)] } == [])
        #expect(finder { $0.leased = [record(.leased, deadline: 6)] } == [.leaseNotReclaimed])
        // A worker with leases of two minutes reclaims every twenty seconds.
        var long = Scenario.beat()
        long.leaseMilliseconds = 120_000
        #expect(
            finder {
                $0.leased = [record(.leased, deadline: 6)]
                $0.workers = [long]
            } == [])
    }

    @Test func `a run that is renewed without progress, or beyond its timeout`() {
        var beat = Scenario.beat()
        let run = record(.leased, deadline: -20, executed: 500)
        beat.running = [
            .init(
                id: "\(run.id)", kind: "mail", since: Self.now + .seconds(-500), attempt: 0,
                progressedAt: Self.now + .seconds(-200))
        ]
        func look(_ change: (inout QueueTargets) -> Void) -> [Stuck.Kind] {
            finder {
                $0.leased = [run]
                $0.workers = [beat]
                change(&$0.targets)
            }
        }
        #expect(look { _ in } == [])
        #expect(look { $0.progressTimeout = 300 } == [])
        #expect(look { $0.progressTimeout = 100 } == [.noProgress])
        #expect(look { $0.timeout = 600 } == [])
        #expect(look { $0.timeout = 400 } == [.noProgress])
        // Without a beat nobody knows when the last checkpoint came.
        beat.running = []
        #expect(look { $0.progressTimeout = 100 } == [])
    }

    @Test func `a suspect may wait two leases for a worker that holds nothing`() {
        #expect(finder { $0.suspects = [record(.ready, ready: 59, lost: 2)] } == [])
        #expect(finder { $0.suspects = [record(.ready, ready: 61, lost: 2)] } == [.suspectWaits])
        #expect(finder { $0.suspects = [record(.ready, ready: 61, lost: 1)] } == [])
        #expect(
            finder {
                $0.suspects = [record(.ready, ready: 61, lost: 2)]
                $0.isPaused = true
            } == [])
    }

    @Test func `a kind that no live worker knows`() {
        let kinds = [Scenario.kind("mail.v2", 3, 60)]
        #expect(finder { $0.kinds = kinds } == [])  // The board can't be read.
        #expect(
            finder {
                $0.kinds = kinds
                $0.workers = [Scenario.beat(kinds: ["mail.v1"])]
            } == [.kindWithoutWorker])
        #expect(
            finder {
                $0.kinds = kinds
                $0.workers = [Scenario.beat()]
            } == [])
    }

    @Test func `a key behind a head that failed three times`() {
        func lane(_ attempt: Int) -> LaneSummary {
            LaneSummary(
                key: "HP1234", phase: .parked, pending: 7, position: 1, attempt: attempt, lost: 0,
                handledAt: nil)
        }
        #expect(finder { $0.lanes = [lane(2)] } == [])
        #expect(finder { $0.lanes = [lane(3)] } == [.headBlocks])
    }

    @Test func `a schedule that nobody promotes`() {
        #expect(finder { $0.scheduled = [record(.scheduled, due: 4)] } == [])
        #expect(finder { $0.scheduled = [record(.scheduled, due: -60)] } == [])
        #expect(finder { $0.scheduled = [record(.scheduled, due: 6)] } == [.overdue])
    }
}
