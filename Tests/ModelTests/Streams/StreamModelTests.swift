// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitTesting
import Testing

/// Random words on the streams of every broker, judged by the book.
///
/// Each run begins at a seed of its own and prints it. `GODWIT_SEED=n` begins at n;
/// `GODWIT_SEQUENCES=1` with the seed of a failure replays just that one.
@Suite struct `Model of streams` {
    static let sequences = number("GODWIT_SEQUENCES").map { Int($0) } ?? 1000
    static let stepsEach = 60

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    @Test(arguments: StreamModelBroker.all)
    func `random words agree with the book`(_ kind: StreamModelBroker) async throws {
        let base = Self.number("GODWIT_SEED") ?? UInt64.random(in: 0..<1 << 40)
        print("streams: \(kind.name), \(Self.sequences) sequences from GODWIT_SEED=\(base)")
        // Side by side, each with a broker and a clock of its own.
        let lanes = min(2, Self.sequences)
        let failures = try await withThrowingTaskGroup(of: StreamDisagreement?.self) { group in
            for lane in 0..<lanes {
                group.addTask {
                    let seeds = stride(from: lane, to: Self.sequences, by: lanes)
                    return try await Self.firstFailure(
                        kind, seeds.lazy.map { base &+ UInt64($0) })
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }.compactMap(\.self)
        }
        for failure in failures { Issue.record("\(failure)") }
    }

    @Test(arguments: StreamDefect.allCases)
    func `a planted defect of streams is seen`(_ defect: StreamDefect) async throws {
        let found = try await Self.firstFailure(
            .memory, (0..<500).lazy.map { UInt64($0) }, defect)
        #expect(found != nil, "500 sequences did not see it")
        if let found { print("streams: \(defect) seen: \(found)".prefix(200)) }
    }

    /// What random words must come across for the model to speak about it.
    static let corners = [
        "append appended", "append appendedLate", "append late", "append duplicate", "append full",
        "append ahead", "reserve something", "reserve a suspect", "reserve a failed one",
        "reserve tells what is due", "settle done", "settle stale", "settle targetBusy", "next",
        "retry", "skip", "block", "release", "renew done", "renew stale", "reclaim several",
        "expire something", "redrive true", "redrive false", "skip by hand true",
        "skip by hand false", "replay true", "replay false", "forget true", "forget false",
    ]

    @Test func `random words reach every corner of streams`() async throws {
        var met: [String: Int] = [:]
        let found = try await Self.firstFailure(.memory, (0..<300).lazy.map { UInt64($0) }) {
            met.merge($0, uniquingKeysWith: +)
        }
        #expect(found == nil, "the memory broker is the book: \(found.map { "\($0)" } ?? "")")
        for corner in Self.corners { #expect(met[corner, default: 0] > 0, "\(corner)") }
        let list = met.sorted { $0.key < $1.key }.map { "\($0) \($1)" }
        print("streams: " + list.joined(separator: ", "))
    }

    private static func firstFailure(
        _ kind: StreamModelBroker, _ seeds: some Sequence<UInt64>, _ defect: StreamDefect? = nil,
        then: ([String: Int]) -> Void = { _ in }
    ) async throws -> StreamDisagreement? {
        let clock = VirtualClock()
        let (broker, cleanUp) = try await kind.make(clock)
        defer { cleanUp() }
        var found: StreamDisagreement?
        for seed in seeds {
            var course = try StreamCourse(seed, on: StreamDoor(broker, defect), clock: clock)
            do {
                try await course.run(steps: stepsEach)
                then(course.met)
            } catch let failure as StreamDisagreement {
                found = failure
                break
            }
        }
        await broker.shutdown()
        return found
    }
}
