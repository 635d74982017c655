// SPDX-License-Identifier: Apache-2.0
import Logging

extension Handlers {
    /// Runs the handler of a message and turns what it did into a verdict; never throws.
    ///
    /// Returned: ack. Threw a verdict: that one, but a retry after the last attempt is a reject.
    /// Threw anything else: retry by policy, or reject after the last attempt.
    package func verdict(
        on leased: LeasedMessage, _ context: JobContext, maxRun: Duration,
        isTimedOut: () -> Bool, random: () -> UInt64
    ) async -> Verdict {
        let entry = leased.token.entry
        // Why: a store hands out a kind that was not asked for only by mistake; another can run it.
        guard let handler = handler(of: entry.kindHash) else { return .release }
        do {
            try await handler.run(leased, context)
            return .ack
        } catch let verdict as Verdict {
            return verdict.bounded(by: entry)
        } catch {
            let reason =
                isTimedOut()
                ? "timeout: it ran longer than \(handler.timeout ?? maxRun)" : "\(error)"
            if !context.isLeaseLost {
                Logger.current.info(
                    "message \(entry.id) of '\(context.queue.name)' failed: \(reason)")
            }
            var generator = Xoshiro(seed: random())
            return handler.retry.verdict(
                attempt: Int(entry.attempt), maxAttempts: entry.maxAttempts, reason: reason,
                using: &generator)
        }
    }
}
