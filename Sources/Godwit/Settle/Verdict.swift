// SPDX-License-Identifier: Apache-2.0

/// How a run ended, and so where its message goes. A handler may throw one to decide by itself.
public enum Verdict: Error, Sendable, Hashable {
    /// leased → completed.
    case ack
    /// leased → scheduled, due `after` from now; counts as a failed attempt (I6).
    case retry(after: Duration, reason: String = "")
    /// leased → dead, with its bytes and its reason; counts as a failed attempt.
    case reject(String)
    /// leased → ready at the head of its list; no attempt used.
    case release
    /// leased → ready in another queue, under the same id; ends here as `forwarded`.
    case forward(to: QueueName)
}

extension Verdict {
    /// The verdict as it counts: a retry after the message's last attempt is a reject.
    func bounded(by entry: Entry) -> Verdict {
        bounded(attempt: Int(entry.attempt), maxAttempts: entry.maxAttempts)
    }

    /// The same by the two numbers: `attempt` earlier failures, and 255 for attempts without end.
    func bounded(attempt: Int, maxAttempts: UInt8) -> Verdict {
        let isLast = RetryPolicy.isLast(attempt, of: maxAttempts)
        guard isLast, case .retry(_, let reason) = self else { return self }
        return .reject(reason.isEmpty ? "no attempts left" : reason)
    }
}

extension Verdict: CustomStringConvertible {
    public var description: String {
        switch self {
        case .ack: "ack"
        case .retry(let delay, let reason): "retry after \(delay): \(reason)"
        case .reject(let reason): "reject: \(reason)"
        case .release: "release"
        case .forward(let queue): "forward to \(queue)"
        }
    }
}
