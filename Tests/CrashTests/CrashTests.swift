// SPDX-License-Identifier: Apache-2.0
import CrashWorker
import Foundation
import Godwit
import Testing

@Suite(.serialized) struct `Crash` {
    @Test(arguments: StoreKind.allCases)
    func `killed and paused workers lose nothing and repeat nothing without a cause`(
        _ kind: StoreKind
    ) async throws {
        try await withStore(kind) { store in
            let plan = Plan.full
            print("crash tests on \(kind.rawValue): GODWIT_SEED=\(plan.seed)")
            var chaos = Chaos(plan, on: store)
            let clock = ContinuousClock()
            let began = clock.now
            try await chaos.run()
            let findings = try await Findings(chaos)
            print(findings.summary(of: chaos, after: clock.now - began))
            #expect(chaos.orphans.count >= plan.kills)
            #expect(chaos.orphans.allSatisfy { $0 > 0 }, "\(chaos.orphans)")
            #expect(chaos.pausesDone >= plan.pauses)
            expectNone(findings.lost, "I1 lost")
            expectNone(findings.unexplained, "I5 unexplained duplicates")
            expectNone(findings.staleAccepted, "I3 stale settles accepted")
            expectNone(findings.miscounted, "I1, I6 miscounted")
            expectNone(findings.crashLoops, "I6 dead, though none was killed while it ran alone")
            expectNone(
                chaos.journal.read { $0.suspectsInCompany }.map { "\($0.id), run \($0.count)" },
                "I6 suspects run in company")
            expectNone(findings.complaints, "I2 complaints of the store's check")
            // Without a refusal nothing would be known of stale settles.
            let refused = chaos.journal.read { $0.staleSettles + $0.lateSettles }
            #expect(refused > 0 || plan.pauses == 0)
        }
    }

    @Test func `a worker that acks before it runs is found out`() async throws {
        try await withStore(.redis) { store in
            var plan = Plan()
            plan.kills = 5
            plan.pauses = 0
            plan.messages = 2000
            plan.hasFailures = false
            plan.defect = .earlyAck
            var chaos = Chaos(plan, on: store)
            try await chaos.run()
            let findings = try await Findings(chaos)
            let lost = findings.lost.count
            #expect(lost > 0, "seed \(plan.seed)")
        }
    }
}

/// Expects an empty list, and shows no more of one that is not than a reader needs.
private func expectNone(
    _ list: [String], _ what: String, _ location: SourceLocation = #_sourceLocation
) {
    let count = list.count
    #expect(
        count == 0, "\(what): \(list.prefix(5).joined(separator: "; "))", sourceLocation: location)
}

extension Findings {
    func summary(of chaos: Chaos, after time: Duration) -> String {
        let orphans = chaos.orphans.sorted()
        let (stale, late, suspects, starts) = chaos.journal.read {
            ($0.staleSettles, $0.lateSettles, $0.suspectsRun, $0.starts)
        }
        return """
            crash tests on \(chaos.store.kind.rawValue): \(orphans.count) kills, \
            \(chaos.pausesDone) pauses, orphaned leases per kill \(orphans.first ?? 0)/\
            \(orphans.isEmpty ? 0 : orphans[orphans.count / 2])/\(orphans.last ?? 0) \
            (min/median/max) \(chaos.orphans); \(counts.enqueued) messages, \(starts) starts, \
            \(counts.retried) retries, \(counts.dead) dead, \(counts.lost) lost leases \
            (\(unprovoked) of undisturbed processes), \(suspects) suspects run alone; stale settles \
            refused \(stale) + \(late) on purpose, accepted \(staleAccepted.count); duplicates \
            explained \(explained), unexplained \(unexplained.count); lost \(lost.count); moments \
            declined \(chaos.declined); \(time); seed \(chaos.plan.seed)
            """
    }
}
