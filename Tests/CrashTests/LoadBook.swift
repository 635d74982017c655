// SPDX-License-Identifier: Apache-2.0
import CrashWorker
import Godwit
import Testing

/// What was accepted, and what has to become of each.
struct LoadBook {
    /// A message's end as it must be whatever is killed: an attempt is used up by a reported failure
    /// and by nothing else (I6).
    struct Expectation {
        var failures: Int
        var maxAttempts: Int

        var isDead: Bool { failures >= maxAttempts }
        var attempts: Int { min(failures, maxAttempts) }
    }

    private(set) var accepted: [MessageID: Expectation] = [:]
    private let hasFailures: Bool
    private var random: Xoshiro
    private var index = 0
    private var keys = 0

    init(hasFailures: Bool, seed: UInt64) {
        self.hasFailures = hasFailures
        random = Xoshiro(seed: seed)
    }

    /// Enqueues `count` messages of two kinds and all priorities; some delayed, some unique.
    mutating func enqueue(_ count: Int, to queue: Queue) async throws {
        var left = count
        while left > 0 {
            let size = min(left, 100)
            left -= size
            let priority = try #require(Priority(Int.random(in: 0...7, using: &random)))
            let isDelayed = Int.random(in: 0..<10, using: &random) == 0
            let delay = isDelayed ? Int.random(in: 1...2000, using: &random) : 0
            let maxAttempts = Int.random(in: 0..<20, using: &random) == 0 ? 1 : 6
            let options: [EnqueueOption] = [
                .priority(priority), .delayed(by: .milliseconds(delay)), .maxAttempts(maxAttempts),
            ]
            let loads = (0..<size).map { _ in load() }
            let enqueued: [Enqueued]
            if Bool.random(using: &random) {
                enqueued = try await queue.enqueue(
                    contentsOf: loads.map(Parcel.init), options[0], options[1], options[2])
            } else {
                enqueued = try await queue.enqueue(
                    contentsOf: loads.map(Letter.init), options[0], options[1], options[2])
            }
            for (load, answer) in zip(loads, enqueued) {
                #expect(answer.isNew)
                accepted[answer.id] = Expectation(
                    failures: load.failures, maxAttempts: maxAttempts)
            }
            try await enqueueUnique(priority, to: queue)
        }
    }

    /// One key twice: the second is the first as long as that lives (I9).
    private mutating func enqueueUnique(_ priority: Priority, to queue: Queue) async throws {
        keys += 1
        for _ in 0..<2 {
            let load = load()
            let answer = try await queue.enqueue(
                Parcel(load), .unique(by: "key-\(keys)"), .priority(priority))
            if answer.isNew {
                accepted[answer.id] = Expectation(failures: load.failures, maxAttempts: 6)
            } else {
                #expect(accepted[answer.id] != nil)
            }
        }
    }

    private mutating func load() -> Load {
        index += 1
        let isLong = Int.random(in: 0..<5, using: &random) == 0
        let milliseconds = Int.random(in: isLong ? 20...60 : 2...15, using: &random)
        let dice = Int.random(in: 0..<1000, using: &random)
        let failures = !hasFailures ? 0 : dice < 3 ? 99 : dice < 30 ? dice % 3 + 1 : 0
        return Load(index: index, milliseconds: milliseconds, failures: failures)
    }
}
