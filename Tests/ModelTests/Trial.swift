// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitTesting

/// A seed on which a broker failed, with as few steps as were found to show it.
struct Failure: Sendable, CustomStringConvertible {
    var broker: String
    var seed: UInt64
    var steps: [Step]
    var failure: ModelFailure

    var description: String {
        let list = steps.enumerated().map { "\($0): \($1)" }.joined(separator: "\n  ")
        return """
            \(broker) disagrees with the ledger \(failure)
              replay: GODWIT_SEED=\(seed) GODWIT_SEQUENCES=1
              \(list)
            """
    }
}

/// Sequences on one broker, one after the other.
struct Trial {
    let kind: ModelBroker
    let shrinks: Bool

    init(_ kind: ModelBroker, shrinks: Bool = true) {
        self.kind = kind
        self.shrinks = shrinks
    }

    /// The first of the seeds on which the broker fails; nil when all is well.
    func firstFailure(
        _ seeds: some Sequence<UInt64>, steps count: Int
    ) async throws -> Failure? {
        let clock = VirtualClock()
        let (broker, cleanUp) = try await kind.make(clock)
        defer { cleanUp() }
        var found: Failure?
        for seed in seeds {
            let steps = Step.draw(count, seed: seed)
            guard let failure = try await run(steps, seed, "s\(seed)", broker, clock) else {
                continue
            }
            found = Failure(broker: kind.name, seed: seed, steps: steps, failure: failure)
            break
        }
        if shrinks, let failure = found { found = try await shrunk(failure, broker, clock) }
        await broker.shutdown()
        return found
    }

    private func run(
        _ steps: [Step], _ seed: UInt64, _ name: String, _ broker: any Broker,
        _ clock: VirtualClock
    ) async throws -> ModelFailure? {
        var course = try Course(name, seed: seed, on: broker, clock: clock)
        do {
            try await course.run(steps)
            return nil
        } catch let failure as ModelFailure {
            return failure
        }
    }

    /// Leaves out what comes after the failure, then ever smaller runs of steps while it still fails.
    private func shrunk(
        _ failure: Failure, _ broker: any Broker, _ clock: VirtualClock
    ) async throws -> Failure {
        var best = failure
        var tries = 0
        func attempt(_ steps: [Step]) async throws {
            tries += 1
            let name = "s\(failure.seed)-\(tries)"
            if let found = try await run(steps, failure.seed, name, broker, clock) {
                best.steps = steps
                best.failure = found
            }
        }
        try await attempt(Array(failure.steps.prefix(failure.failure.step + 1)))
        var size = best.steps.count / 2
        while size > 0, tries < 300 {
            var start = 0
            while start < best.steps.count, tries < 300 {
                var fewer = best.steps
                fewer.removeSubrange(start..<min(start + size, fewer.count))
                let before = best.steps.count
                try await attempt(fewer)
                if best.steps.count == before { start += size }
            }
            size /= 2
        }
        return best
    }
}
