// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitTesting
import Testing

/// Random words on every broker, judged by the ledger.
///
/// Each run begins at a seed of its own and prints it. `GODWIT_SEED=n` begins at n;
/// `GODWIT_SEQUENCES=1` with the seed of a failure replays just that one.
@Suite struct `Model` {
    static let sequences = number("GODWIT_SEQUENCES").map { Int($0) } ?? 2_000
    static let stepsEach = 60

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    @Test(arguments: ModelBroker.all)
    func `random words agree with the ledger`(_ kind: ModelBroker) async throws {
        let base = Self.number("GODWIT_SEED") ?? UInt64.random(in: 0..<1 << 40)
        print("model: \(kind.name), \(Self.sequences) sequences from GODWIT_SEED=\(base)")
        let lanes = min(kind.lanes, Self.sequences)
        let failures = try await withThrowingTaskGroup(of: Failure?.self) { group in
            for lane in 0..<lanes {
                group.addTask {
                    let seeds = stride(from: lane, to: Self.sequences, by: lanes)
                    return try await Trial(kind).firstFailure(
                        seeds.lazy.map { base &+ UInt64($0) }, steps: Self.stepsEach)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }.compactMap(\.self)
        }
        for failure in failures { Issue.record("\(failure)") }
    }

    @Test(arguments: Defect.allCases)
    func `a planted defect is seen`(_ defect: Defect) async throws {
        let kind = ModelBroker(name: "memory with \(defect)") {
            (MisbehavingBroker(defect, MemoryBroker(time: $0)), {})
        }
        let found = try await Trial(kind, shrinks: false).firstFailure(
            (0..<500).lazy.map { $0 }, steps: Self.stepsEach)
        #expect(found != nil, "500 sequences did not see it")
        if let found { print("model: \(defect) seen with seed \(found.seed), \(found.failure)") }
    }

    /// What random words must come across for the model to speak about it.
    static let corners = [
        "enqueue enqueued", "enqueue known", "enqueue unknown", "enqueue duplicate", "enqueue full",
        "reserve nothing", "reserve something", "reserve a suspect", "reserve a redriven one",
        "reserve with a checkpoint", "ack done", "ack stale", "ack again", "retry done",
        "retry stale", "retry again", "reject done", "reject stale", "reject again", "release done",
        "release stale", "release again", "forward done", "forward stale", "forward again",
        "forward targetBusy", "reclaim several", "reclaim dead", "prune dead letters",
        "promote several", "redrive redriven", "redrive notDead", "redrive taken", "cancel ready",
        "cancel scheduled", "cancel leased", "cancel dead", "cancel completed",
        "promote by id true",
        "promote by id false", "purge something", "renew done", "renew stale", "checkpoint done",
        "checkpoint stale",
    ]

    @Test func `random words reach every corner`() async throws {
        let clock = VirtualClock()
        let broker = MemoryBroker(time: clock)
        var met: [String: Int] = [:]
        for seed in 0..<UInt64(500) {
            var course = try Course("c\(seed)", seed: seed, on: broker, clock: clock)
            try await course.run(Step.draw(Self.stepsEach, seed: seed))
            met.merge(course.met, uniquingKeysWith: +)
        }
        for corner in Self.corners { #expect(met[corner, default: 0] > 0, "\(corner)") }
        let list = met.sorted { $0.key < $1.key }.map { "\($0) \($1)" }
        print("model: " + list.joined(separator: ", "))
    }

    @Test func `a sequence says the same when it is replayed`() async throws {
        let kind = ModelBroker(name: "memory") {
            (MisbehavingBroker(.retryForgetsAttempt, MemoryBroker(time: $0)), {})
        }
        let seeds = (0..<500).lazy.map { UInt64($0) }
        let first = try #require(
            try await Trial(kind, shrinks: false).firstFailure(seeds, steps: Self.stepsEach))
        let second = try #require(
            try await Trial(kind).firstFailure([first.seed], steps: Self.stepsEach))
        #expect(second.failure.reason == first.failure.reason || second.steps.count < 60)
        #expect(second.steps.count <= first.steps.count)
    }
}
