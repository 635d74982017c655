// SPDX-License-Identifier: Apache-2.0
import Godwit
import RedisClient

/// Turns what the client and the server say into what a caller does next.
struct Failure: Sendable {
    let location: String

    func error(_ error: RedisError, _ what: String) -> BrokerError {
        func problem(_ advice: String) -> BrokerError.Problem {
            BrokerError.Problem(
                what: what, location: location, cause: Self.clean(error.text), advice: advice)
        }
        switch error.kind {
        case .unavailable, .closed:
            return .unavailable(
                problem(
                    error.kind == .closed
                        ? "The broker was shut down; open a new one."
                        : "Look whether the server runs and the URL is right; then it goes on by itself."
                ))
        case .cancelled:
            return .unavailable(
                problem("The caller's task was cancelled before anything was sent."))
        case .unknown:
            return .unknown(
                problem("Send it again with the same ids: the repetition is recognised."))
        case .loading:
            return .unavailable(problem("The server is starting; it goes on by itself."))
        case .readOnly, .moved:
            return .unavailable(
                problem(
                    "This server is not the primary of the data; point the URL at it, or wait for the failover to end."
                ))
        case .busy, .tryAgain:
            return .unavailable(problem("Nothing was done; it may be sent again in a moment."))
        case .outOfMemory:
            return .storageFull(
                problem(
                    "The server's memory is full: let consumers drain, or raise it with CONFIG SET maxmemory."
                ))
        case .misconfigured:
            return .storageFull(
                problem(
                    "The server can't write to its disk and so refuses writes: look at its disk and log."
                ))
        case .noReplicas:
            return .storageFull(
                problem("Too few replicas are connected (min-replicas-to-write): bring one back."))
        case .noAuth, .wrongPassword, .invalid:
            return .misconfigured(
                problem(
                    "Give the right user and password in the URL, a password file or GODWIT_REDIS_PASSWORD."
                ))
        case .noPermission:
            return .misconfigured(problem("Let the operator widen the rights of this ACL user."))
        case .noScript, .unblocked:
            return .unavailable(problem("Nothing was done; send it again."))
        case .server:
            if error.text.hasPrefix("UNTRACKED") {
                return .unavailable(
                    problem("Nothing was done; it may be sent again when fewer are leased."))
            }
            if error.text.contains("user executing the script can't") {
                // Why unknown: the script stopped where it was, and what it had written stays.
                return .unknown(
                    problem(
                        "Let the operator widen the rights of this ACL user to all commands of "
                            + "the scripts, then compare with `godwit doctor`."))
            }
            if error.text.contains("OOM") {
                return .storageFull(
                    problem(
                        "The server's memory is full: let consumers drain, or raise it with CONFIG SET maxmemory."
                    ))
            }
            if error.text.hasPrefix("TOOBIG") {
                return .invalid(problem("Keep only what the next run needs to go on."))
            }
            return .corrupt(
                problem(
                    "Something else may write to these keys; compare with `godwit doctor`. The data is kept."
                ))
        }
    }

    /// A reply that is not what the script sends.
    func unreadable(_ what: String) -> BrokerError {
        .corrupt(
            BrokerError.Problem(
                what: what, location: location, cause: "the reply has another shape than expected",
                advice:
                    "Another version of the scripts may be in use, or a proxy between; nothing was lost."
            ))
    }

    /// Errors of scripts carry the place in the script behind the sentence; readers don't need it.
    private static func clean(_ text: String) -> String {
        guard let end = text.firstRange(of: " script: ") else { return text }
        return text[..<end.lowerBound].description
    }
}
