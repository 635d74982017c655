// SPDX-License-Identifier: Apache-2.0

/// Why a store did not do what it was asked to, by what the caller does next.
///
/// Every case says what failed, where, why it probably did and what to do about it.
@nonexhaustive
public enum BrokerError: Error, Sendable, Hashable {
    /// Nothing happened; try again later (down, loading, restarting, shut down).
    case unavailable(Problem)
    /// It may or may not have happened: resend with the same id, or look (I12).
    case unknown(Problem)
    /// Nothing was accepted; the store is full or writes are refused. Free space, then go on.
    case storageFull(Problem)
    /// The store is not fit for a queue, or its credentials are wrong; mend the configuration.
    case misconfigured(Problem)
    /// What the caller sent can never be accepted.
    case invalid(Problem)
    /// What the store holds can't be read; the bytes are kept.
    case corrupt(Problem)

    /// The facts of one failure, for the one who reads the log.
    public struct Problem: Sendable, Hashable {
        /// What was tried, for example `reserve from 'mail'`.
        public var what: String
        /// Which store, without credentials.
        public var location: String
        /// What the store or the system said.
        public var cause: String
        /// What to do next.
        public var advice: String

        public init(what: String, location: String, cause: String, advice: String) {
            self.what = what
            self.location = location
            self.cause = cause
            self.advice = advice
        }
    }

    public var problem: Problem {
        switch self {
        case .unavailable(let problem), .unknown(let problem), .storageFull(let problem),
            .misconfigured(let problem), .invalid(let problem), .corrupt(let problem):
            problem
        }
    }
}

extension BrokerError {
    /// The case as one word: the label `cause` of a meter, the trailer `godwit-reason` of a call.
    package var caseName: String {
        switch self {
        case .unavailable: "unavailable"
        case .unknown: "unknown"
        case .storageFull: "storage-full"
        case .misconfigured: "misconfigured"
        case .invalid: "invalid"
        case .corrupt: "corrupt"
        }
    }

    /// It may pass by itself: trying again makes sense.
    package var isPassing: Bool {
        switch self {
        case .unavailable, .unknown, .storageFull: true
        case .misconfigured, .invalid, .corrupt: false
        }
    }
}

extension BrokerError {
    /// A part of a batch was accepted and a part refused: to its caller the whole is unknown (I12).
    package var asUnknown: BrokerError {
        var problem = problem
        problem.advice = "A part of the batch was accepted. " + problem.advice
        return .unknown(problem)
    }
}

extension BrokerError: CustomStringConvertible {
    public var description: String {
        let (state, problem) =
            switch self {
            case .unavailable(let problem): ("is unavailable", problem)
            case .unknown(let problem): ("did not answer; it may or may not have happened", problem)
            case .storageFull(let problem): ("refuses writes", problem)
            case .misconfigured(let problem): ("is not set up for a queue", problem)
            case .invalid(let problem): ("refused the call", problem)
            case .corrupt(let problem): ("holds something unreadable", problem)
            }
        return "\(problem.what): \(problem.location) \(state): \(problem.cause). \(problem.advice)"
    }
}
