// SPDX-License-Identifier: Apache-2.0
package import Godwit
import GodwitMonitor
package import GodwitProtos
package import GRPCCore

extension PushVerdict {
    /// What a gRPC status other than OK becomes (https://grpc.io/docs/guides/status-codes).
    ///
    ///     code                                          message   service
    ///     INVALID_ARGUMENT NOT_FOUND ALREADY_EXISTS     reject    answering
    ///     FAILED_PRECONDITION OUT_OF_RANGE DATA_LOSS    reject    answering
    ///     CANCELLED UNKNOWN ABORTED INTERNAL            retry     answering
    ///     DEADLINE_EXCEEDED UNAVAILABLE                 retry     failing
    ///     RESOURCE_EXHAUSTED                            retry     failing
    ///     UNAUTHENTICATED PERMISSION_DENIED             retry     failing: it does not let us in
    ///     UNIMPLEMENTED                                 retry     failing: it is another service
    ///
    /// A retry comes after what the trailers ask for, else by policy. A service whose earlier run did
    /// the work answers OK, not ALREADY_EXISTS.
    package init(code: RPCError.Code, message: String, trailers: Metadata, at now: Timestamp) {
        let words = Self.shown(message)
        func reason(_ advice: String = "") -> String {
            "the service answered \(Self.name(of: code))\(advice)"
                + (words.isEmpty ? "" : ": \(words)")
        }
        let after = Self.delay(trailers, at: now)
        func retry(_ finding: Finding, _ advice: String = "") -> PushVerdict {
            PushVerdict(.retry(after: after, reason: reason(advice)), finding)
        }
        switch code {
        case .invalidArgument, .notFound, .alreadyExists, .failedPrecondition, .outOfRange,
            .dataLoss:
            self.init(.reject(reason()))
        case .unauthenticated, .permissionDenied:
            self = retry(.failing, ", which does not let this worker in")
        case .unimplemented: self = retry(.failing, ": no godwit.v1.Handler answers there")
        case .deadlineExceeded, .unavailable, .resourceExhausted: self = retry(.failing)
        default: self = retry(.answering)
        }
    }

    /// `grpc-retry-pushback-ms` (gRFC A6) of 0 to an hour, or `retry-after` as in HTTP.
    private static func delay(_ trailers: Metadata, at now: Timestamp) -> Duration? {
        if let text = trailers[stringValues: "grpc-retry-pushback-ms"].first(where: { _ in true }),
            (1...9).contains(text.utf8.count), let milliseconds = Int64(text), milliseconds >= 0
        {
            return .milliseconds(min(milliseconds, 3_600_000))
        }
        let text = trailers[stringValues: "retry-after"].first { _ in true }
        return text.flatMap { Webhook.delay($0, at: now) }
    }

    private static func name(of code: RPCError.Code) -> String {
        switch code {
        case .cancelled: "CANCELLED"
        case .invalidArgument: "INVALID_ARGUMENT"
        case .deadlineExceeded: "DEADLINE_EXCEEDED"
        case .notFound: "NOT_FOUND"
        case .alreadyExists: "ALREADY_EXISTS"
        case .permissionDenied: "PERMISSION_DENIED"
        case .resourceExhausted: "RESOURCE_EXHAUSTED"
        case .failedPrecondition: "FAILED_PRECONDITION"
        case .aborted: "ABORTED"
        case .outOfRange: "OUT_OF_RANGE"
        case .unimplemented: "UNIMPLEMENTED"
        case .internalError: "INTERNAL"
        case .unavailable: "UNAVAILABLE"
        case .dataLoss: "DATA_LOSS"
        case .unauthenticated: "UNAUTHENTICATED"
        default: "UNKNOWN"
        }
    }

    /// The longest delay that a service may answer.
    private static let longestDelay = Int64(366 * 24 * 3600) * 1000

    /// What an OK becomes: the verdict in it, or ack where there is none.
    ///
    /// A verdict that makes no sense is the service's defect, not the message's: the message is tried
    /// again by policy, with the reason, and an attempt is used so that it does not turn for ever.
    package init(_ response: Godwit_V1_HandleResponse, of queue: QueueName) {
        guard response.hasVerdict else {
            self.init(.ack)
            return
        }
        func retry(_ reason: String) -> PushVerdict {
            PushVerdict(.retry(after: nil, reason: "the service answered \(reason)"))
        }
        switch response.verdict.move {
        case .ack: self.init(.ack)
        case .release: self.init(.release)
        case .reject(let reject):
            let words = Self.shown(reject.reason)
            self.init(.reject(words.isEmpty ? "the service rejected it" : words))
        case .retry(let asked):
            let words = Self.shown(asked.reason)
            guard (0...Self.longestDelay).contains(asked.afterMs) else {
                self = retry(
                    "a retry after \(asked.afterMs) ms, which is \(asked.afterMs < 0 ? "in the past" : "over a year")"
                        + (words.isEmpty ? "" : ": \(words)"))
                return
            }
            self.init(
                .retry(
                    after: .milliseconds(asked.afterMs),
                    reason: words.isEmpty ? "the service asked for a retry" : words))
        case .forward(let asked):
            guard let target = try? QueueName(asked.queue) else {
                self = retry(
                    "a forward to '\(Self.shown(asked.queue.cut(to: 128)))', which is no queue's name"
                )
                return
            }
            if target == queue {
                self = retry("a forward to '\(target)', where the message is already")
            } else {
                self.init(.forward(to: target))
            }
        case nil: self = retry("a verdict with no move in it that this version knows")
        }
    }
}
